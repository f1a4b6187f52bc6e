"""One job of a sweep, in whatever process: it is done once, and its folder says what it came to.

A job never raises, as launchers give up the other jobs then. Left out: retries, which the launching
process makes (`launching`).
"""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tuna_exp.errors import PrunedError
from tuna_exp.sweeps.identity import claimed, finished_run, identity, recorded, take_over
from tuna_exp.sweeps.outcomes import (
    FAILURE_FILE,
    JOB_FILE,
    RUN_FILE,
    SCREEN_FILE,
    Failure,
    Job,
    began,
    command_line,
    keep,
    outcome_of,
    read,
)
from tuna_exp.sweeps.ranks import is_first_rank

# What is done with a composed config: see `experiment.run_experiment` for the arguments.
Task = Callable[..., None]
# The process that launches the jobs: one that runs in it keeps its screen.
_launching: int | None = None
# Says to a process that it is one job of a sweep, as JSON (see `in_folder`).
JOB_VARIABLE = "TUNA_EXP_JOB"


# The job that is done now, for what is deep inside of it.
_HERE: ContextVar["Place | None"] = ContextVar("place", default=None)


def launching_here() -> None:
    """Say that this process launches the jobs of a sweep."""
    global _launching
    _launching = os.getpid()


@dataclass(frozen=True)
class Command:
    """What was typed: `words` before the overrides, flags included, which `overrides`, and what is
    done with the config.

    `explain` turns an error into words and an exit status. It is sent to other processes. `program`
    is the module that they start as the same command.
    """

    task: Task
    settings: Path
    words: tuple[str, ...]
    overrides: tuple[str, ...]
    explain: Callable[[Exception, Sequence[str]], tuple[str, int]]
    program: str = "tuna_exp"

    @property
    def name(self) -> tuple[str, ...]:
        """The words that decide what is done: no flag that says where settings are read."""
        words = list(self.words)
        return tuple(words[: next((i for i, w in enumerate(words) if w.startswith("-")), None)])


@dataclass(frozen=True)
class Place:
    """Where a job stands: its number in the sweep of a folder, its own folder and overrides."""

    number: int
    sweep: Path
    output: Path
    overrides: tuple[str, ...]
    own: tuple[str, ...]
    hydras: tuple[str, ...] = ()


def place_in_sweep(asked: Sequence[str]) -> Place:
    """Return where the job that Hydra runs now stands; `asked` is what was typed."""
    settings = HydraConfig.get()
    overrides = typed(settings.overrides.task)
    return Place(
        number=settings.job.num,
        sweep=Path(settings.sweep.dir),
        output=Path(settings.runtime.output_dir),
        overrides=overrides,
        own=own_of(overrides, asked),
        hydras=typed(settings.overrides.hydra),
    )


