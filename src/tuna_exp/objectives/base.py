"""What all objectives share: the optimizer, the schedule and the likelihood of a batch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import lightning as L
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from transformers import PreTrainedModel, get_scheduler

from tuna_exp.batching.batch import RankedBatch
from tuna_exp.batching.order import ResumableLoader
from tuna_exp.losses.likelihood import mle_loss, token_logps

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]


@dataclass(frozen=True)
class Schedule:
    """Learning-rate schedule: a name that transformers knows, and its warm-up in optimizer steps."""

    name: str
    warmup_steps: int


class Objective(L.LightningModule):
    """Base of the objectives: scales losses so that a step's micro-batches add up to the big batch."""

    def __init__(self, model: PreTrainedModel, optimizer: MakeOptimizer, schedule: Schedule) -> None:
        super().__init__()
        self.model = model
        self.make_optimizer = optimizer
        self.schedule = schedule

    def configure_optimizers(self) -> dict[str, Any]:
        """Return the optimizer over trainable parameters and the schedule, stepped at each optimizer step."""
        optimizer = self.make_optimizer(p for p in self.model.parameters() if p.requires_grad)
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = min(self.schedule.warmup_steps, steps)
        scheduler = get_scheduler(self.schedule.name, optimizer, warmup, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def likelihood(self, batch: RankedBatch) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities of response tokens (T,) and this share of the likelihood loss (scalar)."""
        logp_T = token_logps(self.model, batch)
        return logp_T, mle_loss(logp_T, batch)

    @property
    def parts(self) -> int:
        """How many micro-batches make one optimizer step.

        Lightning divides by those it accumulates and averages over devices; the losses are already
        shares of the step, so the objective multiplies by this number.
        """
        return int(self.trainer.accumulate_grad_batches) * self.trainer.world_size

    def log_losses(self, batch: RankedBatch, **losses: Tensor) -> None:
        """Log scalars, averaged over the step's micro-batches to the value of the whole step."""
        values = {name: loss.detach() * self.parts for name, loss in losses.items()}
        self.log_dict(values, batch_size=len(batch.rank_BN), sync_dist=self.trainer.world_size > 1)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Tell the loader which micro-batch is being trained on.

        At its start and not at its end, because checkpoints are saved by callbacks, whose hooks run
        before the module's own; none is saved between start and end.
        """
        loader = self.trainer.train_dataloader
        if isinstance(loader, ResumableLoader):
            loader.trained = batch_idx + 1
