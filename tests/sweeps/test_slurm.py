"""A queue that forgets a job, shows it as ended for a moment, or does not answer."""

from collections.abc import Mapping

import pytest

from tuna_exp.sweeps.slurm import GONE, QueueWatcher


class Queue:
    """Seconds pass when they are told to; each look is counted."""

    def __init__(self) -> None:
        self.now, self.looks = 0.0, 0
        self.states: Mapping[str, str] | None = {"7_0": "RUNNING", "7_1": "PENDING"}
        self.watcher = QueueWatcher(self.look, lambda: self.now)

    def look(self) -> Mapping[str, str] | None:
        self.looks += 1
        return self.states

    def after(self, seconds: int) -> list[bool]:
        """Ask every second, as submitit does, and return what is over at the end."""
        for _ in range(seconds):
            self.now += 1
            told = [self.watcher.is_done(job) for job in ("7_0", "7_1")]
        return told


def test_a_job_that_the_queue_forgets_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    queue = Queue()
    assert queue.after(100) == [False, False] and queue.looks == 10
    queue.states = {"7_1": "RUNNING"}
    assert queue.after(20) == [False, False] and queue.after(20) == [True, False]
    assert queue.watcher.get_state("7_0") == GONE
    queue.states = {"7_1": "NODE_FAIL"}
    assert queue.after(40) == [True, True]
    assert capsys.readouterr().err.splitlines() == [
        "SLURM: job 7_0 is no longer known to SLURM and left no result",
        "SLURM: job 7_1 has ended (NODE_FAIL) and left no result",
    ]


def test_a_job_that_is_put_back_into_the_queue_is_not_over() -> None:
    queue = Queue()
    for state in ("NODE_FAIL", "PENDING", "PREEMPTED", "CANCELLED", "RUNNING"):
        queue.states = {"7_0": state, "7_1": "RUNNING"}
        assert queue.after(20) == [False, False]
    queue.states = {"7_0": "FAILED", "7_1": "RUNNING"}
    assert queue.after(10) == [True, False]


def test_a_queue_that_does_not_answer_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    queue = Queue()
    queue.states = {}
    queue.after(15)
    queue.states = None
    assert queue.after(600) == [False, False]
    assert capsys.readouterr().err.count("squeue does not answer") == 1
    queue.states = {}
    assert queue.after(40) == [True, True]
