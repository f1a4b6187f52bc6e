"""The truth as a ranker, for datasets that can tell right from wrong: how good could ranking be?"""

from collections.abc import Sequence

from tuna_exp.datasets.verifiable import verify
from tuna_exp.rankers.base import ScoreRanker, require_check
from tuna_exp.records import CandidateSet, Instruction


class VerifierRanker(ScoreRanker):
    """Score = what the instruction's checker gives the response, in [0, 1]."""

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError where an instruction has no checker."""
        require_check("ranker=verifier", instructions)

    def scores(self, candidates: CandidateSet) -> list[float]:
        """Return the checker's partial score of each candidate."""
        return [verify(candidates.instruction, c.text).score for c in candidates.candidates]
