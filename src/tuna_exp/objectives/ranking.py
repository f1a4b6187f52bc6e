"""Tuna-p and Tuna-c: learn an order of responses while staying likely to write good ones.

Loss = ranking_weight * L_rank + mle_weight * L_MLE (Tuna, equation 5). The two modules differ in
whose order they learn, and so in what a run starts from and is compared with, not in the formula.
"""

from dataclasses import dataclass
from typing import Any

import lightning as L
from torch import Tensor
from transformers import PreTrainedModel

from tuna_exp.batching.batch import RankedBatch
from tuna_exp.losses.callbacks import RankingLoss
from tuna_exp.losses.likelihood import summed_logps
from tuna_exp.losses.metrics import gradient_share
from tuna_exp.objectives.base import MakeOptimizer, Objective, Schedule


@dataclass(frozen=True)
class Weights:
    """What the two terms of the loss count."""

    ranking: float
    mle: float


class RankingModule(Objective):
    """A ranking loss and the likelihood term.

    `gradient_share_every` is in micro-batches; 0 turns it off.
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
        """Hand the ranking loss to the trainer, which calls it to log."""
        return [self.ranking_loss]

    def training_step(self, batch: RankedBatch, batch_idx: int) -> dict[str, Any]:
        """Return the scalar loss, times the micro-batches per step, and what the callback logs."""
        logp_T, mle = self.likelihood(batch)
        logp_C = summed_logps(logp_T, batch.response_T, batch.length_C)
        ranked = self.ranking_loss.score(logp_C, batch)
        ranking = self.ranking_loss.loss(ranked)
        loss = self.weights.ranking * ranking + self.weights.mle * mle
        self.log_losses(batch, loss=loss, ranking_loss=ranking, mle_loss=mle)
        self._log_gradient_share(ranking, mle, logp_T, batch_idx)
        ranked.score_BN = ranked.score_BN.detach()
        return {"loss": loss * self.parts, "ranked": ranked, "logp_C": logp_C.detach()}

    def _log_gradient_share(
        self, ranking: Tensor, mle: Tensor, logp_T: Tensor, batch_idx: int
    ) -> None:
        """Log the weighted ranking term's share, a scalar, of the gradient at logp_T, (T,)."""
        every = self.gradient_share_every
        if every and batch_idx % every == 0:
            share = gradient_share(self.weights.ranking * ranking, self.weights.mle * mle, logp_T)
            self.log("gradient_share_ranking", share)


class TunaPModule(RankingModule):
    """Probabilistic ranking: by the teacher's length-normalised likelihood (section 3.1)."""


class TunaCModule(RankingModule):
    """Contextual ranking: the student's own responses, ranked by a reading model (section 3.2)."""
