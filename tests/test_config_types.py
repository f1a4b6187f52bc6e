"""What a config is checked for, without the command around it."""

from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tuna_exp.cli import SETTINGS
from tuna_exp.config_types import Checking, Known, check_config, misfit, misused
from tuna_exp.config_values import RULES, rule_for
from tuna_exp.errors import ConfigError
from tuna_exp.secrets import is_secret


class Part:
    """Somebody's class."""

    def __init__(self, size: int, name: str = "x", *, rate: float = 0.5) -> None:
        self.size, self.name, self.rate = size, name, rate


def open_ended(**settings: object) -> dict[str, object]:
    """A function that takes anything."""
    return settings


def problems(node: dict[str, Any]) -> list[str]:
    return list(misused({"_target_": f"{__name__}.Part", **node}, "part"))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name that a config would give it; pytest imports this file in its own way."""
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules[Part.__module__])


def test_arguments_of_somebodys_class_are_held_against_its_annotations() -> None:
    assert problems({"size": 3, "rate": 1}) == []
    assert problems({"size": "3"}) == ["part.size='3': should be a valid integer."]
    assert problems({}) == [f"part.size is required by {__name__}.Part and was not given."]
    assert problems({"_partial_": True}) == []
    (said,) = problems({"size": 1, "nam": "y"})
    assert "Did you mean 'name'? Cure: leave it out, with ~part.nam where an" in said


def test_what_a_function_takes_is_its_own_affair_where_it_takes_anything() -> None:
    assert list(misused({"_target_": f"{__name__}.open_ended", "a": 1}, "part")) == []


@pytest.mark.parametrize("target", ["nowhere.Part", "pathlib.Nowhere", "pathlib.Path.no.way"])
def test_a_class_that_is_not_there(target: str) -> None:
    (said,) = misused({"_target_": target}, "part")
    assert said.startswith(f"part._target_={target} cannot be imported") and "PYTHONPATH" in said


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (3, int, None),
        ("3", int, "should be a valid integer."),
        (3, float, None),
        (None, int | None, None),
        ("x", int | None, "should be a valid integer."),
        ("bset", Literal["best", "all"], "should be 'best' or 'all'. Did you mean 'best'?"),
        ([1, "x"], list[int], "should be a valid integer."),
        ([0.9, 1], tuple[float, float], None),
        ([0.9], tuple[float, float], "should be a valid tuple."),
        (object(), Part, None),
    ],
)
def test_misfit(value: object, annotation: object, expected: str | None) -> None:
    if annotation is Part:
        value = Part(1)
    assert misfit(value, annotation) == expected


@given(st.sampled_from(sorted(RULES)), st.text(alphabet="ab.", max_size=6))
def test_the_longest_end_of_a_path_decides(end: str, before: str) -> None:
    if "*" not in end and end.partition(".")[0].islower():
        assert rule_for("", f"a.{before}.{end}") is RULES[end]


def test_a_rule_of_the_class_goes_before_one_of_the_path() -> None:
    assert rule_for("x.AlpacaDataset", "dataset.path") is RULES["AlpacaDataset.path"]
    assert rule_for("x.JsonlDataset", "dataset.path") is RULES["path"]


def test_keys_are_known_by_class_and_by_path() -> None:
    known = Known.of(SETTINGS)
    assert {"beta", "gamma"} <= known.keys["tuna_exp.losses.callbacks.SimPO"]
    assert {"mle_on", "sft"} <= known.keys["objective"] and "objective.sft" in known.parts
    assert {"seed", "method", "teacher_ranker"} <= known.keys[""]


@pytest.mark.parametrize(
    "name", ["api_key", "openai-api-key", "HF_TOKEN", "token", "password", "aws_secret_access_key"]
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["max_new_tokens", "eos_token_id", "eos_token", "api_key_env"])
def test_names_that_only_sound_like_secrets(name: str) -> None:
    assert not is_secret(name)


def test_names_that_are_the_users_own_are_taken() -> None:
    reference = {"_target_": "tuna_exp.evaluation.answers.AnswersFile", "path": "a"}
    predictions = {**reference, "fields": None, "where": {"model_id": "bard:20230327", "turn": 1}}
    harness = {"_target_": "tuna_exp.evaluation.lm_eval.benchmark.LmEvalBenchmark"}
    evaluation = {
        "vicuna": {"_target_": "x.Benchmark", "reference": predictions},
        "lm_eval": {**harness, "gen_kwargs": {"max_gen_toks": 5, "until": ["."]}},
    }
    checking = Checking(OmegaConf.create({}), Known.of(SETTINGS))
    assert list(checking.node({"evaluation": evaluation}, "")) == []
    evaluation["vicuna"]["reference"] = {**reference, "where": {"model_id": None}, "fields": "x"}
    where, fields = checking.node({"evaluation": evaluation}, "")
    assert ".fields='x': should be a valid dictionary" in fields
    assert ".where.model_id=null: should be a valid" in where


def test_many_problems_still_fit_one_screen(tmp_path: Path) -> None:
    settings = {f"a{i}": i for i in range(40)} | {"method": {}}
    with pytest.raises(ConfigError, match="40 setting") as caught:
        check_config(OmegaConf.create(settings), SETTINGS)
    assert len(str(caught.value).splitlines()) <= 20 and "and 26 more" in str(caught.value)
