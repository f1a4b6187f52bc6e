"""Seeds as one method: which runs are paired, what is resampled, what Holm's correction covers."""

from collections.abc import Sequence

import pytest

from tuna_exp.comparison import results
from tuna_exp.comparison.pooling import (
    differences,
    matched,
    pooled_interval,
    unit_of,
    unmatched,
)
from tuna_exp.comparison.results import MethodResult, Tokens
from tuna_exp.comparison.statistics import Bootstrap, mean_interval
from tuna_exp.comparison.wording import notes
from tuna_exp.errors import UserError
from tuna_exp.records import Instruction, Prediction

BOOTSTRAP = Bootstrap(confidence=0.95, resamples=999, seed=0)


def predict(scores: Sequence[float], kinds: int = 1, begin: int = 0) -> list[Prediction]:
    """One item per score, dealt out to so many kinds."""
    return [
        Prediction(
            instruction=Instruction(id=f"{begin + i:03d}", instruction="?", kind=f"k{i % kinds}"),
            text="",
            tokens=1,
            passed=score > 0.5,
            score=score,
        )
        for i, score in enumerate(scores)
    ]


def test_one_run_with_few_kinds_is_resampled_by_items() -> None:
    scores = [0.0, 1.0, 1.0, 0.5] * 10
    found = pooled_interval([predict(scores, kinds=5)], BOOTSTRAP)
    assert found == mean_interval(scores, (0.0, 1.0), BOOTSTRAP)


@pytest.mark.parametrize("kinds, unit", [(5, "item"), (6, "task")])
def test_six_tasks_are_enough_to_resample_tasks(kinds: int, unit: str) -> None:
    """2 (1/2)^5 = 0.0625 is above 0.05, 2 (1/2)^6 = 0.031 below."""
    assert unit_of(predict([1.0] * 12, kinds), 0.95) == unit


def test_tasks_that_differ_widen_the_interval() -> None:
    """Ten kinds, half of them always right: 200 items tell little more than ten."""
    scores = [float(i % 10 < 5) for i in range(200)]
    by_task = pooled_interval([predict(scores, kinds=10)], BOOTSTRAP)
    by_item = pooled_interval([predict(scores)], BOOTSTRAP)
    assert by_task.value == by_item.value == 0.5
    assert by_task.high - by_task.low > 2 * (by_item.high - by_item.low)


def test_runs_are_paired_by_seed() -> None:
    """Seed 2 has no counterpart; its run is left out and told."""
    treatment = {seed: predict([1.0]) for seed in "012"}
    baseline = {seed: predict([0.0]) for seed in "01"}
    ours, theirs = matched(treatment, baseline)
    assert (len(ours), len(theirs)) == (2, 2)
    assert unmatched(treatment, baseline) == ["2"]
    assert [len(side) for side in matched(treatment, {"": predict([0.0])})] == [3, 1]


def test_a_difference_of_every_seed_is_found() -> None:
    """Three seeds, 40 items, 20 of them 1 better in each; the other method is the same."""
    base = {seed: predict([0.0] * 40) for seed in "012"}
    better = {seed: predict([1.0, 0.0] * 20) for seed in "012"}
    found = differences({"better": better, "same": base}, base, BOOTSTRAP)
    assert found["better"].verdict == "better"
    assert found["better"].interval.value == pytest.approx(0.5)
    assert found["better"].seeds == 3
    assert found["better"].p_value < found["better"].adjusted_p <= 0.05
    assert found["same"].verdict == "not told apart"


def test_what_one_seed_has_by_luck_is_not_found() -> None:
    """One seed of three is 0.6 better on all items: the items agree, the seeds do not."""
    base = {seed: predict([0.0] * 30) for seed in "012"}
    lucky = {"0": predict([0.6] * 30), "1": predict([0.0] * 30), "2": predict([0.0] * 30)}
    found = differences({"lucky": lucky}, base, BOOTSTRAP)["lucky"]
    assert found.verdict == "not told apart"
    assert found.interval.low < 0 < found.interval.high
    assert found.detectable is not None and found.detectable > 0.2


def test_many_comparisons_need_more() -> None:
    """7 of 30 items better, none worse: p = 2 (1/2)^7 = 0.016, and 0.16 among ten like it."""
    base = {"0": predict([0.0] * 30)}
    made = {"0": predict([1.0] * 7 + [0.0] * 23)}
    bootstrap = Bootstrap(confidence=0.95, resamples=9999, seed=0)
    alone = differences({"one": made}, base, bootstrap)["one"]
    among = differences({f"m{i}": made for i in range(10)}, base, bootstrap)["m0"]
    assert alone.verdict == "better" and among.verdict == "not told apart"
    assert among.adjusted_p == pytest.approx(10 * alone.p_value)


def test_a_comparison_pools_and_tells() -> None:
    sft = MethodResult(
        "sft", predict([0.0] * 40), 1, Tokens(), seed="0", more={"1": predict([0.0] * 40)}
    )
    more = {"1": predict([1.0, 0.0] * 20), "2": predict([1.0, 0.0] * 20)}
    tuna = MethodResult("tuna_c", predict([1.0, 0.0] * 20), 1, Tokens(), seed="0", more=more)
    made = results.compare([sft, tuna], [], [], "sft", 0.95, 999, 0)
    row = next(row for row in made.rows if row.method == "tuna_c")
    assert (row.seeds, row.items, row.difference and row.difference.seeds) == (3, 40, 2)
    assert any("has no run with seed 2" in note for note in notes(made))


def test_seeds_with_other_items_are_refused() -> None:
    sft = MethodResult("sft", predict([0.0] * 4), 1, Tokens(), seed="0")
    more = {"1": predict([1.0] * 4, begin=9)}
    tuna = MethodResult("tuna_c", predict([1.0] * 4), 1, Tokens(), seed="0", more=more)
    with pytest.raises(UserError, match="method 'tuna_c': the predictions are not on the same"):
        results.compare([sft, tuna], [], [], "sft", 0.95, 999, 0)
