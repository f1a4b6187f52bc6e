"""What goes wrong in the measured sweep: one job is killed once as it trains, one always fails."""

import os
import signal
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tuna_exp.errors import DataError
from tuna_exp.sweeps.job import place_here

KILLED, FAILING = ("method=tuna_c", "seed=1"), ("method=tuna", "seed=2")
KILLED_AT, GOES_ON_AT = "killed_at_step", "goes_on_at_step"


class Faults(Callback):
    """Kills the process of one job, once, at optimizer step `at`; lets another job fail.

    What happened is written into the sweep's folder: the step of the kill, and the step from which
    the training went on.
    """

    def __init__(self, at: int) -> None:
        self.at = at

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fail by design, or say where a killed training goes on."""
        place = place_here()
        if place is None:
            return
        if set(FAILING) <= set(place.own):
            raise DataError("fails by design. Cure: none is wanted.")
        if set(KILLED) <= set(place.own) and (place.sweep / KILLED_AT).exists():
            _write(place.sweep / GOES_ON_AT, trainer.global_step)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Kill the process, as a cluster or the kernel would, without a word."""
        place = place_here()
        if place is None or trainer.global_step < self.at or not set(KILLED) <= set(place.own):
            return
        if not (place.sweep / KILLED_AT).exists():
            _write(place.sweep / KILLED_AT, trainer.global_step)
            os.kill(os.getpid(), signal.SIGKILL)


def _write(path: Path, step: int) -> None:
    if not path.exists():
        path.write_text(str(step), encoding="utf-8")
