"""Files that are on the disk when the call returns, and a disk's failures in the user's words.

Left out: anything for file systems without rename over an existing file.
"""

import errno
import hashlib
import os
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from tuna_exp.errors import UserError

TEMPORARY = ".writing"
_ELSEWHERE = "or name another artifact folder with TUNA_EXP_ARTIFACTS"
_FULL = f"free some space {_ELSEWHERE}; the same command then continues where it stopped"
_NOT_WRITABLE = f"make it writable {_ELSEWHERE}"
_IN_THE_WAY = f"move the file away that is where a folder should be {_ELSEWHERE}"
_NO_LOCKS = f"mount the file system with file locks {_ELSEWHERE}"
_CURES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _NOT_WRITABLE,
    errno.EACCES: _NOT_WRITABLE,
    errno.EPERM: _NOT_WRITABLE,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOLCK: _NO_LOCKS,
    errno.EOPNOTSUPP: _NO_LOCKS,
}
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def write_durably(path: Path, text: str) -> None:
    """Replace a file at once: a kill or a power cut leaves the old text or the new, never half."""
    temporary = path.with_name(path.name + TEMPORARY)
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fingerprint(path: Path) -> dict[str, int | str]:
    """Size in `bytes` and `sha256` of a file, which is on the disk afterwards."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": digest}


@contextmanager
def disk_failures(folder: Path, codes: Set[int] = _CURES.keys()) -> Iterator[None]:
    """Raise a disk's failures with one of the error `codes` as UserError; others pass."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.errno not in codes:
            raise
        place = error.filename or folder
        cure = _CURES[error.errno]
        raise UserError(
            f"{place}: {error.strerror}. What was finished is kept. Cure: {cure}."
        ) from error
