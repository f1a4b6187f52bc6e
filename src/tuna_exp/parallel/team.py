"""The processes of one training: the first one leads, the others are told what to train.

Only the leader runs the recipe. The others wait for its word, train along and wait again, however
long it samples or ranks in between; they write nothing. Where a launcher has started the processes
(torchrun, srun) all of them are there from the beginning; else the leader starts the others on this
machine when the first training is due (`local`).
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import Trainer
from torch._C._distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from tuna_exp.parallel.contact import in_contact

# Within a training: how long the others are waited for. Saving a large model takes minutes.
_LONGEST_STEP = timedelta(hours=1)
_LEAVING = 10.0  # seconds that the leader gives the others to hear its last word
_POLL = 0.2
_LEFT = "left"


@dataclass(frozen=True)
class Call:
    """A training that all take part in: its objective's name, the model it starts from, where."""

    name: str
    start: Path
    folder: Path
    inputs: Mapping[str, Path]

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def of_text(cls, text: str | bytes) -> "Call | None":
        """Read what `text` has written; None where nothing is trained any more."""
        told = json.loads(text)
        if told is None:
            return None
        inputs = {name: Path(folder) for name, folder in told["inputs"].items()}
        return cls(told["name"], Path(told["start"]), Path(told["folder"]), inputs)


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

    The leader leaves its words at a store, where the others look: one that waits within a library
    for a word, as for a broadcast, would not hear that it is told to end.
    """

    def __init__(self, rank: int, size: int, store: Store) -> None:
        self.rank = rank
        self.size = size
        self.training = False
        self._store = PrefixStore("team", store)
        self._words = 0  # said, or heard

    @contextmanager
    def together(self, call: Call) -> Iterator[None]:
        """Tell the others what is trained now, and train it. Raises LostError where one is gone."""
        with in_contact():
            self._say(call)
            self.training = True  # until its end: nobody listens in the middle of one that failed
            yield
            self.training = False

    def hear(self) -> Call | None:
        """Wait for the leader\x27s next word; None where nothing is trained any more."""
        key = self._next()
        while not self._store.check([key]):
            time.sleep(_POLL)
        return Call.of_text(self._store.get(key))

    def _say(self, word: Call | None) -> None:
        self._store.set(self._next(), word.text() if word else "null")

    def _next(self) -> str:
        self._words += 1
        return f"word/{self._words}"

    def dismiss(self) -> None:
        """Let the others go, and leave."""
        with suppress(dist.DistError):  # who is gone needs no word
            if self.rank:
                self._store.add(_LEFT, 1)
            elif not self.training:
                self._say(None)
                self._see_off()
        if dist.is_initialized():
            dist.destroy_process_group()

    def _see_off(self) -> None:
        """Wait until the others have heard the last word: the store may end with this process."""
        until = time.monotonic() + _LEAVING
        while self._store.add(_LEFT, 0) < self.size - 1 and time.monotonic() < until:
            time.sleep(_POLL / 10)


def join(trainer: Trainer, store: Store | None = None) -> Joined:
    """Connect this process to the others that a trainer's strategy knows of.

    Lightning then uses this connection instead of making one. The others are met at `store`, or at
    the address that their launcher told.
    """
    strategy: Any = trainer.strategy
    if store is None:
        os.environ["MASTER_ADDR"] = strategy.cluster_environment.main_address
        os.environ["MASTER_PORT"] = str(strategy.cluster_environment.main_port)
        place = (trainer.global_rank, trainer.world_size)
        store, *_ = next(rendezvous("env://", *place, timeout=_LONGEST_STEP))
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
    return Joined(trainer.global_rank, trainer.world_size, store)


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
