"""What a ranker is: candidate sets in, ranked examples out, refusals where there is no order."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tuna_exp.errors import ConfigError
from tuna_exp.records import (
    CandidateSet,
    Instruction,
    Judgement,
    RankedExample,
    Record,
    Usage,
)


def ranker_of(manifest: Mapping[str, Any]) -> str:
    """Return the name of the ranker that made a ranking, from the ranking's manifest."""
    name = manifest["settings"].get("ranker", {}).get("ranker", "published")
    return str(name).removesuffix("Ranker").lower()


class Refusal(Record):
    """A set that the ranker gave no usable order for: what kind of failure, and its raw words.

    `usage` and `judgements` as of a `RankedExample`.
    """

    instruction_id: str
    kind: str
    raw: str
    usage: Usage = Usage()
    judgements: tuple[Judgement, ...] = ()


Outcome = RankedExample | Refusal


class Ranker(Protocol):
    """Puts responses in order, `batch_size` sets at a time. Made cheaply, it loads when used."""

    @property
    def batch_size(self) -> int:
        """How many sets to rank together."""

    def digest(self) -> dict[str, object]:
        """Return what decides the order, as JSON values."""

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError where these cannot be ranked, before anything is loaded."""

    def questions(self, responses: int) -> int:
        """Return how many questions a judge is asked at most about a set of so many responses."""

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Return one outcome per set, in the same order."""

    def release(self) -> None:
        """Let go of what was loaded to rank with; the next `rank` loads it again."""


class ScoreRanker:
    """Base of rankers that give each response a number, higher is better; equal numbers tie."""

    batch_size = 64

    def digest(self) -> dict[str, object]:
        """Return the class and what its constructor stored."""
        return {"ranker": type(self).__name__, **vars(self)}

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Any instruction will do."""

    def questions(self, responses: int) -> int:
        """Nobody is asked."""
        return 0

    def scores(self, candidates: CandidateSet) -> list[float]:
        """Return one score per candidate."""
        raise NotImplementedError(
            f"{type(self).__name__} must define scores(candidates) -> list of float"
        )

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Rank each set by its scores."""
        return [
            RankedExample.from_scores(s.instruction, [c.text for c in s.candidates], self.scores(s))
            for s in sets
        ]

    def release(self) -> None:
        """Nothing was loaded."""


def require_check(ranker: str, instructions: Sequence[Instruction]) -> None:
    """Raise ConfigError unless every instruction says how a response is verified."""
    without = [i.id for i in instructions if i.check is None]
    if without:
        raise ConfigError(
            f"{ranker} needs instructions with a checker, but {len(without)} of "
            f"{len(instructions)} have none (first: '{without[0]}'). Only dataset=verifiable has "
            "them. Cure: ranker=contextual."
        )


def require_reference(ranker: str, instructions: Sequence[Instruction]) -> None:
    """Raise ConfigError unless every instruction has a response of the dataset's own."""
    without = [i.id for i in instructions if not i.reference]
    if without:
        raise ConfigError(
            f"{ranker} compares with the dataset's own responses, but {len(without)} of "
            f"{len(instructions)} instructions have none (first: '{without[0]}'). Cure: a dataset "
            "with responses, or ranker=contextual."
        )


def different(candidates: CandidateSet) -> list[str]:
    """Return the different texts of a set, in the order they were sampled."""
    return list(dict.fromkeys(candidate.text for candidate in candidates.candidates))
