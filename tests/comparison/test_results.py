"""`compare`: rows per split, and what it refuses."""

import pytest

from tuna_exp.comparison.benchmarks import ALL
from tuna_exp.comparison.results import Comparison, MethodResult, Tokens, compare
from tuna_exp.errors import UserError


def test_scores_and_differences(comparison: Comparison) -> None:
    """sft is right on 10 of 30 and tuna_p on 20: 2/3 − 1/3 = 1/3."""
    row = next(row for row in comparison.rows_of(ALL) if row.method == "tuna_p")
    assert (row.items, row.passed) == (30, pytest.approx(2 / 3))
    assert row.difference is not None
    assert row.difference.interval.value == pytest.approx(1 / 3)
    assert row.difference.verdict == "better"


def test_the_baseline_has_no_difference(comparison: Comparison) -> None:
    assert [row.method for row in comparison.rows_of(ALL) if row.difference is None] == ["sft"]


def test_splits_are_reported_apart(comparison: Comparison) -> None:
    """Every third item is of an unseen kind: 20 and 10; tuna_p is right on none of the 10."""
    assert comparison.splits == (ALL, "held_out", "held_out_kind")
    row = next(r for r in comparison.rows_of("held_out_kind") if r.method == "tuna_p")
    assert (row.items, row.score.value) == (10, 0.0)


def test_one_split_is_not_repeated(predict) -> None:
    methods = [MethodResult("sft", predict([1.0]), 0.0, Tokens())]
    assert compare(methods, [], [], "sft", 0.95, 999, 0).splits == (ALL,)


def test_families_are_the_part_before_the_slash(comparison: Comparison) -> None:
    found = {
        cell.family: cell.score.value for cell in comparison.families if cell.method == "tuna_p"
    }
    assert found == {"count": 1.0, "rhyme": 0.0, "sort": 1.0}


def test_same_seed_same_intervals(comparison: Comparison) -> None:
    again = compare(comparison.methods, [], [], "sft", 0.95, 999, 0)
    assert again.rows == comparison.rows


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["sftt"], "comparison.baseline is 'sft'.*Did you mean 'sftt'"),
        (["sft", "sft"], "more than once"),
    ],
)
def test_names_that_cannot_be_compared(predict, names: list[str], message: str) -> None:
    methods = [MethodResult(name, predict([1.0, 0.0]), 0.0, Tokens()) for name in names]
    with pytest.raises(UserError, match=message):
        compare(methods, [], [], "sft", 0.95, 999, 0)


def test_a_method_without_predictions_is_named(predict) -> None:
    methods = [
        MethodResult("sft", predict([1.0]), 0.0, Tokens()),
        MethodResult("tuna", [], 0.0, Tokens()),
    ]
    with pytest.raises(UserError, match="'tuna'.*evaluate it first"):
        compare(methods, [], [], "sft", 0.95, 999, 0)


def test_a_method_on_other_items_is_named(predict) -> None:
    methods = [
        MethodResult("sft", predict([1.0]), 0.0, Tokens()),
        MethodResult("tuna", predict([1, 1]), 0, Tokens()),
    ]
    with pytest.raises(UserError, match="method 'tuna': .*i1"):
        compare(methods, [], [], "sft", 0.95, 999, 0)
