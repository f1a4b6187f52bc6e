"""Searches of the toy command on Optuna: what is chosen, killed, failed, and refused beforehand."""

import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.sweeps.test_sweeping import JOBLIB, times, toy
from tests.sweeps.toy import DIES_ONCE, FAILS
from tuna_exp.sweeps.outcomes import read
from tuna_exp.sweeps.search import TRIALS_FILE, Trials, in_a_row

pytest.importorskip("optuna")
HERE = "hydra.sweep.dir=runs/a"


def search(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return toy(folder, "-m", "hydra/sweeper=optuna", *arguments)


def trials(folder: Path) -> Trials:
    found = read(folder / "runs/a" / TRIALS_FILE, Trials)
    assert found is not None
    return found


def test_a_search_finds_and_goes_on(tmp_path: Path) -> None:
    space = ("max_refused=interval(0,1)", f"seed=1,3,{FAILS}", HERE)
    first = search(tmp_path, *space, "hydra.sweeper.n_trials=8")
    assert "search for max:score: 8 trials" in first.stdout, first.stderr
    eight = trials(tmp_path).trials
    assert {trial.state for trial in eight} == {"finished", "failed"} and first.returncode == 2
    best = max(eight, key=lambda trial: trial.values)
    assert best.best and f"best: trial {best.number}, score" in first.stdout
    second = search(tmp_path, *space, "hydra.sweeper.n_trials=10", "hydra.sweeper.sampler=random")
    ten = trials(tmp_path).trials
    assert ten[:8] == tuple(t.model_copy(update={"best": ten[t.number].best}) for t in eight)
    assert len({trial.chosen for trial in ten}) == 10, second.stderr
    assert sum(times(tmp_path).values()) == 10
    other = search(tmp_path, "max_refused=interval(0,0.5)", HERE)
    assert other.returncode != 0 and "holds another search" in other.stderr
    assert "Traceback" not in first.stderr + second.stderr + other.stderr


@pytest.mark.parametrize("launcher", [JOBLIB, ("hydra/launcher=ray", "hydra.sweeper.n_jobs=2")])
def test_trials_at_the_same_time_and_a_dead_process(
    launcher: tuple[str, str], tmp_path: Path
) -> None:
    pytest.importorskip({JOBLIB: "hydra_plugins.hydra_joblib_launcher"}.get(launcher, "ray"))
    done = search(
        tmp_path, *launcher, f"seed=1,2,{DIES_ONCE},{FAILS}", "hydra.sweeper.sampler=grid", HERE,
        "hydra.sweeper.n_trials=9",
    )  # fmt: skip
    states = {trial.chosen[0]: trial.state for trial in trials(tmp_path).trials}
    assert states == {
        "seed=1": "finished", "seed=2": "finished", f"seed={DIES_ONCE}": "finished",
        f"seed={FAILS}": "failed",
    }, done.stderr  # fmt: skip
    assert "with seed=2" in done.stdout  # of all, the nearest to 3


def test_several_figures_have_trade_offs(tmp_path: Path) -> None:
    database = f"hydra.sweeper.storage=sqlite:///{tmp_path}/search.db"
    done = search(
        tmp_path, "seed=range(0,6)", "optimize=[max:score,min:usd]", "hydra.sweeper.sampler=grid",
        database, HERE,
    )  # fmt: skip
    pytest.importorskip("sqlalchemy")
    best = [trial.chosen for trial in trials(tmp_path).trials if trial.best]
    assert best == [("seed=0",), ("seed=1",), ("seed=2",), ("seed=3",)], done.stderr
    assert "none of which another trial beats" in done.stdout
    with sqlite3.connect(tmp_path / "search.db") as opened:
        assert opened.execute("select count(*) from trials").fetchone() == (6,)


def test_a_killed_search_launches_the_same_trials_again(tmp_path: Path) -> None:
    space = ("max_refused=interval(0,1)", f"seed={DIES_ONCE},4", HERE)
    killed = search(tmp_path, *space, "hydra.sweeper.n_trials=4")
    assert killed.returncode == -9  # jobs in this process: the search dies with one
    again = search(tmp_path, *space, "hydra.sweeper.n_trials=4")
    assert again.returncode == 0, again.stderr
    assert [t.state for t in trials(tmp_path).trials] == ["finished"] * 4
    assert [t.number for t in trials(tmp_path).trials] == [0, 1, 2, 3]
    assert sum(times(tmp_path).values()) == 5  # of each trial once, and of the one that died


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("hydra.sweeper.sampler=tp", "sampler=tp: allowed are auto, tpe.*Did you mean 'tpe'"),
        ("hydra.sweeper.pruner=medain", "pruner=medain: allowed are none, median"),
        ("hydra.sweeper.n_trials=0", "n_trials=0: allowed are 1, 2"),
        ("hydra.sweeper.sampler_settings={a: 1}", r"sampler_settings=.*its arguments are"),
        ("hydra.sweeper.pruner_settings={a: 1}", r"pruner_settings=.*its arguments are none"),
        ("hydra.sweeper.watch=loss", "watch=loss: allowed are min:METRIC"),
        ("optimize=[score]", "optimize=score: allowed are max:NAME"),
        ("max_refused=interval(1,0)", "holds nothing"),
        ("hydra.sweeper.storage='postgresql://me:secret@host/db'", "holds a password"),
        ("hydra.sweeper.storage='nothing://host/db'", "cannot be opened"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_starts(
    wrong: str, told: str, tmp_path: Path
) -> None:
    done = search(tmp_path, "seed=1,2", wrong)
    words = " ".join(done.stderr.split())
    assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr
    assert re.search(told, words), words
    assert "secret" not in done.stderr and not (tmp_path / "artifacts").exists()


def test_a_name_that_no_table_has_ends_the_search_at_the_first_result(tmp_path: Path) -> None:
    done = search(tmp_path, "seed=1,2", "optimize=[max:scor]")
    assert "there is no such figure" in done.stderr and "Did you mean 'score'" in done.stderr
    assert sum(times(tmp_path).values()) == 1


def test_numbers_that_leave_one_out_are_launched_apart() -> None:
    class Numbered:
        def __init__(self, number: int) -> None:
            self.number = number

    parts = in_a_row([Numbered(n) for n in (4, 1, 2, 7)])
    assert [[one.number for one in part] for part in parts] == [[1, 2], [4], [7]]
