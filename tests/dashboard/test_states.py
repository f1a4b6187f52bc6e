"""What state a run's folder is in, and why."""

import os
import socket
import time
from pathlib import Path

import pytest

from tuna_exp.dashboard.runs import read_run
from tuna_exp.planned import STEPS_FILE, Planned
from tuna_exp.sweeps.job import Command, keep_failure
from tuna_exp.sweeps.outcomes import FAILURE_FILE, JOB_FILE, Failure, Job, keep, read

COMMAND = Command(lambda: None, Path(), (), ("seed=1",), lambda error, _: (str(error), 2))
NOBODY = 2**22 - 1  # no process has this number


def begin(folder: Path, pid: int, began: float) -> None:
    planned = Planned(
        artifacts=str(folder), pid=pid, host=socket.gethostname(), began=began, steps=(), methods={}
    )
    keep(folder, STEPS_FILE, planned)


def test_a_run_that_fails_says_why_until_it_is_begun_again(tmp_path: Path) -> None:
    begin(tmp_path, NOBODY, time.time() - 60)
    assert read_run(tmp_path, "it").state == "unfinished"
    keep_failure(COMMAND, tmp_path, ["seed=1"], ValueError("it diverged"))
    run = read_run(tmp_path, "it")
    assert (run.state, run.reason, run.overrides) == ("failed", "it diverged", ("seed=1",))
    assert run.again.startswith("tuna-exp seed=1 hydra.run.dir=")
    begin(tmp_path, os.getpid(), time.time() + 60)
    assert (read_run(tmp_path, "it").state, read_run(tmp_path, "it").reason) == ("running", "")


def test_a_sweep_s_job_that_fails_alone_stays_that_job(tmp_path: Path) -> None:
    job = Job(
        sweep=7, number=3, overrides=("seed=1",), line="again", pid=1, host="x", began=1.0
    )  # fmt: skip
    keep(tmp_path, JOB_FILE, job)
    keep_failure(COMMAND, tmp_path, ["seed=1", "model=tiny"], ValueError("no"))
    failure = read(tmp_path / FAILURE_FILE, Failure)
    assert failure is not None
    assert (failure.sweep, failure.number, failure.line) == (7, 3, "again")


def test_what_never_began_and_other_ranks_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_failure(COMMAND, tmp_path / "absent", [], ValueError("no"))
    monkeypatch.setenv("LOCAL_RANK", "1")
    keep_failure(COMMAND, tmp_path, [], ValueError("no"))
    assert list(tmp_path.iterdir()) == []
