"""Marks of single items and intervals of the harness's aggregations, by hand and against it."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import UserError
from tuna_exp.evaluation.lm_eval.figures import metric_interval
from tuna_exp.evaluation.lm_eval.marks import Marking
from tuna_exp.evaluation.lm_eval.samples import metric_key, plain

BOOTSTRAP = Bootstrap(0.95, 200, 0)
PAIRS = [["a cat sat there", "a cat sat there"], ["a dog ran off", "some dog ran off"]]


def aggregation(name: str) -> Any:
    import lm_eval.api.metrics  # noqa: F401
    from lm_eval.api.registry import get_aggregation

    return get_aggregation(name)


def marking(main: str | None = None, **aggregations: str) -> Marking:
    return Marking("task", {k: aggregation(v) for k, v in aggregations.items()}, main)


@pytest.mark.parametrize(
    ("name", "value", "share"),
    [
        ("mean", 0.25, 0.25),
        ("mean", 1.25, None),  # no share
        ("mean", None, None),
        ("perplexity", -math.log(4), 0.25),
        ("weighted_perplexity", [-math.log(16), 2], 0.25),  # (1/16)^(1/2)
        ("bits_per_byte", [-math.log(16), 2], 0.25),
        ("f1", [1, 1], 1.0),
        ("matthews_corrcoef", [1, 0], 0.0),
        ("brier_score", [1, [0.25, 0.5, 0.25]], 0.5),
        ("bleu", ["a cat sat there", "a cat sat there"], 1.0),
        ("ter", ["a cat sat there", "a cat sat there"], 1.0),
        ("ter", ["a cat sat there", "a dog sat there"], 0.75),  # one edit in four words
    ],
)
def test_an_item_is_marked_by_a_share(name: str, value: Any, share: float | None) -> None:
    found = marking(metric=name).share("metric", value)
    assert found == (None if share is None else pytest.approx(share))


def test_the_first_metric_that_is_a_share_of_every_item_marks_them() -> None:
    """`length` is one for the first item alone; `own` has no aggregation and so the mean."""
    items = [{"length": 1, "own": 0.5}, {"length": 7, "own": 0.25}]
    assert marking(length="mean").main(items) == "own"
    with pytest.raises(UserError, match="no metric of the task task .* in .0, 1.*length=1"):
        marking(length="mean").main([{"length": 1}, {"length": 7}])
    with pytest.raises(UserError, match="no metric of the task task that may be taken"):
        marking("length", length="mean").main(items)


def test_perplexities_by_hand() -> None:
    """Three items of 2, 1 and 1 words: exp(−Σl / Σn) = exp((2 + 1 + 3) · ln 2 / 4) = 2^1.5.

    And as bits per byte (2 + 1 + 3) / 4 = 1.5.
    """
    values = [[-2 * math.log(2), 2], [-math.log(2), 1], [-3 * math.log(2), 1]]
    found = metric_interval(values, aggregation("weighted_perplexity"), BOOTSTRAP)
    bits = metric_interval(values, aggregation("bits_per_byte"), BOOTSTRAP)
    assert found.value == pytest.approx(2**1.5) and bits.value == pytest.approx(1.5)
    assert (found.low, found.high) == pytest.approx((2**bits.low, 2**bits.high))
    assert found.low < found.value < found.high and found.items == 3


@given(st.lists(st.floats(-9, -0.01), min_size=2, max_size=20))
def test_a_perplexity_is_in_its_interval(values: list[float]) -> None:
    found = metric_interval(values, aggregation("perplexity"), BOOTSTRAP)
    assert found.value == aggregation("perplexity")(values)
    assert 0 < found.low <= found.value * (1 + 1e-9) and found.value <= found.high * (1 + 1e-9)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=20))
def test_a_mean_is_that_of_the_harness(values: list[float]) -> None:
    found = metric_interval(values, aggregation("mean"), BOOTSTRAP)
    assert found.value == aggregation("mean")(values) and found.low <= found.value <= found.high
    assert metric_interval(values, None, BOOTSTRAP).value == pytest.approx(found.value)


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
def test_any_other_aggregation_has_the_spread_of_its_resamples(name: str) -> None:
    """Nothing is drawn twice: equal seeds give equal intervals."""
    values = PAIRS * 3
    found = metric_interval(values, aggregation(name), BOOTSTRAP)
    assert found == metric_interval(values, aggregation(name), BOOTSTRAP)
    assert found.value == aggregation(name)(values) and found.low < found.value < found.high
    assert math.isnan(metric_interval(values[:1], aggregation(name), BOOTSTRAP).low)


def test_an_unknown_number_is_kept_as_unknown() -> None:
    """nanmean([1, NaN, 0]) = 0.5, over the three items."""
    import numpy as np

    values = plain([1.0, math.nan, np.float32(0)], "values")
    assert values == [1.0, None, 0.0]
    read = [math.nan if value is None else value for value in values]
    found = metric_interval(read, aggregation("nanmean"), BOOTSTRAP)
    assert found.value == 0.5 and found.items == 3


def test_values_are_stored_as_json_has_them() -> None:
    import numpy as np

    assert plain({"a": (np.int64(3), [np.array([1.5, 2])])}, "x") == {"a": [3, [[1.5, 2.0]]]}
    with pytest.raises(UserError, match="own/3: metric is <object object"):
        plain(object(), "own/3: metric")


def test_metrics_have_the_harness_names() -> None:
    assert metric_key("acc", "none") == "acc" and metric_key("em", "word") == "em,word"
