"""Artifacts: finished results on disk, found again by the digest of what made them.

    ROOT/STAGE/DIGEST16/             finished: the step's files, manifest.json, COMMITTED
    ROOT/STAGE/DIGEST16.partial/     unfinished: the step's files, scratch/, .work/
    ROOT/STAGE/DIGEST16.damaged-N/   was finished, did not match its marker; set aside, never used
    ROOT/STAGE/DIGEST16.lock         held while it is built; who holds it is in DIGEST16.owner

A reader needs no lock: a folder gets its final name by one rename when all of it is on the disk.
What goes into the digest is in `plan`. Remote stores are left out: a mounted folder does.
"""

import hashlib
import json
import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from tuna_exp.durable import TEMPORARY, disk_failures, fingerprint, sync_folder, write_durably
from tuna_exp.provenance import environment
from tuna_exp.unfinished import MEMORY, METERS, Notebook

if TYPE_CHECKING:
    from tuna_exp.plan import Step

MANIFEST = "manifest.json"
MARKER = "COMMITTED"
SCRATCH = "scratch"
_OURS = {n + end for n in (MANIFEST, MARKER) for end in ("", TEMPORARY)} | {SCRATCH, MEMORY}
_PARTIAL = ".partial"
_log = logging.getLogger(__name__)

State = Literal["finished", "unfinished", "damaged"]


@dataclass(frozen=True)
class Artifact:
    """A finished artifact: its folder and what its manifest says."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the step noted while it ran."""
        facts: Mapping[str, Any] = self.manifest["facts"]
        return facts


