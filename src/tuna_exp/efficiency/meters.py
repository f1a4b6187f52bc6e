"""Peak memory and energy of a stage, read from the machine, over all its attempts.

Memory is that of the GPU where there is one, else the resident set of the process, libraries and
all. Energy is what counters of the machine say: NVIDIA's total energy (nvidia-ml-py, an optional
package), or RAPL of the processors, other processes included. Where neither can be read it is
unknown and nothing is estimated; packages that estimate (codecarbon) are left out for that reason.
"""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import Any

from tuna_exp.unfinished import METERS, Notebook

RAPL = Path("/sys/class/powercap")
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # Linux, proc(5): resets VmHWM
# A RAPL counter turns over after some ten minutes at full power; looking more often loses nothing.
_LOOK_SECONDS = 10.0
_MICRO = 1e-6


@contextmanager
def metered(folder: Path) -> Iterator[None]:
    """Note peak memory (bytes) and energy (joules, null where unreadable) of what runs inside.

    They go into the manifest beside the wall time. An attempt that was killed leaves none behind:
    `attempts_without` counts those.
    """
    notebook = Notebook(folder)
    before = notebook.facts().get(METERS, {})
    counted = int(before.get("attempts", 0))
    unmetered = notebook.attempts - 1 - counted
    energy = Energy.of_machine()
    reset_peak()
    try:
        yield
    finally:
        joules, earlier = energy.stop(), before.get("joules", 0.0)
        # A sum that lacks the part of a killed attempt is no sum.
        known = joules is not None and earlier is not None and not unmetered
        peaks = [p for p in (peak_bytes(), before.get("peak_memory_bytes")) if p is not None]
        found = {
            "joules": round(earlier + joules, 1) if known else None,
            "peak_memory_bytes": max(peaks, default=None),
            "attempts": counted + 1,
            "attempts_without": unmetered,
        }
        with suppress(OSError):  # a full disk has another error to tell
            notebook.note({METERS: found})


def noted(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a stage noted with what was metered; artifacts of before have no meters."""
    return {**manifest["facts"], **manifest.get(METERS, {})}


def reset_peak() -> None:
    """Begin to count the peak of memory anew."""
    cuda = _cuda()
    if cuda is not None:
        cuda.reset_peak_memory_stats()
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")


def peak_bytes() -> int | None:
    """Return the most memory that was in use since then; None where nobody counts."""
    cuda = _cuda()
    if cuda is not None:
        return int(cuda.max_memory_allocated())
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


class Energy:
    """Adds up what counters say until it is stopped. Each counter returns joules, and wraps."""

    def __init__(self, counters: list[tuple[Callable[[], float], float]]) -> None:
        self.counters = counters
        self.joules = 0.0
        self._last = [read() for read, _ in counters]
        self._stop = threading.Event()
        self._looking = threading.Thread(target=self._look_often, daemon=True)
        if counters:
            self._looking.start()

    @classmethod
    def of_machine(cls, rapl: Path = RAPL) -> "Energy":
        """Return the energy of this machine's GPUs where they count it, else of its processors."""
        try:
            return cls(_gpu_counters() or _rapl_counters(rapl))
        except (OSError, ValueError):
            return cls([])

    def stop(self) -> float | None:
        """Return the joules since it was made; None where there is no counter."""
        if not self.counters:
            return None
        self._stop.set()
        self._looking.join()
        self._add()
        return self.joules

    def _look_often(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            with suppress(OSError, ValueError):
                self._add()

    def _add(self) -> None:
        for place, (read, turnover) in enumerate(self.counters):
            now = read()
            added = now - self._last[place]
            if added < 0:  # it turned over, or, where it never does, began anew
                added = added + turnover if isfinite(turnover) else now
            self.joules += added
            self._last[place] = now


def _rapl_counters(root: Path) -> list[tuple[Callable[[], float], float]]:
    """Return the counters of processor packages and memory; OSError where they may not be read.

    Zones of other names hold or repeat these (psys is the whole system).
    """
    counters = []
    for folder in sorted(root.glob("intel-rapl:*")):
        if (folder / "name").read_text(encoding="ascii").startswith(("package", "dram")):
            turnover = int((folder / "max_energy_range_uj").read_text(encoding="ascii"))
            counters.append((_reader(folder / "energy_uj"), turnover * _MICRO))
    return counters


def _reader(file: Path) -> Callable[[], float]:
    return lambda: int(file.read_text(encoding="ascii")) * _MICRO


def _gpu_counters() -> list[tuple[Callable[[], float], float]]:
    """Return the counters of the GPUs that this process may use; none without their package."""
    cuda = _cuda()
    if cuda is None:
        return []
    try:
        import pynvml

        pynvml.nvmlInit()
        # By identity: the driver counts devices that CUDA_VISIBLE_DEVICES hides too.
        names = [f"GPU-{cuda.get_device_properties(i).uuid}" for i in range(cuda.device_count())]
        handles = [pynvml.nvmlDeviceGetHandleByUUID(name) for name in names]
        readers = [_gpu_reader(pynvml, handle) for handle in handles]
        for read in readers:
            read()
    except Exception:  # what a driver raises that cannot do this is its own affair
        return []
    return [(read, float("inf")) for read in readers]


def _gpu_reader(nvml: Any, handle: Any) -> Callable[[], float]:
    return lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000  # millijoules


def _cuda() -> Any:
    """Return torch's CUDA where it is in use; torch is not imported for this."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() else None
