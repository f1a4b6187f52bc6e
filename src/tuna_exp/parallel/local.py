"""Processes that the leader starts on its own machine, when the first training is due.

Not by Lightning's launcher, which types the command line anew for each: in a sweep that would be
the whole sweep. They read the run's saved settings instead, and end with the leader, however it
ends.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Trainer
from torch._C._distributed_c10d import TCPStore

from tuna_exp.errors import UserError
from tuna_exp.parallel.team import Call, Joined, Team, join

HOST = "127.0.0.1"
STORE = "TUNA_EXP_STORE"  # the port at which the leader is met
_JOINING = 600.0  # seconds for all to have started
_ENDING = 20.0  # seconds that they get to end by themselves
_TOLD = 5  # last lines of what a process wrote that are shown
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
        self._others: list[subprocess.Popen[bytes]] = []

    def plugins(self) -> list[Any]:
        """Return the environment in which this process is the first one."""
        return [Leader()]

    @contextmanager
    def together(self, call: Call) -> Iterator[None]:
        """Start the others if they are not there, and train with them.

        Raises UserError with the last words of one that failed.
        """
        try:
            joined = self._joined = self._joined or self._gathered()
            with joined.together(call):
                yield
        except Exception as error:
            told = self._failure()
            if told is None or isinstance(error, UserError):
                raise
            raise told from error

    def _gathered(self) -> Joined:
        trainer = self.trainer(plugins=self.plugins())
        size = trainer.world_size
        store = TCPStore(HOST, 0, size, is_master=True, wait_for_workers=False)
        self._others = [self._started(rank, size, store.port) for rank in range(1, size)]
        until = time.monotonic() + _JOINING
        while not store.check([here(rank) for rank in range(1, size)]):
            if any(other.poll() is not None for other in self._others) or time.monotonic() > until:
                raise UserError(f"the other processes of the training did not start: {self.output}")
            time.sleep(_POLL)
        return join(trainer, store)

    def _started(self, rank: int, size: int, port: int) -> subprocess.Popen[bytes]:
        place = {"RANK": rank, "LOCAL_RANK": rank, "NODE_RANK": 0, "WORLD_SIZE": size, STORE: port}
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

    def _failure(self) -> UserError | None:
        """Return the last words of a process that failed, None where none did."""
        until = time.monotonic() + 2.0  # its end may come after the broken connection
        while time.monotonic() < until:
            for rank, other in enumerate(self._others, 1):
                if other.poll():
                    lines = self._screen(rank).read_text(errors="replace").strip().splitlines()
                    words = " ".join(lines[-_TOLD:]) or "without a word"
                    return UserError(
                        f"process {rank} of the training ended with status {other.returncode}: "
                        f"{words} (all of it: {self._screen(rank)})"
                    )
            time.sleep(_POLL)
        return None

    def dismiss(self) -> None:
        """Let the others go, and see that they went."""
        if self._joined and self._joined.training:
            for other in self._others:
                other.terminate()
        if self._joined:
            self._joined.dismiss()
        for other in self._others:
            try:
                other.wait(_ENDING)
            except subprocess.TimeoutExpired:
                other.kill()
                other.wait()
        self._joined, self._others = None, []


def here(rank: int) -> str:
    """Return the key by which a process says that it has started."""
    return f"here/{rank}"


def leaders_store() -> TCPStore:
    """Return the place where the leader of this process is met, and end with the leader."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    store = TCPStore(HOST, int(os.environ[STORE]), size, is_master=False)
    store.set(here(rank), "")
    return store


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
