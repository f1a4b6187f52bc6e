"""The launching process shows jobs that run elsewhere: from their folders, one line per job.

A job's own display goes to `screen.log` in its folder. On a terminal the running jobs and the last
line of each are redrawn; elsewhere only what has ended is told.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from tuna_exp.progress import spoken_time
from tuna_exp.sweeps.outcomes import (
    JOB_FILE,
    SCREEN_FILE,
    Job,
    Outcome,
    began,
    outcome_of,
    read,
)

_SECONDS_BETWEEN_LOOKS = 0.3
_TAIL_BYTES = 400
_SHOWN = 8


class Watch:
    """Tells of the `count` jobs below a sweep's folder for as long as it is entered.

    `told` is what an earlier watch over the folder has told already, by job; it is added to.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        told: dict[int, str] | None = None,
        console: Console | None = None,
    ) -> None:
        self.folder, self.count = folder, count
        self.console = console or Console(stderr=True)
        self._told: dict[int, str] = {} if told is None else told
        self._running: list[tuple[Job, Path]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._live: Live | None = None
        self._here = (os.getpid(), socket.gethostname())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.look()
        if self._live is not None:
            self._live.stop()

    def look(self) -> None:
        """Read the jobs' folders once and tell what has changed."""
        this = began(self.folder)
        self._running = []
        for path in sorted(self.folder.rglob(JOB_FILE)):
            job = read(path, Job)
            outcome = outcome_of(path.parent, this)
            if job is None or outcome is None or (job.pid, job.host) == self._here:
                continue  # a job in this process tells of itself
            if outcome.state == "unfinished":
                self._running.append((job, path.parent))
                self._told.pop(job.number, None)
            elif self._told.get(job.number) != outcome.state:
                self._told[job.number] = outcome.state
                self._tell(job, outcome)
        if self._running and self._live is None and self.console.is_terminal:
            self._live = Live(
                console=self.console, get_renderable=self._render, refresh_per_second=4
            )
            self._live.start()

    def _look_on(self) -> None:
        while not self._stop.wait(_SECONDS_BETWEEN_LOOKS):
            with suppress(OSError):  # a folder that goes away is looked at again
                self.look()

    def _tell(self, job: Job, outcome: Outcome) -> None:
        took = spoken_time(time.time() - job.began)
        words = {
            "finished": f"finished in {took}",
            "already done": f"already done in {outcome.folder}",
            "failed": f"failed after {took}: {outcome.message.partition(chr(10))[0]}",
            "pruned": f"pruned after {took}",
        }[outcome.state]
        line = f"[{len(self._told)}/{self.count}] job {job.number} ({' '.join(job.overrides)})"
        self.console.print(f"{line}: {words}", markup=False, highlight=False, soft_wrap=True)

    def _render(self) -> Group:
        rows = []
        for job, place in self._running[:_SHOWN]:
            head = f"job {job.number} ({' '.join(job.overrides)})"
            row = f"{head} · {spoken_time(time.time() - job.began)} · {last_line(place)}"
            rows.append(Text(row, no_wrap=True, overflow="ellipsis"))
        rows.append(Text(f"{len(self._told)} of {self.count} jobs done"))
        return Group(*rows)


def last_line(place: Path) -> str:
    """Return the last line that a job has written for the screen, "" before the first."""
    try:
        with (place / SCREEN_FILE).open("rb") as screen:
            screen.seek(0, os.SEEK_END)
            screen.seek(max(screen.tell() - _TAIL_BYTES, 0))
            lines = screen.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")
