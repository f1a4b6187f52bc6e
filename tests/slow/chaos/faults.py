"""What can happen to a machine while a run works, one class for each.

A fault is prepared before the run starts, strikes at some instant of its work, and is healed when
the run has ended, or, for what a run may wait out, when its time is over.
"""

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import ClassVar

from tests.services.loopback import Loopback, running
from tests.slow.chaos.ending import finished, name
from tests.slow.chaos.runs import Run
from tuna_exp.cli import TERMINATED, USER_ERROR

MIB = 2**20
KILLED = -signal.SIGKILL
_ABORTS = (signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS)


class Network:
    """The service of runs that buy answers, and the way to it.

    It lives as long as the rounds, at one port; what it says follows from the request alone.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._stack = ExitStack()
        self.server = self._start(0)
        self.port = int(self.server.base_url.rpartition(":")[2])

    def _start(self, port: int) -> Loopback:
        settings = {"port": port, "state": str(self._state), "latency": 0.05}
        return self._stack.enter_context(running(**settings))

    def cut(self) -> None:
        """Close every connection and refuse new ones."""
        self._stack.close()

    def mend(self) -> None:
        """Listen again where it was."""
        self.server = self._start(self.port)

    def silence(self, on: bool) -> None:
        """Take what comes and say nothing, as where packets get lost."""
        self.server.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def close(self) -> None:
        """End it for good."""
        self._stack.close()


class Fault:
    """One disturbance of one run in `folder`. `allowed` are the exit statuses that it may cause."""

    kind: ClassVar[str]
    allowed: ClassVar[frozenset[int]] = frozenset({0})
    scene: ClassVar[str | None] = None  # of every scene
    root: ClassVar[bool] = False

    def __init__(self, folder: Path, luck: random.Random, network: Network, minute: float) -> None:
        self.folder = folder
        self.luck = luck
        self.network = network
        self.minute = minute
        self.hit = ""
        self.exempt: str | None = None  # STAGE/KEY of an artifact that was damaged
        self.early = False  # strikes before the run starts

    def environment(self) -> Mapping[str, str] | None:
        """Return what the run's environment has besides; None for a forked run."""
        return None

    def prepare(self) -> None:
        """Do what must be there before the folder is filled."""

    def strike(self, run: Run) -> None:
        """Disturb the run now."""
        raise NotImplementedError

    def heal(self) -> None:
        """End what lasts. Called once, struck or not."""


class Kill(Fault):
    """SIGKILL, as from the kernel when memory is short, or from a power cut."""

    kind = "kill"
    allowed = frozenset({0, KILLED})

    def strike(self, run: Run) -> None:
        """Kill it."""
        run.send(signal.SIGKILL)


class Terminate(Fault):
    """SIGTERM, as clusters send it before they take a machine away."""

    kind = "term"
    allowed = frozenset({0, TERMINATED})

    def strike(self, run: Run) -> None:
        """Tell it to end."""
        run.send(signal.SIGTERM)


class Stop(Fault):
    """SIGSTOP for a while, in every fifth round for a whole minute."""

    kind = "stop"

    def strike(self, run: Run) -> None:
        """Stop it, wait, let it go on."""
        seconds = self.minute if self.luck.random() < 0.2 else self.luck.uniform(0.5, 4.0)
        run.send(signal.SIGSTOP)
        time.sleep(seconds)
        run.send(signal.SIGCONT)
        self.hit = f"{seconds:.0f} s"


class DiskFull(Fault):
    """Not a byte is left, for some seconds or until the run has ended."""

    kind = "full"
    allowed = frozenset({0, USER_ERROR})
    root = True

    def prepare(self) -> None:
        """Mount a disk of its own."""
        mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", str(self.folder))

    def strike(self, run: Run) -> None:
        """Fill it to the last byte."""
        with (self.folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"\0" * 65536)
        run.wait_until(lambda: False, self.luck.uniform(1.0, 15.0))
        (self.folder / "filler").unlink()

    def heal(self) -> None:
        """Give the space back; the disk stays until the round is over."""
        (self.folder / "filler").unlink(missing_ok=True)


class ReadOnly(Fault):
    """The artifact folder becomes read-only, as where a disk has failed."""

    kind = "read-only"
    allowed = frozenset({0, USER_ERROR})
    root = True

    def strike(self, run: Run) -> None:
        """Lay a read-only view over the folder: names that are looked up from now on are of it."""
        place = str(self.folder / "artifacts")
        mount("--bind", place, place)
        mount("-o", "remount,bind,ro", place)
        run.wait_until(lambda: False, self.luck.uniform(1.0, 15.0))

    def heal(self) -> None:
        """Take the view away."""
        unmount(self.folder / "artifacts")


