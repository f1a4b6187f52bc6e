"""Peak memory of a step above what the model itself takes (weights, gradients, Adam's state).

On a CPU the kernel's high-water mark of resident memory is reset before a step and read after it;
on CUDA the allocator's. Left out: macOS and Windows, which have no such mark to reset.
"""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

_PROCESS = Path("/proc/self")
_MEMINFO = Path("/proc/meminfo")


@dataclass
class Peak:
    """Bytes; `over_model` is set when the block ends."""

    over_model: int = 0


def settle(device: str) -> None:
    """Give freed memory back, so that the next reading is of what is in use."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    else:
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def in_use(device: str) -> int:
    """Return the bytes in use by this process (CPU) or by its tensors (CUDA)."""
    return torch.cuda.memory_allocated() if device == "cuda" else _status("VmRSS")


@contextmanager
def peak(device: str, model_bytes: int) -> Iterator[Peak]:
    """Measure the block's peak over `model_bytes`."""
    found = Peak()
    _reset(device)
    yield found
    most = torch.cuda.max_memory_allocated() if device == "cuda" else _status("VmHWM")
    found.over_model = most - model_bytes


def available(device: str) -> int:
    """Return the bytes that could still be taken."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    return _read(_MEMINFO, "MemAvailable")


def resident(pid: int) -> int:
    """Return the resident bytes of another process, 0 if it is gone."""
    status = Path(f"/proc/{pid}/status")
    return _read(status, "VmRSS") if status.exists() else 0


def _reset(device: str) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        (_PROCESS / "clear_refs").write_text("5")


def _status(key: str) -> int:
    return _read(_PROCESS / "status", key)


def _read(path: Path, key: str) -> int:
    """Return a field of the kernel's "Key:  123 kB" lines in bytes, 0 if it is not there."""
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    found = [line.split()[1] for line in lines if line.startswith(f"{key}:")]
    return 1024 * int(found[0]) if found else 0
