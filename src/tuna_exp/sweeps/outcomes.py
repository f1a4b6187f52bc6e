"""What a sweep's folder says: the jobs that were asked for, and what each came to.

`sweep.json` lists the jobs; a job's folder holds `job.json` once it has started and then `run.json`
(finished) or `failure.json`. Neither means that the job's process died. Left out: any record in
memory, as the jobs may run elsewhere.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from tuna_exp.durable import write_durably
from tuna_exp.records import Record

SWEEP_FILE, JOB_FILE, FAILURE_FILE, RUN_FILE = "sweep.json", "job.json", "failure.json", "run.json"
SCREEN_FILE = "screen.log"
State = Literal["finished", "already done", "failed", "pruned", "unfinished", "not started"]
# Hydra's settings that only a sweep has, and those that a single job gets anew.
_OF_SWEEPS = re.compile(
    r"[+~]*hydra([./](launcher|sweeper|sweep|callbacks)\b|\.mode=|\.run\.dir=|\.job\.(num|id)=)"
)
_PLAIN = re.compile(r"[\w./-]+")
R = TypeVar("R", bound=Record)


class Sweep(Record):
    """One execution of a sweep: when it began, and the overrides of its jobs by number."""

    began: int
    jobs: dict[int, tuple[str, ...]] = {}


class Job(Record):
    """A job that has started: its place in which execution, and the process that does it.

    `overrides` tell it from the others; `line` is the command that runs it alone.
    """

    sweep: int
    number: int
    overrides: tuple[str, ...]
    line: str
    pid: int
    host: str
    began: float


class Failure(Record):
    """Why a job has no result; `status` is the exit status that a single run would have."""

    sweep: int = 0
    number: int
    overrides: tuple[str, ...]
    message: str
    status: int
    line: str = ""
    pruned: bool = False


class Outcome(Record):
    """What a job came to, in `folder`; `line` runs it again alone, `message` says why it failed."""

    number: int
    overrides: tuple[str, ...]
    state: State
    folder: Path
    line: str = ""
    message: str = ""
    status: int = 0


def keep(folder: Path, name: str, record: Record) -> None:
    """Write a record into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / name, record.model_dump_json(indent=1))


def read(path: Path, kind: type[R]) -> R | None:
    """Return a record, None where it is absent or torn."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValueError, ValidationError):
        return None


def began(folder: Path) -> int:
    """Return when the execution that a sweep's folder belongs to began; 0 where nobody said."""
    sweep = read(folder / SWEEP_FILE, Sweep)
    return sweep.began if sweep else 0


def outcomes(folder: Path) -> list[Outcome]:
    """Return what became of every job of the latest execution of a sweep, by number."""
    sweep = read(folder / SWEEP_FILE, Sweep) or Sweep(began=0)
    places = {path.parent for name in (JOB_FILE, FAILURE_FILE) for path in folder.rglob(name)}
    found = {}
    for place in sorted(places):
        outcome = outcome_of(place, sweep.began)
        if outcome is not None:
            found[outcome.number] = outcome
    for number, overrides in sweep.jobs.items():
        missing = Outcome(
            number=number, overrides=overrides, state="not started", folder=folder / str(number)
        )
        found.setdefault(number, missing)
    return [found[number] for number in sorted(found)]


def outcome_of(place: Path, sweep: int) -> Outcome | None:
    """Return what the job of a folder came to; None where it is of another execution."""
    job, failure = read(place / JOB_FILE, Job), read(place / FAILURE_FILE, Failure)
    known = failure or job
    if known is None or known.sweep != sweep:
        return None
    state: State = "unfinished"
    if failure is not None:
        state = "pruned" if failure.pruned else "failed"
    elif (place / RUN_FILE).exists():
        state = "already done" if _is_older(place / RUN_FILE, job) else "finished"
    return Outcome(
        number=known.number,
        overrides=known.overrides,
        state=state,
        folder=(place / RUN_FILE).resolve().parent if state == "already done" else place,
        line=known.line,
        message=failure.message if failure else "",
        status=failure.status if failure else 0,
    )


def _is_older(record: Path, job: Job | None) -> bool:
    """Whether a run was finished before this job began, here or where a link leads."""
    return record.is_symlink() or (job is not None and record.stat().st_mtime < job.began)


def varying(jobs: Mapping[int, Sequence[str]]) -> dict[int, tuple[str, ...]]:
    """Return, by job, its overrides that not all jobs have; all of them where none differs."""
    shared = set.intersection(*map(set, jobs.values())) if len(jobs) > 1 else set()
    return {n: tuple(o for o in own if o not in shared) or tuple(own) for n, own in jobs.items()}


def of_one_job(overrides: Sequence[str]) -> list[str]:
    """Return the overrides without Hydra's own that are only for sweeps."""
    return [override for override in overrides if not _OF_SWEEPS.match(override)]


def run_dir(folder: Path | str) -> str:
    """Return the override that sends a single run into a folder."""
    place = str(folder)
    quoted = place if _PLAIN.fullmatch(place) else "'" + place.replace("'", "\\'") + "'"
    return f"hydra.run.dir={quoted}"


def command_line(words: Sequence[str], overrides: Sequence[str], folder: Path) -> str:
    """Return the line, quoted for a shell, that runs one job alone in its folder."""
    return shlex.join(["tuna-exp", *words, *of_one_job(overrides), run_dir(folder)])
