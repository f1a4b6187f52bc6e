"""What all trainings share: optimizer, schedule, continuing; and the likelihood of a batch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import lightning as L
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from transformers import PreTrainedModel, get_scheduler

from tuna_exp.batching.batch import RankedBatch
from tuna_exp.batching.order import ResumableLoader
from tuna_exp.losses.head import HEADS
from tuna_exp.losses.likelihood import mle_loss, token_logps

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]


@dataclass(frozen=True)
class Schedule:
    """Learning-rate schedule: a name that transformers knows, its warm-up in optimizer steps."""

    name: str
    warmup_steps: int


class Trainable(L.LightningModule):
    """A model with its optimizer and schedule, whose training continues where it was killed."""

    def __init__(
        self, model: PreTrainedModel, optimizer: MakeOptimizer, schedule: Schedule
    ) -> None:
        super().__init__()
        self.model = model
        self.make_optimizer = optimizer
        self.schedule = schedule
        # Optimizer steps of the run, told by the stage. Asking the trainer
        # (estimated_stepping_batches) would start the loader before a checkpoint has told it where
        # to continue.
        self.total_steps = 0

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer over trainable parameters and its schedule, stepped with it."""
        optimizer = self.make_optimizer(p for p in self.model.parameters() if p.requires_grad)
        warmup = min(self.schedule.warmup_steps, self.total_steps)
        scheduler = get_scheduler(self.schedule.name, optimizer, warmup, self.total_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Tell the loader which micro-batch is being trained on.

        At its start and not at its end, because checkpoints are saved by callbacks, whose hooks run
        before the module's own; none is saved between start and end.
        """
        loader = self.trainer.train_dataloader
        if isinstance(loader, ResumableLoader):
            loader.trained = batch_idx + 1


class Objective(Trainable):
    """Base of the objectives: scales losses so that micro-batches add up to the big batch.

    `head` names how log-probabilities are made from hidden states (`losses.head.HEADS`).
    """

    def __init__(
        self, model: PreTrainedModel, optimizer: MakeOptimizer, schedule: Schedule, head: str
    ) -> None:
        super().__init__(model, optimizer, schedule)
        self.head = head

    def likelihood(self, batch: RankedBatch) -> tuple[Tensor, Tensor]:
        """Return response tokens' log-probabilities (T,) and this share of the loss (scalar)."""
        logp_T = token_logps(self.model, batch, HEADS[self.head])
        return logp_T, mle_loss(logp_T, batch)

    @property
    def parts(self) -> int:
        """How many micro-batches make one optimizer step.

        Lightning divides by those it accumulates and averages over devices; the losses are already
        shares of the step, so the objective multiplies by this number.
        """
        return int(self.trainer.accumulate_grad_batches) * self.trainer.world_size

    def log_losses(self, batch: RankedBatch, **losses: Tensor) -> None:
        """Log scalars scaled to a whole step; accumulating, each is one micro-batch's estimate."""
        values = {name: loss.detach() * self.parts for name, loss in losses.items()}
        self.log_dict(values, batch_size=len(batch.rank_BN), sync_dist=self.trainer.world_size > 1)
