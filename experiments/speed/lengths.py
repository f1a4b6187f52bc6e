"""Batches whose lengths are those of real data and whose tokens are random.

`lengths.json` holds [prompt, response, count] for Alpaca and Super-NI (`make_lengths` wrote it).
The others are made: `rag` takes Alpaca's responses, cut at 32 tokens, and gives each a prompt of 9
to 12 times its length; `rag_8k` the same with responses of 64 to 640 tokens; `even` is 64 + 64. The
N responses of a prompt have 0.7 to 1.4 times the length of the reference.

A batch of few examples may pad much or little by chance. Of 101 seeded draws the one is taken that
is nearest to their median padding and their median size, so that one batch stands for many.
"""

import json
from collections.abc import Callable
from functools import cache
from math import log
from pathlib import Path
from random import Random
from statistics import median

from experiments.speed.cases import Case
from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.errors import ConfigError, nearest

STORED = Path(__file__).with_name("lengths.json")
SHORTEST, LONGEST = 0.7, 1.4  # of the reference's length
DRAWS = 101
MOST_TOKENS = {"rag_8k": 8192}
MOST_TOKENS_ELSE = 1024  # of prompt and response together
RAG_RESPONSE = 32
LONG_RESPONSE = (64, 640)
EVEN = 64

Pair = tuple[int, int]
Shape = list[tuple[int, list[int]]]  # the prompt's length and the responses' of each example


@cache
def histogram(name: str) -> tuple[tuple[Pair, ...], tuple[int, ...]]:
    """Return the pairs (prompt, response) that occur and how often each does."""
    found = json.loads(STORED.read_text(encoding="utf-8"))[name]
    return tuple((p, r) for p, r, _ in found), tuple(count for _, _, count in found)


def _stored(name: str, random: Random) -> Pair:
    pairs, counts = histogram(name)
    return random.choices(pairs, counts)[0]


def _rag(random: Random) -> Pair:
    response = min(_stored("alpaca", random)[1], RAG_RESPONSE)
    return round(response * random.uniform(9, 12)), response


def _rag_8k(random: Random) -> Pair:
    response = random.randint(*LONG_RESPONSE)
    return round(response * random.uniform(9, 12)), response


PROFILES: dict[str, Callable[[Random], Pair]] = {
    "alpaca": lambda random: _stored("alpaca", random),
    "superni_2shot": lambda random: _stored("superni_2shot", random),
    "rag": _rag,
    "rag_8k": _rag_8k,
    "even": lambda random: (EVEN, EVEN),
}


def batch(case: Case, seed: int, vocabulary: int) -> list[TokenizedExample]:
    """Return the case's examples: equal seeds give equal batches, in every process."""
    if case.profile not in PROFILES:
        raise ConfigError(
            f"case {case.name}: profile={case.profile} is not one of {', '.join(PROFILES)}."
            f"{nearest(case.profile, PROFILES)}"
        )
    draws = [_lengths(case, Random(f"{seed}/{case.profile}/{i}")) for i in range(DRAWS)]
    shape = typical(draws)
    random = Random(f"{seed}/tokens")
    return [_example(f"{case.name}/{i}", one, random, vocabulary) for i, one in enumerate(shape)]


def _lengths(case: Case, random: Random) -> Shape:
    """Draw the prompt's length and the responses' lengths of every example."""
    most = MOST_TOKENS.get(case.profile, MOST_TOKENS_ELSE)
    drawn = []
    for _ in range(case.prompts):
        prompt, reference = (max(2, round(n * case.scale)) for n in PROFILES[case.profile](random))
        responses = [
            max(2, round(reference * _factor(case, random))) for _ in range(case.responses)
        ]
        prompt = min(prompt, most - 2)
        drawn.append((prompt, [min(r, most - prompt) for r in responses]))
    return drawn


def _factor(case: Case, random: Random) -> float:
    return 1.0 if case.profile == "even" else random.uniform(SHORTEST, LONGEST)


def typical(draws: list[Shape]) -> Shape:
    """Return the draw whose padding and size are nearest, in ratio, to the medians."""
    middle_padding, middle_size = median(map(padding, draws)), median(map(size, draws))
    return min(
        draws,
        key=lambda one: abs(log(padding(one) / middle_padding)) + abs(log(size(one) / middle_size)),
    )


def size(shape: Shape) -> int:
    """Return the tokens that differ: every prompt once and all responses."""
    return sum(prompt + sum(responses) for prompt, responses in shape)


def padding(shape: Shape) -> float:
    """Return positions of the padded batch, one row per response, over tokens that differ."""
    longest = max(prompt + max(responses) for prompt, responses in shape)
    rows = sum(len(responses) for _, responses in shape)
    return rows * longest / size(shape)


def _example(
    name: str, lengths: tuple[int, list[int]], random: Random, vocabulary: int
) -> TokenizedExample:
    prompt, responses = lengths
    count = len(responses)
    return TokenizedExample(
        name,
        _tokens(prompt, random, vocabulary),
        tuple(_tokens(n, random, vocabulary) for n in responses),
        tuple(range(count)),
        (True,) * count,
    )


def _tokens(count: int, random: Random, vocabulary: int) -> tuple[int, ...]:
    return tuple(random.randrange(vocabulary) for _ in range(count))
