"""What a sweep's folder says, from the files that jobs leave there."""

import shlex
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.sweeps.outcomes import (
    FAILURE_FILE,
    JOB_FILE,
    RUN_FILE,
    SWEEP_FILE,
    Failure,
    Job,
    Sweep,
    command_line,
    keep,
    of_one_job,
    outcomes,
    varying,
)


def job(number: int, sweep: int = 7) -> Job:
    return Job(
        sweep=sweep, number=number, overrides=(f"seed={number}",), line="l", pid=1, host="h",
        began=0,
    )  # fmt: skip


def test_a_folder_tells_what_became_of_each_job(tmp_path: Path) -> None:
    jobs = {n: (f"seed={n}",) for n in range(6)}
    keep(tmp_path, SWEEP_FILE, Sweep(began=7, jobs=jobs))
    for number in range(4):
        keep(tmp_path / str(number), JOB_FILE, job(number))
    (tmp_path / "0" / RUN_FILE).write_text("{}")
    (tmp_path / "1" / RUN_FILE).symlink_to(tmp_path / "0" / RUN_FILE)
    failure = Failure(sweep=7, number=2, overrides=("seed=2",), message="m", status=2)
    keep(tmp_path / "2", FAILURE_FILE, failure)
    keep(tmp_path / "4", JOB_FILE, job(4, sweep=6))  # of an earlier execution
    found = outcomes(tmp_path)
    assert [o.state for o in found] == [
        "finished", "already done", "failed", "unfinished", "not started", "not started",
    ]  # fmt: skip
    assert found[1].folder == (tmp_path / "0").resolve()
    assert found[2].message == "m"


def test_a_torn_record_is_none(tmp_path: Path) -> None:
    keep(tmp_path, SWEEP_FILE, Sweep(began=7, jobs={0: ("a",)}))
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / JOB_FILE).write_text('{"sweep": 7, "num')
    assert [o.state for o in outcomes(tmp_path)] == ["not started"]


def test_hydras_settings_of_the_sweep_are_left_out_of_a_line() -> None:
    kept = ["model=tiny", "hydra.job.env_set.A=1", "hydra.searchpath=[file://x]", "+a=hydra.sweep"]
    left = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=x", "hydra.mode=M"]
    left += ["hydra/sweeper=optuna", "+hydra.sweeper.params=x", "hydra.run.dir=y"]
    assert of_one_job([*kept, *left]) == kept


@given(st.text(st.characters(codec="ascii", categories=["L", "P", "S", "Zs"]), min_size=1))
def test_a_shell_reads_the_line_as_it_was_typed(value: str) -> None:
    override = f"model.system_prompt='{value}'"
    line = command_line(("--config-dir", "my own"), (override,), Path("runs/a"))
    words = ["tuna-exp", "--config-dir", "my own", override, "hydra.run.dir=runs/a"]
    assert shlex.split(line) == words


def test_overrides_that_tell_jobs_apart() -> None:
    assert varying({0: ("a=1", "b=1"), 1: ("a=1", "b=2")}) == {0: ("b=1",), 1: ("b=2",)}
    assert varying({0: ("a=1",), 1: ("a=1",)}) == {0: ("a=1",), 1: ("a=1",)}
    assert varying({0: ("a=1",)}) == {0: ("a=1",)}
