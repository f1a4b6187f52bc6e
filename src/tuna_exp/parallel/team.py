"""The processes of one training: the first one leads, the others are told what to train.

Only the leader runs the recipe. The others wait for its word, train along and wait again, however
long it samples or ranks in between; they write nothing. Where a launcher has started the processes
(torchrun, srun) all of them are there from the beginning; else the leader starts the others on this
machine when the first training is due (`local`).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import Trainer
from torch._C._distributed_c10d import Store

# How long the others wait for the leader's next word: a recipe may sample for weeks.
_PATIENCE = timedelta(days=365)
# Within a training: how long the others are waited for. Saving a large model takes minutes.
_LONGEST_STEP = timedelta(hours=1)


@dataclass(frozen=True)
class Call:
    """A training that all take part in: its objective's name, the model it starts from, where."""

    name: str
    start: Path
    folder: Path
    inputs: Mapping[str, Path]


class Team:
    """One process alone, with nobody to call."""

    rank = 0
    size = 1

    @contextmanager
    def together(self, call: Call) -> Iterator[None]:
        """Have all take part in a training that this process begins now, and leads."""
        yield

    def plugins(self) -> list[Any]:
        """Return what a trainer must be given to know this process's place."""
        return []

    def hear(self) -> Call | None:
        """Wait for the leader's next word; None where nothing is trained any more."""
        return None

    def dismiss(self) -> None:
        """Let the others go; nothing is trained any more."""


class Joined(Team):
    """Processes that are connected.

    What they tell one another goes over the CPU, whatever they train on.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size
        self.training = False
        self._group = dist.new_group(backend="gloo", timeout=_PATIENCE)

    @contextmanager
    def together(self, call: Call) -> Iterator[None]:
        """Tell the others what is trained now, and train it."""
        self._say(call)
        self.training = True  # until its end: nobody listens in the middle of one that failed
        yield
        self.training = False

    def hear(self) -> Call | None:
        """Wait for the leader's next word; None where nothing is trained any more."""
        return self._say(None)

    def _say(self, word: Call | None) -> Call | None:
        words = [word]
        dist.broadcast_object_list(words, src=0, group=self._group)
        return words[0]

    def dismiss(self) -> None:
        """Let the others go, and leave."""
        if self.rank == 0 and not self.training:
            with suppress(RuntimeError):  # who is gone needs no word
                self._say(None)
        if dist.is_initialized():
            dist.destroy_process_group()


def join(trainer: Trainer, store: Store | None = None) -> Joined:
    """Connect this process to the others that a trainer's strategy knows of.

    Lightning then uses this connection instead of making one. The others are met at `store`, or at
    the address that their launcher told.
    """
    strategy: Any = trainer.strategy
    if store is None:
        os.environ["MASTER_ADDR"] = strategy.cluster_environment.main_address
        os.environ["MASTER_PORT"] = str(strategy.cluster_environment.main_port)
    on_gpu = strategy.root_device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(strategy.root_device)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        rank=trainer.global_rank,
        world_size=trainer.world_size,
        store=store,
        timeout=_LONGEST_STEP,
    )
    return Joined(trainer.global_rank, trainer.world_size)


def everyone(own: Any) -> list[Any]:
    """Return what each process has, in the order of ranks; all call it together."""
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, own)
    return found


def from_leader(own: Any) -> Any:
    """Return what the first process has; all call it together."""
    if not (dist.is_available() and dist.is_initialized()):
        return own
    words = [own]
    dist.broadcast_object_list(words, src=0)
    return words[0]
