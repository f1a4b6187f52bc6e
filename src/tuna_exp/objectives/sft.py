"""Supervised fine-tuning on the dataset's own responses."""

from torch import Tensor

from tuna_exp.batching.batch import RankedBatch
from tuna_exp.objectives.base import Objective


class SFTModule(Objective):
    """Token mean of the negative log-likelihood over the step (Tuna, section 2)."""

    def training_step(self, batch: RankedBatch, batch_idx: int) -> Tensor:
        """Return the scalar loss, times the number of micro-batches of the step."""
        _, mle = self.likelihood(batch)
        self.add_losses(batch_idx, loss=mle, mle_loss=mle)
        return mle * self.parts
