"""Probabilistic ranking: the teacher's own normalised likelihood orders its samples (Tuna-p)."""

from tuna_exp.errors import DataError
from tuna_exp.rankers.base import ScoreRanker
from tuna_exp.records import CandidateSet


class ProbabilisticRanker(ScoreRanker):
    """Score = sum_t log p(r_t) / |r|^beta, end of sequence included (Tuna, section 3.1, eq. 1)."""

    def __init__(self, length_exponent: float) -> None:
        self.length_exponent = length_exponent

    def scores(self, candidates: CandidateSet) -> list[float]:
        """Return the normalised log-likelihood of each candidate, in nats.

        Raises DataError where a candidate has no token log-probabilities.
        """
        if not all(c.token_logprobs for c in candidates.candidates):
            raise DataError(
                f"a response to '{candidates.instruction.id}' has no token log-probabilities, "
                "which ranker=probabilistic orders by. Cure: an LLM that gives them "
                "(teacher=hugging_face), or another ranker."
            )
        return [c.log_likelihood(self.length_exponent) for c in candidates.candidates]
