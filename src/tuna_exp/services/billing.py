"""What a step will cost before anything is asked, as an expectation and as a bound.

The bound holds whatever a service answers: no token is shorter than a byte, and no answer longer
than it may be. The expectation takes four bytes a token and answers as long as the dataset's own
(half of what they may have where it has none). Left out: prompt caches, which only make it less.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    text, answers = sum(one.text for one in asked), sum(one.answers for one in asked)
    read, generated = text / BYTES_PER_TOKEN, answers * length
    bound = sum(_most(llm, llm.unpaid(instructions, *drawn), drawn[0]) for drawn in again)
    bound += _most(llm, asked, decoding)
    return Bill(len(asked), read, generated, llm.usd(read, generated), bound)


def _most(llm: LLM, asked: Sequence[Unpaid], decoding: Decoding) -> float:
    """Return the most that requests can cost, in dollars."""
    read = sum(one.text + PROMPT_BYTES for one in asked)
    return llm.usd(read, sum(one.answers for one in asked) * decoding.max_new_tokens)


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
    read = questions * (PROMPT_TOKENS + words / BYTES_PER_TOKEN + shown)
    generated = questions * decoding.max_new_tokens / 2
    longest = sampling.responses * sampling.max_new_tokens * BYTES_PER_TOKEN
    most_read = questions * (PROMPT_BYTES + words + longest)
    return Bill(
        questions,
        read,
        generated,
        judge.usd(read, generated),
        judge.usd(most_read, questions * decoding.max_new_tokens),
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
