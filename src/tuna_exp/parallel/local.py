"""Processes that the leader starts on its own machine, when the first training is due.

Not by Lightning's launcher, which types the command line anew for each: in a sweep that would be
the whole sweep. They read the run's saved settings instead, and end with the leader, however it
ends.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Trainer
from torch._C._distributed_c10d import TCPStore

from tuna_exp.errors import UserError
from tuna_exp.parallel.contact import LostError, in_contact
from tuna_exp.parallel.launched import LEADER, STORE
from tuna_exp.parallel.team import Call, Joined, Team, join
from tuna_exp.parallel.watching import ended, reason, watched

HOST = "127.0.0.1"
_JOINING = 600.0  # seconds for all to have started
_ENDING = 20.0  # seconds that they get to end by themselves
_BREAKING_OFF = 5.0  # the same, in the middle of a training that has failed
_POLL = 0.1


class Leader(LightningEnvironment):
    """Tells Lightning that the other processes are there already."""

    @property
    def creates_processes_externally(self) -> bool:
        """Yes: they are started here."""
        return True


class Local(Team):
    """The leader of processes on this machine.

    `trainer` makes a trainer that is only asked about its strategy, given plugins; `output` is the
    run's folder, with its settings.
    """

    def __init__(self, trainer: Callable[..., Trainer], output: Path) -> None:
        self.trainer = trainer
        self.output = output
        self._joined: Joined | None = None
        self._others: dict[int, subprocess.Popen[bytes]] = {}

    def plugins(self) -> list[Any]:
        """Return the environment in which this process is the first one."""
        return [Leader()]

    @contextmanager
    def together(self, call: Call) -> Iterator[None]:
        """Start the others if they are not there, and train with them.

        Raises UserError with the last words of one that failed, RuntimeError with those of a fault
        of ours, and Terminated where one was told to end.
        """
        if ended(self._others):
            self.dismiss()  # one was lost while nothing was trained: all are started anew
        try:
            self._joined = self._joined or self._gathered()
            with watched(self._others, self._screen), self._joined.together(call):
                yield
        except LostError as error:
            # In place of the broken connection, which is the user's to mend where a fault is not.
            raise reason(self._others, self._screen) or error from None

    def _gathered(self) -> Joined:
        trainer = self.trainer(plugins=self.plugins())
        size = trainer.world_size
        store = TCPStore(HOST, 0, size, is_master=True, wait_for_workers=False)
        self._others = {rank: self._started(rank, size, store.port) for rank in range(1, size)}
        until = time.monotonic() + _JOINING
        while not store.check([here(rank) for rank in self._others]):
            if ended(self._others):
                raise LostError("a process of the training did not start")
            if time.monotonic() > until:
                raise UserError(
                    f"the other processes of the training did not start within {_JOINING:.0f} s. "
                    f"Cure: see {self._screen(1)}, or trainer.devices=1 strategy=single."
                )
            time.sleep(_POLL)
        with watched(self._others, self._screen), in_contact():
            return join(trainer, store)

    def _started(self, rank: int, size: int, port: int) -> "subprocess.Popen[bytes]":
        place = {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "NODE_RANK": 0,
            "WORLD_SIZE": size,
            STORE: port,
            LEADER: os.getpid(),
        }
        environment = os.environ | {name: str(value) for name, value in place.items()}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        with self._screen(rank).open("wb") as screen:
            return subprocess.Popen(
                [sys.executable, "-m", "tuna_exp.parallel.following", str(self.output)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=screen,
                start_new_session=True,  # Ctrl-C is for the leader, who ends the others
            )

    def _screen(self, rank: int) -> Path:
        return self.output / f"process-{rank}.log"

    def dismiss(self) -> None:
        """Let the others go, and see that they went.

        Those in the middle of a training wait for what will not come, and hear nothing: they are
        ended before this process leaves, which would wait for them in turn.
        """
        orderly = self._joined is not None and not self._joined.training
        if self._joined and orderly:
            self._joined.dismiss()
        else:
            for other in self._others.values():
                other.terminate()
        until = time.monotonic() + (_ENDING if orderly else _BREAKING_OFF)
        for other in self._others.values():
            try:
                other.wait(max(until - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                other.kill()
                other.wait()
        if self._joined and not orderly:
            self._joined.dismiss()
        self._joined, self._others = None, {}


def here(rank: int) -> str:
    """Return the key by which a process says that it has started."""
    return f"here/{rank}"


def leaders_store() -> TCPStore:
    """Return the place where the leader of this process is met."""
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    store = TCPStore(HOST, int(os.environ[STORE]), size, is_master=False)
    store.set(here(rank), "")
    return store
