"""The runs below some folders as a reader finds them: finished, running, failed, unfinished.

Nothing here raises for what a run left half-written: a dashboard is looked at while runs write.
Left out: runs that other machines work on and whose heartbeat this one does not see.
"""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import ValidationError

from tuna_exp.planned import STEPS_FILE, Planned
from tuna_exp.records import Record
from tuna_exp.run_records import check_folders
from tuna_exp.secrets import is_secret
from tuna_exp.sweeps.outcomes import FAILURE_FILE, JOB_FILE, RUN_FILE

CONFIG_FILE, OVERRIDES_FILE = ".hydra/config.yaml", ".hydra/overrides.yaml"
_MARKS = (RUN_FILE, FAILURE_FILE, JOB_FILE, STEPS_FILE, CONFIG_FILE)
State = Literal["finished", "running", "failed", "pruned", "unfinished"]
# A step's heartbeat comes twice a second; a busy network disk may show it late.
_HEARTBEAT_SECONDS = 60.0
_LONGEST_REASON = 4000
R = TypeVar("R", bound=Record)


class RunFolder(Record):
    """One run: what was asked, how far it is, and where its artifacts are.

    `settings` are the composed config with dotted names, `methods` the digests of each method's
    figures by benchmark, `comparison` the key of a finished run's comparison. Times are Unix times.
    """

    id: str
    folder: Path
    state: State
    reason: str = ""
    again: str = ""
    overrides: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    seed: str = ""
    artifacts: Path | None = None
    comparison: str = ""
    methods: dict[str, dict[str, str]] = {}
    planned: Planned | None = None
    began: float = 0.0
    ended: float | None = None


def find_runs(folders: Sequence[Path]) -> list[RunFolder]:
    """Return every run below the folders, by folder.

    Raises UserError where a folder is not there; one without runs has none yet.
    """
    check_folders(folders, "runs/DATE/TIME, or that of all runs")
    places = dict.fromkeys(place for folder in folders for place in _places(folder))
    near = os.path.commonpath([folder.resolve() for folder in folders]) if folders else "."
    return [read_run(place, os.path.relpath(place.resolve(), near)) for place in places]


def read_run(place: Path, name: str) -> RunFolder:
    """Return what a run's folder says; `name` tells it from the others."""
    record, failure = _json(place / RUN_FILE), _json(place / FAILURE_FILE)
    job, planned = _json(place / JOB_FILE), _record(place / STEPS_FILE, Planned)
    if planned and _made(place / FAILURE_FILE) < planned.began:
        failure = {}  # of an earlier attempt
    settings = _settings(place / CONFIG_FILE)
    overrides = _overrides(place, record, job or failure)
    artifacts = record.get("artifacts") or (planned.artifacts if planned else "")
    seed = record.get("seed", settings.get("seed", _asked(overrides, "seed")))
    state = _state(record, failure, planned, job)
    began = planned.began if planned else float(job.get("began", 0) or _made(place / CONFIG_FILE))
    return RunFolder(
        id=name,
        folder=place,
        state=state,
        reason=str(failure.get("message", ""))[:_LONGEST_REASON] if failure else "",
        again=str((failure or job).get("line", "")),
        overrides=overrides,
        settings=settings,
        seed="" if seed is None else str(seed),
        artifacts=Path(artifacts) if artifacts else None,
        comparison=str(record.get("comparison", "")),
        methods=_methods(record, planned),
        planned=planned,
        began=began,
        ended=_made(place / (RUN_FILE if record else FAILURE_FILE)) if record or failure else None,
    )


def is_alive(pid: int, host: str) -> bool:
    """Whether a process of this machine is there; one of another machine is not known to be."""
    if host != socket.gethostname() or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _places(folder: Path) -> Iterator[Path]:
    """Yield folders of runs; neither below one, nor into a store of artifacts."""
    for here, below, files in os.walk(folder):
        place = Path(here)
        if any(mark in files for mark in _MARKS) or (place / CONFIG_FILE).exists():
            below.clear()
            yield place
        elif "COMMITTED" in files or place.name.endswith(".partial"):
            below.clear()
        else:
            below.sort(key=lambda name: (len(name), name))


def _state(
    record: Mapping[str, Any],
    failure: Mapping[str, Any],
    planned: Planned | None,
    job: Mapping[str, Any],
) -> State:
    if record:
        return "finished"
    if failure:
        return "pruned" if failure.get("pruned") else "failed"
    known = planned.model_dump() if planned else job
    if known and is_alive(int(known.get("pid", 0)), str(known.get("host", ""))):
        return "running"
    if planned and planned.host != socket.gethostname() and _beats(planned):
        return "running"
    return "unfinished"


def _beats(planned: Planned) -> bool:
    """Whether any of a run's unfinished steps had a heartbeat lately."""
    root, newest = Path(planned.artifacts), 0.0
    for step in planned.steps:
        for heart in (root / step.stage / f"{step.key}.partial" / ".work").glob("attempt-*"):
            with suppress(OSError):
                newest = max(newest, heart.stat().st_mtime)
    return time.time() - newest < _HEARTBEAT_SECONDS


def _methods(record: Mapping[str, Any], planned: Planned | None) -> dict[str, dict[str, str]]:
    """Return the keys of the figures of each method by benchmark."""
    found: dict[str, dict[str, str]] = {}
    for method, model in record.get("evaluated", {}).items():
        scores = model.get("scores", {})
        found[method] = {name: str(scored["figures"])[:16] for name, scored in scores.items()}
    return found or (planned.methods if planned else {})


def _overrides(place: Path, record: Mapping[str, Any], job: Mapping[str, Any]) -> tuple[str, ...]:
    if record.get("overrides"):
        return tuple(map(str, record["overrides"]))
    with suppress(OSError, yaml.YAMLError):
        listed = yaml.safe_load((place / OVERRIDES_FILE).read_text(encoding="utf-8"))
        if isinstance(listed, list):
            return tuple(map(str, listed))
    return tuple(map(str, job.get("overrides", ())))


def _asked(overrides: Sequence[str], key: str) -> str | None:
    told = [o.partition("=")[2] for o in overrides if o.startswith(f"{key}=")]
    return told[-1] if told else None


def _settings(path: Path) -> dict[str, Any]:
    with suppress(OSError):
        return dict(_parsed(path, path.stat().st_mtime_ns))
    return {}


@lru_cache(maxsize=4096)
def _parsed(path: Path, changed: int) -> dict[str, Any]:
    """Return a config with dotted names; what is named like a secret is left out."""
    # The C loader is ten times faster, and 100 runs have 100 configs.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, yaml.YAMLError):
        return {}
    return dict(flat(config)) if isinstance(config, dict) else {}


def flat(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested settings by dotted name; a list is one value, written as JSON."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            if not is_secret(str(key)):
                yield from flat(value, f"{name}.{key}" if name else str(key))
    elif isinstance(node, list):
        yield name, json.dumps(node, default=str)
    else:
        yield name, "{}" if isinstance(node, Mapping) else node


def _json(path: Path) -> dict[str, Any]:
    """Return an object that was written as JSON, {} where it is absent or torn."""
    with suppress(OSError, ValueError):
        read = json.loads(path.read_bytes())
        if isinstance(read, dict):
            return read
    return {}


def _record(path: Path, kind: type[R]) -> R | None:
    with suppress(OSError, ValueError, ValidationError):
        return kind.model_validate_json(path.read_bytes())
    return None


def _made(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