def own_of(overrides: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Return the overrides of a job that were not typed as they are: they tell it from others."""
    typed_ones = {_unspaced(one) for one in asked}
    return tuple(o for o in overrides if _unspaced(o) not in typed_ones) or tuple(overrides)


def _unspaced(override: str) -> str:
    """An override without spaces: Hydra writes {a: 1} anew, as {a:1}."""
    return override.replace(" ", "")


def place_here() -> Place | None:
    """Return where the job that is done now stands, on every rank of it; None outside a sweep."""
    return _HERE.get() or _told_place(())


def in_folder(place: Place) -> dict[str, Any]:
    """Return, as JSON values, what a process of its own must know of its place."""
    return {
        "number": place.number,
        "sweep": str(place.sweep),
        "output": str(place.output),
        "own": list(place.own),
    }


def place_of_process(overrides: Sequence[str]) -> Place | None:
    """Return where the job of this process stands, None where it is a run of its own.

    Only the first rank keeps the books: others train along and write nothing.
    """
    if not is_first_rank():
        return None
    place = _told_place(overrides)
    return place and replace(place, hydras=typed(HydraConfig.get().overrides.hydra))


def _told_place(overrides: Sequence[str]) -> Place | None:
    told = os.environ.get(JOB_VARIABLE)
    if told is None:
        return None
    known = json.loads(told)
    return Place(
        number=known["number"],
        sweep=Path(known["sweep"]),
        output=Path(known["output"]),
        overrides=tuple(overrides),
        own=tuple(known["own"]),
    )


def typed(node: Any) -> tuple[str, ...]:
    """Return overrides as they were typed: iterated over, one with an interpolation is resolved."""
    listed: Any = OmegaConf.to_container(node)
    return tuple(map(str, listed))


def run_job(command: Command, place: Place, config: DictConfig) -> None:
    """Run a job unless this execution of its sweep has its result, or another run is the same."""
    this = began(place.sweep)
    earlier = outcome_of(place.output, this) if this else None
    if earlier is not None and earlier.state != "unfinished":
        return
    with own_screen(place.output):
        name = named(config, command)
        if recorded(place.output) != name:
            (place.output / RUN_FILE).unlink(missing_ok=True)  # of another job that was here
        line = again(command, place)
        (place.output / FAILURE_FILE).unlink(missing_ok=True)
        keep(place.output, JOB_FILE, started(this, place, line))
        tell(place, " ".join(place.own))
        here = _HERE.set(place)
        try:
            do_once(name, command, place, config)
        except Exception as error:
            message, status = command.explain(error, place.overrides)
            pruned = isinstance(error, PrunedError)
            failure = Failure(
                sweep=this,
                number=place.number,
                overrides=place.own,
                message=message,
                status=0 if pruned else status,
                line=line,
                pruned=pruned,
            )
            keep(place.output, FAILURE_FILE, failure)
        finally:
            _HERE.reset(here)


def keep_failure(
    command: Command, output: Path, overrides: Sequence[str], error: Exception
) -> None:
    """Write down why a run that was started alone failed; in a sweep's folder it stays that job.

    Nothing is written for a run that never began, nor by any rank but the first.
    """
    if not output.exists() or not is_first_rank():
        return
    job = read(output / JOB_FILE, Job)
    place = Place(0, output, output, tuple(overrides), tuple(overrides))
    message, status = command.explain(error, overrides)
    failure = Failure(
        sweep=job.sweep if job else 0,
        number=job.number if job else 0,
        overrides=job.overrides if job else place.own,
        message=message,
        status=status,
        line=job.line if job else again(command, place),
    )
    keep(output, FAILURE_FILE, failure)


def again(command: Command, place: Place) -> str:
    """Return the line that runs a job alone, with its folder as seen from here."""
    near = os.path.relpath(place.output)
    shown = Path(near if not near.startswith("..") else place.output)
    return command_line(command.words, (*place.hydras, *place.overrides), shown)


def started(sweep: int, place: Place, line: str) -> Job:
    """Return the record of a job that starts now in this process."""
    return Job(
        sweep=sweep,
        number=place.number,
        overrides=place.own,
        line=line,
        pid=os.getpid(),
        host=socket.gethostname(),
        began=time.time(),
    )


def named(config: DictConfig, command: Command) -> str:
    """Return the identity of a run, "" where a value cannot be resolved: the run will say so."""
    with suppress(OmegaConfBaseException):
        return identity(config, command.name)
    return ""


def do_once(name: str, command: Command, place: Place, config: DictConfig) -> None:
    """Do what the command is for, or let the job's folder stand for a run of the same identity."""

    def do() -> None:
        (place.output / RUN_FILE).unlink(missing_ok=True)  # its artifacts are gone
        command.task(config, command.settings, place.output, place.overrides, show=False)

    if not name:
        do()
        return
    artifacts = Path(config.artifacts)
    below = (place.sweep, Path(config.runs))
    with claimed(name, artifacts, lambda: tell(place, "waits for an equal run")):
        done = finished_run(name, artifacts, below)
        if done is None:
            do()
            return
        if done.resolve() != place.output.resolve():
            take_over(done, place.output)
        tell(place, f"already done in {done}")


def tell(place: Place, text: str) -> None:
    """Write a line about a job."""
    sys.stderr.write(f"job {place.number}: {text}\n")


@contextmanager
def own_screen(output: Path) -> Iterator[None]:
    """Send what is written to the terminal to the job's folder, unless the job runs alone there.

    File descriptors are redirected, as libraries in C and processes of theirs write to those.
    """
    if _launching == os.getpid():
        yield
        return
    saved = []
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with (output / SCREEN_FILE).open("ab") as screen:
        for descriptor in (1, 2):
            saved.append(os.dup(descriptor))
            os.dup2(screen.fileno(), descriptor)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        for descriptor, original in zip((1, 2), saved, strict=True):
            os.dup2(original, descriptor)
            os.close(original)
