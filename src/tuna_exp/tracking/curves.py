"""A training's curve in its W&B run, over examples seen or tokens trained on.

Lightning's own logger is not used: it defines the optimizer step as the axis of every metric, which
says nothing where batches differ, and warns of a run that is there already.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from tuna_exp.tracking.client import not_fatal
from tuna_exp.tracking.settings import Axis

if TYPE_CHECKING:
    import wandb

AXES: tuple[Axis, ...] = ("examples", "tokens")
STEP = "optimizer_step"


class Seen(Callback):
    """Logs how many examples and tokens have been trained on, epochs repeated, to every logger."""

    def __init__(self) -> None:
        self.examples: list[int] = []
        self.tokens: list[int] = []

    def count(self, steps: Sequence[Sequence[int]], tokens: Sequence[int]) -> None:
        """Be told which examples each optimizer step of the whole run has, and tokens of examples.

        A continued training counts on, as the whole run is known.
        """
        self.examples = list(accumulate(map(len, steps)))
        self.tokens = list(accumulate(sum(tokens[i] for i in step) for step in steps))

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log the counts at the end of the optimizer step that the micro-batch belongs to."""
        step = batch_idx // trainer.accumulate_grad_batches
        values = {"examples": float(self.examples[step]), "tokens": float(self.tokens[step])}
        pl_module.log_dict(values, batch_size=1)


class Curves(Logger):
    """Writes what Lightning logs to a W&B run that is there already, and is ended elsewhere."""

    def __init__(self, run: "wandb.Run", axis: Axis) -> None:
        super().__init__()
        self.run = run
        with not_fatal("the axes"):
            for name in (*AXES, STEP):
                run.define_metric(name, hidden=True)
            run.define_metric("*", step_metric=axis)

    @property
    def name(self) -> str:
        """The run's project."""
        return str(self.run.project)

    @property
    def version(self) -> str:
        """The run's id."""
        return str(self.run.id)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log one row; W&B counts rows by itself, so that a continued run never goes back."""
        with not_fatal("a row of the curve"):
            self.run.log({**metrics, STEP: step})

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Log nothing: the run was told its settings when it began."""
