"""What a step will cost before anything is asked, as an expectation and as a bound.

The bound holds whatever a service answers: no token is shorter than a byte, and no answer longer
than it may be. The expectation takes four bytes a token and answers as long as the dataset's own
(half of what they may have where it has none). Left out: prompt caches, which only make it less.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

from tuna_exp.llms.base import LLM, Unpaid
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Instruction

BYTES_PER_TOKEN = 4
# Of a judge's prompt without instruction and responses; the longest of ours has fewer.
PROMPT_BYTES = 2_500
PROMPT_TOKENS = 350


@dataclass(frozen=True)
class Bill:
    """Requests still to be made, tokens and dollars expected, and the most they can cost."""

    requests: int = 0
    read: float = 0.0
    generated: float = 0.0
    usd: float = 0.0
    bound: float = 0.0

    def __add__(self, other: "Bill") -> "Bill":
        """Sum of each."""
        return Bill(
            self.requests + other.requests,
            self.read + other.read,
            self.generated + other.generated,
            self.usd + other.usd,
            self.bound + other.bound,
        )


class Asker(Protocol):
    """A ranker, or a judge of pairs: it may ask an LLM questions about responses."""

    def questions(self, responses: int) -> int:
        """Return how many questions are asked at most about a set of so many responses."""


def answering(
    llm: LLM,
    instructions: Sequence[Instruction],
    decoding: Decoding,
    seed: int,
    again: Sequence[tuple[Decoding, int]] = (),
) -> Bill:
    """Return what answers to these instructions will cost; what is in the ledger costs nothing.

    `again` are decoding and seed of each time that sets may be drawn anew: it is expected that none
    is, and all may be.
    """
    if not llm.usd(1e6, 1e6):
        return Bill()
    length = expected_length(instructions, decoding)
    asked = llm.unpaid(instructions, decoding, seed)
    expected = [(one.text / BYTES_PER_TOKEN, one.answers * length) for one in asked]
    bound = _usd(llm, _most(asked, decoding))
    for hotter, other in again:
        bound += _usd(llm, _most(llm.unpaid(instructions, hotter, other), hotter))
    read, generated = sum(r for r, _ in expected), sum(g for _, g in expected)
    return Bill(len(asked), read, generated, _usd(llm, expected), bound)


def _most(asked: Sequence[Unpaid], decoding: Decoding) -> list[tuple[float, float]]:
    """Return the most tokens that each request can read and generate."""
    longest = decoding.max_new_tokens
    return [(one.text + PROMPT_BYTES, one.answers * longest) for one in asked]


def _usd(llm: LLM, requests: Sequence[tuple[float, float]]) -> float:
    """Return what requests cost by tokens read and generated, in dollars.

    At the price of the longest: of some models a token costs more in a long prompt, but never for
    how many prompts there are.
    """
    longest = ceil(max((read for read, _ in requests), default=0)) or 1
    prompt = llm.usd(longest, 0)
    per_answer_token = (llm.usd(longest, 1_000) - prompt) / 1_000
    read, generated = sum(r for r, _ in requests), sum(g for _, g in requests)
    return read * prompt / longest + generated * per_answer_token


def ranking(
    ranker: Asker, instructions: Sequence[Instruction], sampling: Decoding, sets: int
) -> Bill:
    """Return what ranking `sets` sets of responses to these instructions will cost.

    The responses are not there yet: what a question shows is at most all of a set.
    """
    bills = [
        _judging(asked, judge, instructions, sampling, sets) for asked, judge in judges(ranker)
    ]
    return sum(bills, Bill())


def _judging(
    ranker: Asker, judge: LLM, instructions: Sequence[Instruction], sampling: Decoding, sets: int
) -> Bill:
    if not judge.usd(1e6, 1e6):
        return Bill()
    decoding: Decoding = getattr(ranker, "decoding", None) or ranker.asking.decoding  # type: ignore[attr-defined]
    questions = sets * ranker.questions(sampling.responses)
    words = sum(len(i.text.encode()) for i in instructions) / max(len(instructions), 1)
    shown = sampling.responses * expected_length(instructions, sampling)
    read = PROMPT_TOKENS + words / BYTES_PER_TOKEN + shown
    generated = decoding.max_new_tokens / 2
    longest = sampling.responses * sampling.max_new_tokens * BYTES_PER_TOKEN
    most_read = PROMPT_BYTES + words + longest
    usd = _usd(judge, [(read, generated)])
    bound = _usd(judge, [(most_read, decoding.max_new_tokens)])
    return Bill(
        questions, questions * read, questions * generated, questions * usd, questions * bound
    )


def expected_length(instructions: Sequence[Instruction], decoding: Decoding) -> float:
    """Return about how many tokens an answer has."""
    known = [len(i.reference.encode()) / BYTES_PER_TOKEN for i in instructions if i.reference]
    own = sum(known) / len(known) if known else decoding.max_new_tokens / 2
    return min(own, decoding.max_new_tokens)


def judges(ranker: Any) -> Iterator[tuple[Asker, LLM]]:
    """Return the rankers in a ranker that ask an LLM, each with that LLM."""
    judge = getattr(ranker, "judge", None)
    if judge is not None:
        yield ranker, judge
    for member in getattr(ranker, "members", {}).values():
        yield from judges(member)
