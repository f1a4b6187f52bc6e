"""Probabilistic ranking: the teacher's own length-normalised likelihood orders its samples (Tuna-p)."""

from tuna_exp.rankers.base import ScoreRanker
from tuna_exp.records import CandidateSet


class ProbabilisticRanker(ScoreRanker):
    """Score = sum_t log p(r_t) / |r|^beta, end of sequence included (Tuna, section 3.1, equation 1)."""

    def __init__(self, length_exponent: float) -> None:
        self.length_exponent = length_exponent

    def scores(self, candidates: CandidateSet) -> list[float]:
        """Return the normalised log-likelihood of each candidate, in nats."""
        return [c.log_likelihood(self.length_exponent) for c in candidates.candidates]
