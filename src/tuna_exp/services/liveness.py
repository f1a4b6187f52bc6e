"""Whether a courier lives: it holds a lock for as long as it does, which no kill can leave behind.

A process id would not do, for it is given to another process later.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout


def courier_lock(ledger: Path, courier: str) -> FileLock:
    """Return the lock that a courier holds as long as it lives."""
    folder = ledger.with_name(ledger.name + ".couriers")
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{courier}.lock")


@contextmanager
def living(ledger: Path, courier: str) -> Iterator[None]:
    """Be a courier that lives, for as long as the block runs."""
    lock = courier_lock(ledger, courier)
    with lock:
        try:
            yield
        finally:
            with suppress(OSError):
                Path(lock.lock_file).unlink()


def is_alive(ledger: Path, courier: str) -> bool:
    """Whether a courier lives; the lock of a dead one is removed."""
    lock = courier_lock(ledger, courier)
    try:
        with lock.acquire(timeout=0):
            with suppress(OSError):
                Path(lock.lock_file).unlink()
            return False
    except Timeout:
        return True
