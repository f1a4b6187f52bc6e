"""Where weights come from: a source turns a configuration into a local Hugging Face folder.

Weights are safetensors only; pickled checkpoints are left out because loading one runs its code.
Importing this module is light: the command line reads it before any model is needed.
"""

import fnmatch
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from filelock import FileLock
from platformdirs import user_cache_path

from tuna_exp.errors import UserError

CACHE_VARIABLE = "TUNA_EXP_CACHE"
PATTERNS = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt")
CODE_PATTERNS = ("*.py",)
_HUB_SECONDS = 5.0


class ModelSource(Protocol):
    """What every source can do."""

    def resolve(self) -> Path:
        """Local folder with config, tokenizer and safetensors; quick when it is there already."""
        ...

    def digest(self) -> dict[str, object]:
        """What decides the weights, as JSON values."""
        ...


class HubModel:
    """Any model of the Hub, or any local folder in the same layout.

    `revision` is a branch, tag or commit; the digest holds the commit it led to.
    """

    def __init__(self, name: str, revision: str = "main", trust_remote_code: bool = False) -> None:
        self.name = name
        self.revision = revision
        self.trust_remote_code = trust_remote_code

    def resolve(self) -> Path:
        """Return the local folder, or the snapshot, which is downloaded where it is not cached.

        Raises UserError where there is no such model or it has no safetensors.
        """
        local = Path(self.name).expanduser()
        folder = local if local.is_dir() else self._snapshot()
        missing = missing_part(folder)
        if missing is not None:
            raise UserError(
                f"model {self.name}: {missing} in {folder}. Weights are read from safetensors "
                "files only. Cure: choose a model or revision that has them, or convert it once "
                "with save_pretrained(FOLDER) and give model.name=FOLDER."
            )
        return folder

    def digest(self) -> dict[str, object]:
        """Id and commit of a Hub model, file digests of a local folder."""
        folder = self.resolve()
        if Path(self.name).expanduser().is_dir():
            return {"files": folder_digest(folder)}
        return {"name": self.name, "commit": folder.name}

    def _snapshot(self) -> Path:
        patterns = PATTERNS + CODE_PATTERNS * self.trust_remote_code
        cached = cached_snapshot(self.name, self.revision)
        try:
            return cached or download_snapshot(self.name, self.revision, patterns)
        except ConnectionError as failure:
            raise UserError(
                f"model {self.name} at revision {self.revision}: no such local folder, not in the "
                f"local Hub cache, and the Hub did not give it ({failure}). Cure: give a local "
                "folder with model.name=FOLDER, correct the id or revision, log in with "
                "`hf auth login` where the model is gated, or go online (HF_HUB_OFFLINE unset)."
            ) from failure


def cached_snapshot(name: str, revision: str) -> Path | None:
    """Snapshot of a Hub model in the local Hub cache, or None where it is not there whole."""
    try:
        folder = download_snapshot(name, revision, PATTERNS, cached_only=True)
    except ConnectionError:
        return None
    return folder if missing_part(folder) is None else None


def download_snapshot(
    name: str, revision: str, patterns: tuple[str, ...] = PATTERNS, cached_only: bool = False
) -> Path:
    """Fetch a Hub model into the Hub's local cache, in one attempt that gives up in seconds.

    Raises ConnectionError with a reason of one line where that fails, offline included.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(patterns),
            local_files_only=cached_only,
            etag_timeout=_HUB_SECONDS,
        )
    except Exception as failure:
        # The Hub's client also lets the errors of its HTTP library through, which has changed.
        lines = str(failure).strip().splitlines()
        raise ConnectionError(": ".join([type(failure).__name__, *lines[:1]])) from failure
    return Path(folder)


def missing_part(folder: Path) -> str | None:
    """What a model folder lacks ("no config.json", ...), or None where it is complete.

    Every shard that the index names must be there: a download may have been cut short.
    """
    if not (folder / "config.json").is_file():
        return "no config.json"
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        lacking = sorted(shard for shard in shards if not (folder / shard).is_file())
        return f"no {lacking[0]}" if lacking else None
    return None if any(folder.glob("*.safetensors")) else "no *.safetensors"


def folder_digest(folder: Path) -> dict[str, str]:
    """sha256 of each file that decides what the model and its tokenizer say, by file name."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    wanted = [n for n in names if any(fnmatch.fnmatch(n, p) for p in PATTERNS + CODE_PATTERNS)]
    return {name: file_digest(folder / name) for name in wanted}


def file_digest(path: Path) -> str:
    """sha256 of a file, read again only when its size or modification time has changed."""
    status = path.stat()
    return _sha256(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def cache_root() -> Path:
    """Folder for converted and generated models: TUNA_EXP_CACHE or the platform's own."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser() if named else user_cache_path("tuna_exp", appauthor=False)


def build_folder(
    target: Path,
    build: Callable[[Path], None],
    cure: str = f"name another folder with {CACHE_VARIABLE}",
) -> Path:
    """Return `target`, made by `build(folder)` where it is not there: whole or not at all.

    One process builds, others wait; what a killed build left behind is deleted by the next.
    """
    if target.is_dir():
        return target
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            if not target.is_dir():
                _build(part, target, build)
    except OSError as failure:
        raise UserError(
            f"model folder {target} cannot be written: {failure}. Cure: free some space or {cure}."
        ) from failure
    return target


def _build(part: Path, target: Path, build: Callable[[Path], None]) -> None:
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        build(part)
        for path in (*part.iterdir(), part):
            _sync(path)
        part.rename(target)
        _sync(target.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
