"""Time and size of a stage from what was measured, by hand."""

from pathlib import Path
from typing import Any

import pytest

from tuna_exp.plan import Step, Workspace
from tuna_exp.rates import Rates, without_seeds
from tuna_exp.store import Entry


def nothing(_: Workspace) -> None:
    raise AssertionError("nothing is run")


def step(settings: dict[str, Any], work: float, stage: str = "sample", **inputs: Step) -> Step:
    return Step(stage, f"{stage} {settings}", 1, settings, inputs, nothing, work)


def entry(made: Step, seconds: float, size: int = 10, **changes: Any) -> Entry:
    """A finished artifact of a step."""
    measured = {"wall_seconds": seconds, "files": {"a": {"bytes": size}, "b": {"bytes": size}}}
    manifest = {**made.recipe, **measured, **changes}
    return Entry(Path("artifacts", made.stage, made.digest[:16]), "finished", manifest)


def test_seconds_are_those_per_unit_of_work_of_all_that_were_measured() -> None:
    """10 s for 100 and 40 s for 300 are 50 s for 400: 25 s for 200."""
    small, large = step({"llm": "a", "n": 1}, 100), step({"llm": "a", "n": 2}, 300)
    rates = Rates.of([entry(small, 10), entry(large, 40)], [])
    assert rates.seconds(step({"llm": "a", "n": 3}, 200)) == pytest.approx(25)


def test_another_model_or_stage_is_not_measured() -> None:
    rates = Rates.of([entry(step({"llm": "a"}, 100), 10)], [])
    assert rates.seconds(step({"llm": "b"}, 100)) is None
    assert rates.seconds(step({"llm": "a"}, 100, stage="evaluate")) is None
    assert rates.size(step({"llm": "b"}, 100)) is None


def test_another_seed_is_the_same_kind() -> None:
    rates = Rates.of([entry(step({"llm": {"name": "a", "seed": 0}}, 100), 10)], [])
    assert rates.seconds(step({"llm": {"name": "a", "seed": 1}}, 50)) == pytest.approx(5)
    assert without_seeds([{"seed": 1, "a": {"seed": 2, "b": 3}}]) == [{"a": {"b": 3}}]


def test_a_students_samples_are_measured_by_the_model_that_was_trained() -> None:
    small, large = (step({"model": name}, 1, stage="train") for name in ("small", "large"))
    sampled = step({"data": 1}, 100, model=small)
    rates = Rates.of([entry(small, 1), entry(sampled, 10)], [large])
    again = step({"model": "small", "seed": 1}, 1, stage="train")
    planned = Rates.of([entry(small, 1), entry(sampled, 10)], [step({}, 1, model=again)])
    assert planned.seconds(step({"data": 2}, 200, model=again)) == pytest.approx(20)
    assert rates.seconds(step({"data": 1}, 100, model=large)) is None


def test_an_artifact_that_does_not_say_its_work_counts_where_it_is_planned() -> None:
    made = step({"llm": "a"}, 100)
    old = entry(made, 10)
    assert isinstance(old.manifest, dict)
    del old.manifest["work"]
    assert Rates.of([old], []).seconds(made) is None
    assert Rates.of([old], [made]).seconds(step({"llm": "a"}, 10)) == pytest.approx(1)


def test_unfinished_ones_are_not_measured() -> None:
    made = step({"llm": "a"}, 100)
    begun = Entry(Path("x.partial"), "unfinished", made.recipe)
    assert Rates.of([begun], []).seconds(made) is None


def test_it_writes_as_much_as_the_one_of_likest_work() -> None:
    """Two files of 10 and of 1000 bytes; a work of 40 is nearer to 100 than to 10, by ratio."""
    few, many = step({"llm": "a", "n": 1}, 10), step({"llm": "a", "n": 2}, 100)
    rates = Rates.of([entry(few, 1, size=10), entry(many, 1, size=1000)], [])
    assert rates.size(step({"llm": "a", "n": 3}, 40)) == 2000
    assert rates.size(step({"llm": "a", "n": 3}, 5)) == 20
