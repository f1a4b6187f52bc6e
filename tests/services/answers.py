"""What the loopback server says: words and log-probabilities that follow from the request alone.

A token is a run of white space and the run of other characters after it (`pieces`), so tokens
concatenate to the text and counting them needs no vocabulary. A token's log-probability depends on
all the text before it and on nothing else, so a continuation scores the same when it is drawn and
when it is given back with echo. Left out: stop sequences and anything that reads like an answer.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tests.services.schemas import instance

_WORDS = """
amber anchor autumn barley basket beacon birch bridge candle canyon cedar chapel cinder clover
copper coral cotton cradle crystal daisy ember falcon feather fern garden ginger glacier granite
harbor hazel island ivory jasmine kettle lantern laurel lemon linen marble meadow mirror mosaic
nectar oak olive orchid pebble pepper pine prairie quartz quilt raven river saddle silver
sparrow thistle timber tulip velvet walnut willow winter
"""
WORDS = tuple(_WORDS.split())
SHORTEST, LENGTH_SPREAD = 8, 17


@dataclass(frozen=True)
class Answer:
    """A text as its tokens, their log-probabilities (nats) and why it ended there."""

    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]
    finish: str

    @property
    def text(self) -> str:
        return "".join(self.tokens)


def number(*parts: object) -> int:
    """Return a whole number in [0, 2^64) that depends on the parts alone."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(sha256(text.encode()).digest()[:8])


def draws(*parts: object) -> Iterator[int]:
    """Yield whole numbers in [0, 2^64) without end, from the parts alone."""
    start, index = number(*parts), 0
    while True:
        yield number(start, index)
        index += 1


def pieces(text: str) -> list[str]:
    """Split a text into tokens that concatenate to it."""
    return re.findall(r"\s*\S+|\s+", text)


def score(before: str, tokens: Sequence[str]) -> list[float]:
    """Return the log-probability (nats, negative) of each token after the text before it."""
    seen = sha256(before.encode())
    values = []
    for token in tokens:
        seen.update(token.encode())
        share = int.from_bytes(seen.digest()[:4]) / 2**32
        values.append(-0.01 - 4 * share)
    return values


def alternatives(token: str, logprob: float, count: int) -> list[tuple[str, float]]:
    """Return `count` tokens with log-probabilities, the given one among them, likeliest first.

    The others share what the token leaves: a half, a quarter and so on, so that all sum below 1.
    """
    begin = WORDS.index(word) if (word := token.strip()) in WORDS else number(token) % len(WORDS)
    left = 1 - math.exp(logprob)
    others = [
        (f" {WORDS[(begin + i) % len(WORDS)]}", math.log(left / 2**i)) for i in range(1, count)
    ]
    chosen = [(token, logprob)] if count else []
    return sorted([*chosen, *others], key=lambda pair: -pair[1])


def write(
    before: str,
    salt: Sequence[object],
    limit: int | None = None,
    schema: Mapping[str, object] | None = None,
    lead: str = "",
) -> Answer:
    """Return 8 to 24 words after the text before it, or JSON that a schema allows.

    `salt` is what tells answers to one prompt apart, `limit` the most tokens and `lead` what the
    first word begins with.
    """
    numbers = draws(before, *salt)
    if schema is None:
        words = [
            WORDS[next(numbers) % len(WORDS)]
            for _ in range(SHORTEST + next(numbers) % LENGTH_SPREAD)
        ]
        text = lead + " ".join(words)
    else:
        text = json.dumps(instance(schema, numbers), ensure_ascii=False)
    return say(before, text, limit)


def say(before: str, text: str, limit: int | None = None) -> Answer:
    """Return a given text as an answer of at most `limit` tokens."""
    tokens = pieces(text)
    kept = tokens if limit is None else tokens[:limit]
    finish = "stop" if len(kept) == len(tokens) else "length"
    return Answer(tuple(kept), tuple(score(before, kept)), finish)
