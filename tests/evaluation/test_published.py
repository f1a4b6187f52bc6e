"""Where data is said to be had: of all benchmarks at once, each by its own command."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tuna_exp.errors import ConfigError
from tuna_exp.evaluation.published import check_there
from tuna_exp.evaluation.subset import Subset
from tuna_exp.evaluation.verifiable import VerifiableBenchmark


def lying_at(path: Path | None, **more: object) -> SimpleNamespace:
    return SimpleNamespace(path=path and str(path), **more)


def test_what_is_there_or_needs_nothing_is_no_error(tmp_path: Path) -> None:
    answers = SimpleNamespace(path=str(tmp_path))
    check_there(
        {
            "here": lying_at(tmp_path, reference=answers),
            "hub": lying_at(tmp_path / "no", hub_id="a/b"),
            "made": Subset(VerifiableBenchmark(1, 0, None, 1, 1), 1),
        }
    )


def test_all_that_is_missing_is_told(tmp_path: Path) -> None:
    other = lying_at(tmp_path, reference=SimpleNamespace(path="answers.jsonl"))
    (tmp_path / "ambient").mkdir()
    with pytest.raises(ConfigError) as told:
        check_there(
            {
                "lmentry": lying_at(tmp_path / "lmentry"),
                "readings": lying_at(tmp_path / "ambient" / "test.jsonl"),
                "vicuna": other,
            }
        )
    first, second, third, last = str(told.value).splitlines()
    assert f"git clone --depth 1 https://github.com/aviaefrat/lmentry {tmp_path}/lmentry" in first
    assert "it is not whole, or evaluation.readings" in second
    assert third == (
        "evaluation.vicuna.reference.path=answers.jsonl is not there. "
        "Cure: evaluation.vicuna.reference.path=PATH."
    )
    assert "TUNA_EXP_BENCHMARKS" in last