@dataclass(frozen=True)
class Entry:
    """Any folder of the store; the `manifest` of one that is not finished may lack keys."""

    folder: Path
    state: State
    manifest: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The first 16 digits of the digest."""
        return self.folder.name.partition(".")[0]

    @property
    def made_from(self) -> dict[str, str]:
        """The `key` of each input by its name."""
        inputs = self.manifest.get("inputs", {})
        return {name: made["digest"][:16] for name, made in inputs.items()}


class Store:
    """The artifacts under one root folder; any number of processes may share it."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def folder(self, step: "Step") -> Path:
        """Where the finished artifact of a step is or will be."""
        return self.root / step.stage / step.digest[:16]

    def find(self, step: "Step") -> Artifact | None:
        """The finished artifact of a step, or None. Looks at marker, manifest and file sizes."""
        return _sound(self.folder(step), step.digest)

    def find_whole(self, step: "Step") -> Artifact | None:
        """The finished artifact of a step where every byte of it is as it was written, or None.

        Reads all of it, at the speed of SHA-256 (some GB in a few seconds).
        """
        artifact = self.find(step)
        return artifact if artifact is not None and not self.verify(artifact) else None

    @contextmanager
    def lock(self, step: "Step", waiting: Callable[[str], None]) -> Iterator[None]:
        """Hold the right to build a step; `waiting` is told who has it while it is not free."""
        folder = self.folder(step)
        owner = _owner(folder)
        with disk_failures(folder.parent):
            folder.parent.mkdir(parents=True, exist_ok=True)
            held = _acquire(folder, owner, waiting)
        try:
            with disk_failures(folder.parent):
                write_durably(owner, f"pid {os.getpid()} on {socket.gethostname()}")
            yield
        finally:
            with suppress(OSError):
                owner.unlink()
            held.release()

    def is_taken(self, step: "Step") -> bool:
        """Whether somebody else is building a step: so it was a moment ago."""
        folder = self.folder(step)
        if not _owner(folder).exists():
            return False
        lock = _lock_of(folder)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False
        lock.release()  # who had it was killed
        return False

    def settle(self, step: "Step") -> Artifact | None:
        """Under the lock: put right what a killed run has left; return what is finished, if it is.

        A folder that was committed but not yet renamed is renamed, one that is damaged by as little
        as a bit is set aside.
        """
        final = self.folder(step)
        with disk_failures(final):
            artifact = self.find_whole(step)
            if artifact is None and final.exists():
                _set_aside(final)
            if artifact is None and _sound(_unfinished(final), step.digest) is not None:
                artifact = _publish(final)
        return artifact

    def begin(self, step: "Step") -> Path:
        """Under the lock: the step's work folder, with what earlier attempts left in it."""
        work = _unfinished(self.folder(step))
        with disk_failures(work):
            (work / MEMORY).mkdir(parents=True, exist_ok=True)
            (work / MARKER).unlink(missing_ok=True)
            write_durably(work / MEMORY / "step.json", json.dumps(step.recipe, indent=1))
        return work

    def is_damaged(self, step: "Step") -> bool:
        """Whether there is a finished artifact of a step which is not what was written."""
        return self.folder(step).exists() and self.find_whole(step) is None

    def discard(self, step: "Step") -> None:
        """Under the lock: forget what was done of a step: what it was made from is damaged."""
        work = _unfinished(self.folder(step))
        with disk_failures(work):
            if work.exists():
                shutil.rmtree(work)

    def commit(self, step: "Step") -> Artifact:
        """Under the lock: turn the work folder into the finished artifact."""
        final = self.folder(step)
        work = _unfinished(final)
        notebook = Notebook(work)
        with disk_failures(work):
            names, facts = _results(work), notebook.facts()
            manifest = {
                **step.recipe,
                "facts": {name: fact for name, fact in facts.items() if name != METERS},
                "meters": facts.get(METERS, {}),
                "files": {name: fingerprint(work / name) for name in names},
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "wall_seconds": round(notebook.seconds, 3),
                "attempts": notebook.attempts,
                "environment": environment(),
            }
            for folder in {work, *((work / name).parent for name in names)}:
                sync_folder(folder)
            text = json.dumps(manifest, indent=1)
            write_durably(work / MANIFEST, text)
            write_durably(work / MARKER, hashlib.sha256(text.encode()).hexdigest())
            return _publish(final)

    def verify(self, artifact: Artifact) -> list[str]:
        """Hash every file again; the names of those that are missing or differ, [] when sound.

        The manifest is one of them: stages read it, too.
        """
        files: Mapping[str, Any] = artifact.manifest["files"]
        differ = [
            name for name, told in files.items() if not _is_as_told(artifact.folder / name, told)
        ]
        return differ or ([] if finished(artifact.folder) else [MANIFEST])

    def set_aside(self, entry: Entry) -> bool:
        """Move a damaged artifact away, to be built anew; False where a run builds it now."""
        final = entry.folder.with_name(entry.key)
        try:
            with disk_failures(final), _lock_of(final).acquire(timeout=0):
                _set_aside(final)
        except Timeout:
            return False
        return True

    def entries(self) -> list[Entry]:
        """Every folder of the store: finished, unfinished and damaged; oldest first."""
        with disk_failures(self.root):
            stages = [f for f in self.root.iterdir() if f.is_dir()] if self.root.exists() else []
            folders = [f for stage in stages for f in stage.iterdir() if f.is_dir()]
            return [_entry(f) for f in sorted(folders, key=modified)]

    def is_being_built(self, entry: Entry) -> bool:
        """Whether a process holds the lock of an entry now."""
        try:
            _lock_of(entry.folder.with_name(entry.key)).acquire(timeout=0).lock.release()
        except Timeout:
            return True
        return False

    def remove(self, entry: Entry) -> bool:
        """Delete an entry unless somebody is building it; whether it was deleted."""
        lock = _lock_of(entry.folder.with_name(entry.key))
        doomed = entry.folder.with_name(f"{entry.key}.damaged-removed")
        try:
            with disk_failures(entry.folder), lock.acquire(timeout=0):
                # Renamed first: a deletion cut short must not leave what looks finished.
                if entry.folder != doomed:
                    shutil.rmtree(doomed, ignore_errors=True)
                    entry.folder.rename(doomed)
                shutil.rmtree(doomed)
        except Timeout:
            return False
        return True


