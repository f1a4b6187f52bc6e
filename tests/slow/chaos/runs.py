"""The real command, started in a folder in a process group of its own.

It is forked from this process, which has imported everything already: a fault then meets the run at
its work and not at its imports. With an `environment` it is a new process instead, because what the
loader preloads must be there from its start.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

# What a run imports late.
_PRELOADED = [
    "tuna_exp.cli",
    "tuna_exp.runs",
    "tuna_exp.lab",
    "tuna_exp.stages.train",
    "tuna_exp.stages.compare",
    "tuna_exp.stages.sample",
    "tuna_exp.stages.rank",
    "tuna_exp.objectives.ranking",
    "tuna_exp.objectives.sft",
    "tuna_exp.rankers.contextual",
    "tuna_exp.evaluation.verifiable",
    "tuna_exp.llms.hugging_face",
    "tuna_exp.llms.service",
    "tuna_exp.models.tiny",
    "tuna_exp.comparison.plots",
    "tuna_exp.comparison.report",
    "lightning.pytorch.loggers",
    "transformers.models.llama.modeling_llama",
    "peft",
    "scipy.stats",
    "altair",
    "vl_convert",
    "torch._dynamo",
    "datasets",
    "openai",
    "anthropic",
]
PLACES = ["artifacts=artifacts", "hydra.run.dir=run"]


def preload() -> None:
    """Import what runs will need."""
    for module in _PRELOADED:
        with suppress(ImportError):
            import_module(module)


class StuckError(Exception):
    """A run that did not end."""


@dataclass
class Run:
    """A command under way: its process, the file of what it says, and how long that was before."""

    pid: int
    said: Path
    before: int
    status: int | None = None

    def ended(self) -> bool:
        """Whether it has ended; its exit status, negative for a signal, is in `status` then."""
        if self.status is None:
            pid, told = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(told) if pid else None
        return self.status is not None

    def wait_until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Return when something is so or the run has ended, False after so many seconds."""
        limit = time.monotonic() + seconds
        while not self.ended() and not done():
            if time.monotonic() > limit:
                return False
            time.sleep(0.01)
        return True

    def works(self, seconds: float = 120.0) -> None:
        """Return when it has said something, which it does when its first step begins."""
        self.wait_until(lambda: size(self.said) > self.before, seconds)

    def end(self, seconds: float) -> int:
        """Return its exit status. Raises StuckError where it does not end; it is killed then."""
        if not self.wait_until(lambda: False, seconds):
            self.send(signal.SIGKILL)
            raise StuckError(f"did not end within {seconds:.0f} s: {self.last_words}")
        assert self.status is not None
        return self.status

    def send(self, number: int) -> None:
        """Send a signal to the run alone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    @property
    def last_words(self) -> str:
        """The end of what it said."""
        return self.said.read_bytes()[self.before :].decode(errors="replace")[-1500:]


def size(said: Path) -> int:
    """Bytes that were said so far."""
    return said.stat().st_size if said.exists() else 0


def start(
    folder: Path, said: Path, overrides: Sequence[str], environment: Mapping[str, str] | None = None
) -> Run:
    """Start the command in a folder; what it says is appended to a file."""
    before = size(said)
    arguments = [*overrides, *PLACES]
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Run(pid, said, before)
    try:
        _become(folder, said)
        if environment is not None:
            command = [sys.executable, "-m", "tuna_exp", *arguments]
            os.execve(sys.executable, command, {**os.environ, **environment})
        os._exit(_called(arguments))
    finally:
        os._exit(70)  # nothing of the parent's may run in the child


def _become(folder: Path, said: Path) -> None:
    os.setsid()
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    shown = os.open(said, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(shown, 1)
    os.dup2(shown, 2)


def _called(arguments: list[str]) -> int:
    from tuna_exp.cli import main

    sys.argv[:] = ["tuna-exp", *arguments]
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except BaseException as error:  # main lets nothing through: this is a fault of ours
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
    return 0
