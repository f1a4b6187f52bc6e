"""A process of a training that ends in some way at some step, where the environment says so."""

import os
import signal
from collections.abc import Callable
from typing import Any

import lightning as L
from lightning import Callback, Trainer
from torch import Tensor

from tuna_exp.errors import DataError

# RANK:STEP:HOW; RANK "all" is each of them.
WHEN = "TUNA_EXP_TEST_DEATH"
NO_MEMORY = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"


def _send(number: int) -> None:
    os.kill(os.getpid(), number)


def _raise(error: Exception) -> None:
    raise error


HOW: dict[str, Callable[[], None]] = {
    "SIGTERM": lambda: _send(signal.SIGTERM),
    "SIGKILL": lambda: _send(signal.SIGKILL),
    "DataError": lambda: _raise(DataError("record 7 is damaged. Cure: mend record 7.")),
    "memory": lambda: _raise(RuntimeError(NO_MEMORY)),
    "fault": lambda: _raise(ZeroDivisionError("a slip")),
}


class Dies(Callback):
    """Ends its process before a step's forward pass; "backward" runs out of memory later.

    It does so at the last gradient, when the others' are being added up already.
    """

    def _due(self, trainer: Trainer) -> str:
        rank, step, how = os.environ.get(WHEN, "no:0:0").split(":")
        due = rank in ("all", str(trainer.global_rank)) and trainer.global_step == int(step)
        return how if due else ""

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if (how := self._due(trainer)) in HOW:
            HOW[how]()

    def on_before_backward(
        self, trainer: Trainer, pl_module: L.LightningModule, loss: Tensor
    ) -> None:
        if self._due(trainer) == "backward":
            first: Any = next(pl_module.parameters())
            first.register_hook(lambda _: HOW["memory"]())
