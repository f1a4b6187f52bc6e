"""Tuna-p and Tuna-c: learn an order of responses while staying likely to write good ones.

Loss = ranking_weight * L_rank + mle_weight * L_MLE (Tuna, equation 5). The two modules differ in
whose order they learn, and so in what a run starts from and is compared with, not in the formula.
"""

from dataclasses import dataclass, replace

import lightning as L
from torch import Tensor
from transformers import PreTrainedModel

from tuna_exp.batching.batch import RankedBatch
from tuna_exp.losses.callbacks import RankingLoss
from tuna_exp.losses.likelihood import summed_logps
from tuna_exp.losses.metrics import gradient_share, squared_gradients
from tuna_exp.objectives.base import MakeOptimizer, Objective, Schedule


@dataclass(frozen=True)
class Weights:
    """What the two terms of the loss count."""

    ranking: float
    mle: float


class RankingModule(Objective):
    """A ranking loss and the likelihood term.

    `gradient_share_every` is in optimizer steps; 0 turns it off.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        optimizer: MakeOptimizer,
        schedule: Schedule,
        head: str,
        ranking_loss: RankingLoss,
        weights: Weights,
        gradient_share_every: int,
    ) -> None:
        super().__init__(model, optimizer, schedule, head)
        self.ranking_loss = ranking_loss
        self.weights = weights
        self.gradient_share_every = gradient_share_every

    def configure_callbacks(self) -> list[L.Callback]:
        """Hand the ranking loss to the trainer, whose hooks it may use."""
        return [self.ranking_loss]

    def training_step(self, batch: RankedBatch, batch_idx: int) -> Tensor:
        """Return the scalar loss, times the micro-batches per step."""
        logp_T, mle = self.likelihood(batch)
        logp_C = summed_logps(logp_T, batch.response_T, batch.length_C)
        ranked = self.ranking_loss.score(logp_C, batch)
        ranking = self.ranking_loss.loss(ranked)
        loss = self.weights.ranking * ranking + self.weights.mle * mle
        every = self.gradient_share_every
        if every and self.trainer.global_step % every == 0:
            terms = self.weights.ranking * ranking, self.weights.mle * mle
            for name, square in zip(_SQUARES, squared_gradients(*terms, logp_T), strict=True):
                self.sums.add_share(name, square)
        seen = replace(ranked, score_BN=ranked.score_BN.detach())
        for name, mean in self.ranking_loss.measure(seen, logp_C.detach(), batch).items():
            self.sums.add_mean(name, mean)
        self.add_losses(batch_idx, loss=loss, ranking_loss=ranking, mle_loss=mle)
        return loss * self.parts

    def told(self) -> dict[str, float]:
        """Return what is logged of a step, with the weighted ranking term's share of gradients."""
        values = super().told()
        if all(name in values for name in _SQUARES):
            squares = [values.pop(name) for name in _SQUARES]
            values["gradient_share_ranking"] = gradient_share(*squares)
        return values


# Of the gradient at the tokens' log-probabilities, for each term.
_SQUARES = ("ranking_squares", "mle_squares")


class TunaPModule(RankingModule):
    """Probabilistic ranking: by the teacher's length-normalised likelihood (section 3.1)."""


class TunaCModule(RankingModule):
    """Contextual ranking: the student's own responses, ranked by a reading model (section 3.2)."""