class Corrupt(Fault):
    """One bit of a finished artifact turns over."""

    kind = "corrupt"
    allowed = frozenset({0, USER_ERROR})

    def prepare(self) -> None:
        """Decide whether it was so before the run."""
        self.early = self.luck.random() < 0.5

    def strike(self, run: Run | None) -> None:
        """Turn a bit of a random byte of a random file."""
        entries = [e for e in finished(self.folder).values() if e.folder.parent.name != "compare"]
        entry = self.luck.choice(entries)
        files = [f for f in sorted(entry.folder.rglob("*")) if f.is_file() and f.stat().st_size]
        file = self.luck.choice(files)
        content = bytearray(file.read_bytes())
        place = self.luck.randrange(len(content))
        content[place] ^= 1 << self.luck.randrange(8)
        with file.open("r+b") as same:
            same.write(content)
        self.exempt = name(entry)
        self.hit = f"{self.exempt}: byte {place} of {file.name}"


class ClockJump(Fault):
    """The clock is set, by a minute or by years, back or forth."""

    kind = "clock"
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))

    def environment(self) -> Mapping[str, str] | None:
        """Have the run read its clock through libfaketime."""
        self._tell("+0")
        return {
            "LD_PRELOAD": str(self.libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def strike(self, run: Run) -> None:
        """Set the clock."""
        seconds = self.luck.choice([60, 3600, 86_400, 10 * 365 * 86_400])
        jump = f"{self.luck.choice('+-')}{seconds}"
        self._tell(jump)
        self.hit = f"{jump} s"

    def _tell(self, offset: str) -> None:
        new = self.folder / "clock.new"
        new.write_text(f"{offset}\n", encoding="ascii")
        new.replace(self.folder / "clock")


class OutOfMemory(Fault):
    """No more memory than it has, and a little."""

    kind = "memory"
    # The kernel kills; C++ and Rust end the process themselves where they are refused memory.
    allowed = frozenset({0, USER_ERROR, KILLED}) | {-n for n in _ABORTS}

    def strike(self, run: Run) -> None:
        """Bound its address space, or kill it as the kernel would."""
        if self.luck.random() < 0.3:
            self.hit = "killed by the kernel"
            run.send(signal.SIGKILL)
            return
        with suppress(OSError):
            pages = int(Path(f"/proc/{run.pid}/statm").read_text().split()[0])
            more = self.luck.randrange(64) * MIB
            limit = pages * resource.getpagesize() + more
            resource.prlimit(run.pid, resource.RLIMIT_AS, (limit, limit))
            self.hit = f"{more // MIB} MiB are left"


class NetworkCut(Fault):
    """The service cannot be reached for some seconds: refused, or silent."""

    kind = "network"
    allowed = frozenset({0, USER_ERROR})
    scene = "bought"

    def strike(self, run: Run) -> None:
        """Cut the way to it, and mend it."""
        silent, seconds = self.luck.random() < 0.5, self.luck.uniform(0.5, 6.0)
        self.hit = f"{'silent' if silent else 'refused'} for {seconds:.1f} s"
        if silent:
            self.network.silence(on=True)
        else:
            self.network.cut()
        time.sleep(seconds)
        if silent:
            self.network.silence(on=False)
        else:
            self.network.mend()


FAULTS: tuple[type[Fault], ...] = (
    Kill,
    Terminate,
    Stop,
    DiskFull,
    ReadOnly,
    Corrupt,
    ClockJump,
    OutOfMemory,
    NetworkCut,
)


def possible(fault: type[Fault]) -> str | None:
    """Return why a fault cannot be made on this machine; None where it can."""
    if fault.root and (os.geteuid() != 0 or not _may_mount()):
        return f"{fault.kind}: mounting a small disk takes root"
    if fault is ClockJump and not ClockJump.libraries:
        return "clock: libfaketime is not installed (apt install faketime)"
    return None


def _may_mount() -> bool:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        try:
            mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", place)
        except (OSError, subprocess.CalledProcessError):
            return False
        unmount(Path(place))
    return True


def mount(*arguments: str) -> None:
    """Call mount."""
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def unmount(place: Path) -> None:
    """Take away what is mounted at a place, if something is, though it be in use.

    Nothing is asked before: `os.path.ismount` does not know of a folder laid over itself.
    """
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)
