"""What all trainings share: optimizer, schedule, continuing; and the likelihood of a batch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from transformers import PreTrainedModel, get_scheduler

from tuna_exp.batching.batch import RankedBatch
from tuna_exp.batching.order import ResumableLoader
from tuna_exp.losses.head import HEADS, Head
from tuna_exp.losses.likelihood import mle_loss, token_logps
from tuna_exp.losses.step import StepSums
from tuna_exp.parallel.sharding import clip_by_norm, shard, sharded_logps
from tuna_exp.parallel.strategies import data_place, tensor_parallel_size

LogpsOf = Callable[[PreTrainedModel, RankedBatch, Head], Tensor]
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
        self.logps: LogpsOf = token_logps
        # Of what is drawn in training, such as dropout. A micro-batch draws from its own number, so
        # that a continued training draws as one that was not killed.
        self.seed = 0

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer over trainable parameters and its schedule, stepped with it."""
        optimizer = self.make_optimizer(p for p in self.model.parameters() if p.requires_grad)
        warmup = min(self.schedule.warmup_steps, self.total_steps)
        scheduler = get_scheduler(self.schedule.name, optimizer, warmup, self.total_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def configure_model(self) -> None:
        """Share the model out where the strategy leaves that to us."""
        mesh = self.device_mesh
        if mesh is not None and self.logps is token_logps:
            shard(self.model, mesh)
            self.logps = sharded_logps

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as Lightning does; where layers are shared out in two ways, by their whole norm."""
        by_norm = gradient_clip_val and gradient_clip_algorithm in (None, "norm")
        if by_norm and tensor_parallel_size(self.trainer.strategy) > 1:
            clip_by_norm(self.model.parameters(), float(gradient_clip_val or 0))
            return
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Tell the loader which micro-batch is being trained on, and seed what it draws.

        At its start and not at its end, because checkpoints are saved by callbacks, whose hooks run
        before the module's own; none is saved between start and end.
        """
        loader = self.trainer.train_dataloader
        if isinstance(loader, ResumableLoader):
            loader.trained = batch_idx + 1
        torch.manual_seed(hash((self.seed, batch_idx, data_place(self.trainer)[0])) % 2**63)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Count micro-batches as this training splits its steps: the other had other devices.

        Checkpoints hold whole steps.
        """
        taken = int(checkpoint["global_step"]) * self.trainer.accumulate_grad_batches
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for counts in (progress["total"], progress["current"]):
            # Shifted, not set: Lightning tells by their differences where it was.
            shift = taken - counts["ready"]
            counts.update({name: count + shift for name, count in counts.items()})


class Objective(Trainable):
    """Base of the objectives: scales losses so that micro-batches add up to the big batch.

    `head` names how log-probabilities are made from hidden states (`losses.head.HEADS`).
    """

    def __init__(
        self, model: PreTrainedModel, optimizer: MakeOptimizer, schedule: Schedule, head: str
    ) -> None:
        super().__init__(model, optimizer, schedule)
        self.head = head
        self.sums = StepSums()

    def likelihood(self, batch: RankedBatch) -> tuple[Tensor, Tensor]:
        """Return response tokens' log-probabilities (T,) and this share of the loss (scalar)."""
        logp_T = self.logps(self.model, batch, HEADS[self.head])
        return logp_T, mle_loss(logp_T, batch)

    @property
    def parts(self) -> int:
        """How many micro-batches make one optimizer step.

        Lightning divides by those it accumulates and averages over devices; the losses are already
        shares of the step, so the objective multiplies by this number.
        """
        return int(self.trainer.accumulate_grad_batches) * data_place(self.trainer)[1]

    def add_losses(self, batch_idx: int, **losses: Tensor) -> None:
        """Add a micro-batch's shares, scalars; with the last of a step, log all that was added."""
        for name, share in losses.items():
            self.sums.add_share(name, share)
        if (batch_idx + 1) % self.trainer.accumulate_grad_batches == 0:
            self.log_dict(self.told(), batch_size=1)

    def told(self) -> dict[str, float]:
        """Return what is logged of a step: the values of all its micro-batches and processes."""
        return self.sums.taken(tensor_parallel_size(self.trainer.strategy))
