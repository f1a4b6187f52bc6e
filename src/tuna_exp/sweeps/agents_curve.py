"""A training's curve in the run of W&B's agent, by which W&B may stop it.

W&B counts rows, and compares runs at the same count: a row is one optimizer step here. Left out:
the axis of examples and tokens, which the training's own run has (`tracking.curves`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tuna_exp.sweeps.wandb_agent import agents_run
from tuna_exp.tracking.client import not_fatal
from tuna_exp.tracking.curves import STEP

if TYPE_CHECKING:
    import wandb


def curve_for_agent(training: str) -> Sequence[Callback]:
    """Return what a training of that name must carry: nothing where no agent has started us."""
    run = agents_run()
    return [] if run is None else [AgentsCurve(run, training)]


class AgentsCurve(Callback):
    """Logs a training's metrics as TRAINING/METRIC, each optimizer step once and in its order.

    A training that goes on where a run of another name had left it is not told: its first row would
    be compared with the first steps of others.
    """

    def __init__(self, run: "wandb.Run", training: str) -> None:
        self.run, self.training = run, training
        # A run that was preempted is there already.
        known: Any = run.summary
        self.told = int(known.get(f"{training}/{STEP}") or 0)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log after a whole optimizer step."""
        step = trainer.global_step
        if step != self.told + 1 or not trainer.is_global_zero:
            return
        self.told = step
        with not_fatal("a row of the agent's run"):
            values = {name: float(value) for name, value in trainer.callback_metrics.items()}
            named = {f"{self.training}/{name}": value for name, value in values.items()}
            self.run.log({**named, f"{self.training}/{STEP}": step})