def modified(folder: Path) -> float:
    """Unix time of the last change in an artifact's folder, heartbeats included; 0 when gone."""
    with suppress(OSError):
        inside = (*folder.iterdir(), *folder.glob(f"{MEMORY}/*"))
        return max(path.stat().st_mtime for path in (folder, *inside))
    return 0.0


def _lock_of(final: Path) -> FileLock:
    return FileLock(final.with_name(final.name + ".lock"))


def _acquire(final: Path, owner: Path, waiting: Callable[[str], None]) -> FileLock:
    lock = _lock_of(final)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = owner.read_text(encoding="utf-8") if owner.exists() else "owner not known"
        waiting(f"waiting for another run that is building this ({who})")
        lock.acquire(poll_interval=0.2)
    return lock


def _owner(final: Path) -> Path:
    return final.with_name(final.name + ".owner")


def _unfinished(final: Path) -> Path:
    return final.with_name(final.name + _PARTIAL)


def _read(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder whose marker, manifest and file sizes agree."""
    try:
        text = (folder / MANIFEST).read_bytes()
        marker = (folder / MARKER).read_text(encoding="utf-8")
        if marker != hashlib.sha256(text).hexdigest():
            return None
        manifest: dict[str, Any] = json.loads(text)
        sizes = {name: (folder / name).stat().st_size for name in manifest["files"]}
    except (OSError, ValueError):
        return None
    same = all(size == manifest["files"][name]["bytes"] for name, size in sizes.items())
    return manifest if same else None


def _sound(folder: Path, digest: str) -> Artifact | None:
    artifact = finished(folder)
    return artifact if artifact is not None and artifact.manifest["digest"] == digest else None


def finished(folder: Path) -> Artifact | None:
    """Return the artifact that a folder holds, None where it is not a whole one."""
    manifest = _read(folder)
    return None if manifest is None else Artifact(folder, manifest)


def _is_as_told(path: Path, told: Mapping[str, Any]) -> bool:
    try:
        return fingerprint(path) == told
    except OSError:  # gone, or the disk cannot read it
        return False


def _publish(final: Path) -> Artifact:
    """Give a committed work folder its final name; what only continuing needed goes."""
    work = _unfinished(final)
    for name in (SCRATCH, MEMORY):
        shutil.rmtree(work / name, ignore_errors=True)
    work.rename(final)
    sync_folder(final.parent)
    manifest = json.loads((final / MANIFEST).read_bytes())
    return Artifact(final, manifest)


def _set_aside(final: Path) -> None:
    names = (final.with_name(f"{final.name}.damaged-{n}") for n in count(1))
    aside = next(name for name in names if not name.exists())
    final.rename(aside)
    _log.warning(
        "%s does not match its marker (edited, or a disk failed): moved to %s, building it anew",
        final,
        aside.name,
    )


def _results(work: Path) -> list[str]:
    # What a link leads to is not ours: a tracker's own log, say, which grows as long as it runs.
    found = (path for path in work.rglob("*") if path.is_file() and not path.is_symlink())
    files = (path.relative_to(work) for path in found)
    return sorted(file.as_posix() for file in files if file.parts[0] not in _OURS)


def _entry(folder: Path) -> Entry:
    manifest = _read(folder)
    if folder.name.endswith(_PARTIAL):
        state: State = "unfinished"
    else:
        state = "finished" if manifest is not None and "." not in folder.name else "damaged"
    with suppress(OSError, ValueError):
        name = MEMORY + "/step.json" if state == "unfinished" else MANIFEST
        manifest = manifest or json.loads((folder / name).read_bytes())
    return Entry(folder, state, manifest or {"stage": folder.parent.name})
