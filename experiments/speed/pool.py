"""Worker processes: one for each form, or one for all where memory holds only one model."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from experiments.speed.memory import resident
from experiments.speed.protocol import Answer, Request

ROOT = Path(__file__).parents[2]


class Process:
    """One worker. It is started by its first request and again after it died."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def ask(self, request: Request) -> Answer:
        """Return the answer, or how the process ended if it gave none."""
        process = self.process = self.process or _start()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the worker was started without pipes")
        try:
            process.stdin.write(request.model_dump_json() + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return Answer.model_validate_json(line)
        self.process = None
        return Answer(failed=ending(process.wait()))

    @property
    def bytes(self) -> int:
        """Resident memory."""
        return resident(self.process.pid) if self.process else 0

    def close(self) -> None:
        """Let it end by closing its input."""
        if self.process is not None:
            self.process.communicate()
            self.process = None


class Pool:
    """Asks the worker that a form has; a context manager that ends them all."""

    def __init__(self, shared: bool) -> None:
        self.shared = shared
        self.processes: dict[str, Process] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ask(self, request: Request) -> Answer:
        """Have the form's worker do it."""
        name = "all" if self.shared else request.form
        return self.processes.setdefault(name, Process()).ask(request)

    def share(self, shared: bool) -> None:
        """Go over to one worker for all forms, or back to one each."""
        if shared != self.shared:
            self.close()
            self.shared = shared

    @property
    def bytes(self) -> int:
        """Resident memory of all workers."""
        return sum(process.bytes for process in self.processes.values())

    def close(self) -> None:
        """End every worker."""
        for process in self.processes.values():
            process.close()
        self.processes.clear()


def _start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "experiments.speed.worker"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)


def ending(code: int) -> str:
    """Say how a worker ended that gave no answer."""
    if code == -9:
        return "the worker was killed, as the system does when memory runs out"
    return f"the worker ended with {code}; its message stands above"
