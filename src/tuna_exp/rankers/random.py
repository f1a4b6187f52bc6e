"""A ranker that knows nothing: the control every other ranker must beat."""

from random import Random

from tuna_exp.rankers.base import ScoreRanker
from tuna_exp.records import CandidateSet


class RandomRanker(ScoreRanker):
    """A random order without ties, the same for the same seed and instruction."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def scores(self, candidates: CandidateSet) -> list[float]:
        """Return one random number in [0, 1) per candidate."""
        random = Random(f"{self.seed}/{candidates.instruction.id}")
        return [random.random() for _ in candidates.candidates]
