"""Each of Optuna's samplers, in a search that is killed between two trials and goes on."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from tests.sweeps.test_outcomes import job
from tuna_exp.errors import ConfigError
from tuna_exp.run_records import RunRecord
from tuna_exp.sweeps.goals import goals_of
from tuna_exp.sweeps.optuna_parts import SAMPLERS
from tuna_exp.sweeps.outcomes import JOB_FILE, RUN_FILE, keep, read
from tuna_exp.sweeps.search import TRIALS_FILE, Search, Settings, Trials
from tuna_exp.sweeps.space import space_of

pytest.importorskip("optuna")
NUMBERS = ("x=interval(0,1)", "y=tag(log,interval(1e-3,1))", "k=int(interval(1,8))")
TOTAL, KILLED_AT = 12, 7
ONE, TWO = ("max:score",), ("max:score", "min:usd")


class Killed(BaseException):
    """The process of the search is gone."""


class Runs:
    """Does what a launcher does: the nearer x is to 0.7 and y to 0.1, the better, at a price."""

    def __init__(self, folder: Path, dies_at: int = TOTAL) -> None:
        self.folder, self.dies_at = folder, dies_at
        self.launched: dict[int, tuple[str, ...]] = {}

    def __call__(self, jobs: Sequence[Sequence[str]], first: int) -> None:
        for number, overrides in enumerate(jobs, first):
            self.launched[number] = tuple(overrides)
            if number == self.dies_at:
                raise Killed
            chosen = dict(word.split("=") for word in overrides)
            away = abs(float(chosen.get("x", 0.7)) - 0.7)
            away += abs(math.log10(float(chosen.get("y", 0.1))) + 1)
            price = float(chosen.get("k", 1)) - away
            comparison = self.folder / "artifacts" / "compare" / str(number)
            comparison.mkdir(parents=True, exist_ok=True)
            row = f"all,sft,{-away},{price}"
            (comparison / "table.csv").write_text(f"split,method,score,usd\n{row}\n")
            keep(self.folder / str(number), JOB_FILE, job(number, 0))
            record = RunRecord(
                artifacts=str(self.folder / "artifacts"), comparison=str(number), evaluated={}
            )
            (self.folder / str(number) / RUN_FILE).write_text(record.model_dump_json())


def search(
    folder: Path,
    sampler: str,
    typed: Sequence[str],
    goals: Sequence[str] = ONE,
    own: Mapping[str, Any] | None = None,
    n_jobs: int = 2,
) -> Search:
    settings = Settings(
        n_trials=TOTAL, n_jobs=n_jobs, sampler=sampler, seed=0, pruner="none",
        watch="min:ranking_loss", every=1, sampler_settings=own or {},
    )  # fmt: skip
    space = space_of(OverridesParser.create().parse_overrides([*typed]))
    return Search(settings, goals_of([*goals]), space, folder)


@pytest.mark.parametrize(
    ("sampler", "goals", "own"),
    [
        ("random", ONE, {}),
        ("tpe", ONE, {"multivariate": True, "n_startup_trials": 3}),
        ("tpe", TWO, {"multivariate": True, "group": True, "n_startup_trials": 3}),
        ("nsgaii", TWO, {}),
        ("nsgaiii", TWO, {"population_size": 3}),
        ("gp", ONE, {"n_startup_trials": 3}),
        ("qmc", TWO, {"scramble": True}),
        ("cmaes", ONE, {"n_startup_trials": 2, "popsize": 4}),
    ],
)
@pytest.mark.filterwarnings("error")
def test_each_sampler_goes_on_where_it_was_killed(
    sampler: str,
    goals: Sequence[str],
    own: Mapping[str, Any],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    typed = (*NUMBERS, "z=a,b")
    first, second = Runs(tmp_path, KILLED_AT), Runs(tmp_path)
    with pytest.raises(Killed):
        search(tmp_path, sampler, typed, goals, own).run(first)
    search(tmp_path, sampler, typed, goals, own).run(second)
    found = read(tmp_path / TRIALS_FILE, Trials)
    assert found is not None
    assert [(t.number, t.state) for t in found.trials] == [(n, "finished") for n in range(TOTAL)]
    assert second.launched[KILLED_AT] == first.launched[KILLED_AT]
    # None is drawn again by the second process; a child may be all that its parent was.
    apart = len({trial.chosen for trial in found.trials})
    assert apart == TOTAL or (sampler.startswith("nsga") and apart > TOTAL // 2)
    assert set(SAMPLERS) >= {sampler} and capfd.readouterr().err == ""


def test_a_grid_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    typed = ("k=range(1,5)", "z=a,b")
    first, second = Runs(tmp_path, 3), Runs(tmp_path)
    with pytest.raises(Killed):
        search(tmp_path, "grid", typed).run(first)
    search(tmp_path, "grid", typed).run(second)
    every = {**first.launched, **second.launched}.values()
    assert sorted(every) == [(f"k={k}", f"z={z}") for k in range(1, 5) for z in "ab"]


def test_a_quasi_random_sequence_is_that_of_a_search_without_a_kill(tmp_path: Path) -> None:
    own = {"scramble": True}  # by the seed, which both processes have
    whole, first, second = Runs(tmp_path / "a"), Runs(tmp_path / "b", 5), Runs(tmp_path / "b")
    search(tmp_path / "a", "qmc", NUMBERS, own=own, n_jobs=1).run(whole)
    with pytest.raises(Killed):
        search(tmp_path / "b", "qmc", NUMBERS, own=own, n_jobs=1).run(first)
    search(tmp_path / "b", "qmc", NUMBERS, own=own, n_jobs=1).run(second)
    assert {**first.launched, **second.launched} == whole.launched


def test_what_searches_nothing_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    search(tmp_path, "nsgaii", NUMBERS, TWO, {"population_size": 50})
    assert "draws its first 50 trials at random" in caplog.text and "population_size" in caplog.text
    with pytest.raises(ConfigError, match="cmaes searches numbers, and all that varies"):
        search(tmp_path, "cmaes", ["z=a,b"])
    search(tmp_path, "cmaes", [*NUMBERS, "z=a,b"])
    assert "drawn at random: z" in caplog.text


def test_a_package_that_a_sampler_lacks_is_told_before_any_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(ConfigError, match=r"sampler=cmaes needs what is not installed here"):
        search(tmp_path, "cmaes", NUMBERS)
