"""Which run is which: the digest of all its settings, and where a run with that digest is finished.

What is left out of the digest decides no figure: where artifacts and runs lie, and what a search
makes better. Everything else counts, defaults that were not typed as well.
"""

import copy
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf, open_dict

from tuna_exp.sweeps.outcomes import RUN_FILE

_PLACES = ("artifacts", "benchmarks", "runs", "optimize")
_LOCKS = ".runs"


def identity(config: DictConfig, words: Sequence[str] = ()) -> str:
    """Return 64 hex digits for a composed config; `words` name the command, none for a run.

    Raises OmegaConf's errors for a value that cannot be resolved. The order of keys counts: methods
    are compared by the first benchmark.
    """
    same = copy.deepcopy(config)
    with open_dict(same):
        for key in _PLACES:
            if key in same:
                same[key] = ""  # not deleted: others are derived from it
    content: Any = OmegaConf.to_container(same, resolve=True)
    text = json.dumps({"command": list(words), "config": content}, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def recorded(folder: Path) -> str | None:
    """Return the identity of the run that is finished in a folder, None without one."""
    with suppress(OSError, ValueError, KeyError):
        return str(json.loads((folder / RUN_FILE).read_bytes())["identity"])
    return None


def finished_run(name: str, artifacts: Path, below: Sequence[Path]) -> Path | None:
    """Return the folder of a finished run of that identity below some folders, None without one.

    One whose comparison is no longer in the store, or that keeps its artifacts elsewhere, does not
    count.
    """
    for folder in below:
        for path in sorted(folder.rglob(RUN_FILE)):
            if path.is_symlink():
                continue
            with suppress(OSError, ValueError, KeyError):
                record = json.loads(path.read_bytes())
                root = Path(record["artifacts"])
                is_there = any(root.glob(f"*/{record['comparison']}"))
                if record.get("identity") == name and root == artifacts.resolve() and is_there:
                    return path.parent
    return None


def take_over(done: Path, output: Path) -> None:
    """Let a job's folder stand for a run that is finished in another: a link to its record."""
    link = output / RUN_FILE
    target = os.path.relpath((done / RUN_FILE).resolve(), output.resolve())
    with suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(target)


@contextmanager
def claimed(name: str, artifacts: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the right to do a run; `waiting` is called when another process has it.

    Where no lock can be had the run goes on without: its artifacts are locked one by one.
    """
    folder = artifacts / _LOCKS
    lock = FileLock(folder / f"{name}.lock")
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        with suppress(OSError):
            # Whoever waits for the file that is deleted here gets it, and finds the run finished.
            Path(lock.lock_file).unlink()
            folder.rmdir()
            artifacts.rmdir()  # only where it is empty: the run was refused
        lock.release()
