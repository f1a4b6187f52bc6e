"""What is searched for: figures of runs by the names of their tables."""

import json
from pathlib import Path

import pytest

from tuna_exp.errors import ConfigError, UserError
from tuna_exp.sweeps.goals import Goal, goals_of, read_figures, values_of
from tuna_exp.sweeps.outcomes import RUN_FILE

TABLE = """split,method,score,verdict,usd
all,base,0.2,worse,0
all,tuna_c,0.5,better,
unseen,tuna_c,0.4,better,1
"""
FIGURES = """benchmark,method,metric,group,value
lmentry,tuna_c,accuracy,all (2 of 25 tasks),0.7
lmentry,tuna_c,accuracy,one task,0.1
lmentry,base,robustness,all (2 of 25 tasks),
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    comparison = tmp_path / "artifacts" / "compare" / "c"
    comparison.mkdir(parents=True)
    (comparison / "table.csv").write_text(TABLE)
    (comparison / "figures.csv").write_text(FIGURES)
    record = {"artifacts": str(tmp_path / "artifacts"), "comparison": "c"}
    (tmp_path / RUN_FILE).write_text(json.dumps(record))
    return tmp_path


def test_figures_have_the_names_of_the_tables(run: Path) -> None:
    assert read_figures(run) == {
        "base": {"score": 0.2, "usd": 0.0},
        "tuna_c": {"score": 0.5, "unseen/score": 0.4, "unseen/usd": 1.0, "lmentry/accuracy": 0.7},
    }


def test_the_last_method_counts_unless_one_is_named(run: Path) -> None:
    goals = goals_of(["max:score", "min:score@base", "max:lmentry/accuracy", "min:usd"])
    assert values_of(goals, run) == [0.5, 0.2, 0.7, None]
    assert [str(goal) for goal in goals][1] == "min:score@base"


def test_a_wrong_name_is_told_with_the_near_one(run: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'score'"):
        values_of([Goal("max", "scores")], run)
    with pytest.raises(ConfigError, match="base, tuna_c"):
        values_of([Goal("max", "score", "tuna_p")], run)


def test_a_damaged_record_is_told(run: Path) -> None:
    (run / RUN_FILE).write_text("{")
    with pytest.raises(UserError, match=rf"{RUN_FILE} cannot be read"):
        read_figures(run)


@pytest.mark.parametrize("wrong", [[], ["score"], ["best:score"], ["max:"], None, ["max:a"] * 2])
def test_what_is_no_figure_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="optimize="):
        goals_of(wrong)
