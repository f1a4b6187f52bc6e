"""What became of a job of SLURM's, asked of its queue.

submitit asks the accounting (`sacct`). Where there is none, it waits for ever for a job that died
with its node: no result file says so, and nobody else does. Every cluster has a queue, which knows
a job until some minutes after its end. Left out: why a job ended, which the accounting alone keeps.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

GONE = "no longer known to SLURM"
# What a job stays in, and what may be followed by its being put back into the queue.
ENDED = frozenset({"COMPLETED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE"})
BROKEN_OFF = frozenset({"CANCELLED", "NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "REVOKED", GONE})
_UNKNOWN = "UNKNOWN"  # submitit's word before the first look
_SECONDS_BETWEEN_LOOKS = 10.0
_SECONDS_BROKEN_OFF = 20.0
_SECONDS_TO_ANSWER = 60.0
Look = Callable[[], Mapping[str, str] | None]


def ask_the_queue() -> None:
    """Let submitit wait for SLURM's jobs by the queue."""
    from submitit.slurm.slurm import SlurmJob

    # Any: it answers what is asked of submitit's own class, and is none of it.
    watcher: Any = QueueWatcher()
    SlurmJob.watcher = watcher


def in_queue() -> Mapping[str, str] | None:
    """Return the states of the user's jobs by their ids (ARRAY_INDEX); None without an answer."""
    command = [
        "squeue", "--noheader", "--all", "--array", "--states=all", f"--user={os.getuid()}",
        "--format=%i|%T",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_SECONDS_TO_ANSWER
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(line.strip().rpartition("|")[::2] for line in done.stdout.splitlines())


class QueueWatcher:
    """Answers what submitit asks of a watcher: how jobs are, and whether they are over.

    A job is over that has ended, or that all looks of twenty seconds found broken off. Where the
    queue does not answer, nobody knows, and jobs are waited for.
    """

    def __init__(self, look: Look = in_queue, clock: Callable[[], float] = time.monotonic) -> None:
        self._look, self._clock = look, clock
        self._jobs: set[str] = set()
        self._states: dict[str, str] = {}
        self._since: dict[str, float] = {}  # a job that is broken off is found so
        self._looked = float("-inf")
        self._told: set[str] = set()

    def register_job(self, job_id: str) -> None:
        """Look for this job too from now on."""
        self._jobs.add(job_id)

    def get_state(self, job_id: str, mode: str = "standard") -> str:
        """Return the state of a job; in mode "cache" as it was at the last look."""
        self._jobs.add(job_id)
        if mode == "force" or (
            mode != "cache" and self._clock() - self._looked >= _SECONDS_BETWEEN_LOOKS
        ):
            self._look_now()
        return self._states.get(job_id, _UNKNOWN)

    def get_info(self, job_id: str, mode: str = "standard") -> dict[str, str]:
        """Return what is known of a job."""
        return {"JobID": job_id, "State": self.get_state(job_id, mode)}

    def is_done(self, job_id: str, mode: str = "standard") -> bool:
        """Whether a job is over. submitit asks this of jobs that have left no result."""
        state = self.get_state(job_id, mode)
        since = self._since.get(job_id, self._looked)
        if state not in ENDED and self._looked - since < _SECONDS_BROKEN_OFF:
            return False
        words = f"is {GONE}" if state == GONE else f"has ended ({state})"
        self._tell(job_id, f"SLURM: job {job_id} {words} and left no result")
        return True

    def _look_now(self) -> None:
        self._looked = self._clock()
        found = self._look()
        if found is None:
            self._tell("", "SLURM: squeue does not answer; jobs are waited for until it does")
            self._since.clear()
            return
        for job_id in self._jobs:
            state = self._states[job_id] = found.get(job_id, GONE)
            if state in BROKEN_OFF:
                self._since.setdefault(job_id, self._looked)
            else:
                self._since.pop(job_id, None)

    def _tell(self, key: str, words: str) -> None:
        """Say it once."""
        if key not in self._told:
            self._told.add(key)
            sys.stderr.write(f"{words}\n")
