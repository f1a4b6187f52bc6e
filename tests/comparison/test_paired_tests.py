"""Intervals and tests over seeds, tasks and items: by hand, by property and by simulation."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuna_exp.comparison.paired_tests import (
    SeedScores,
    compare_all,
    detectable_difference,
    difference_p,
    hierarchical_bootstrap,
    holm,
    permutation_p,
    seed_differences,
)
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import UserError
from tuna_exp.records import Instruction, Prediction

QUICK = Bootstrap(confidence=0.95, resamples=199, seed=0)
BOUNDS = (-1.0, 1.0)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def scores(values: list[list[float]], tasks: str) -> SeedScores:
    """One list of values per seed; each letter of `tasks` is the task of an item."""
    return SeedScores(np.array(values, dtype=np.float64), tuple(tasks))


def drawn(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spread: tuple[float, float, float],
    mean: float = 0.0,
) -> SeedScores:
    """S seeds, T tasks of N items; the spread is that of seeds, tasks and single scores."""
    seeds, tasks, items = shape
    values = (
        mean
        + rng.normal(0, spread[0], (seeds, 1, 1))
        + rng.normal(0, spread[1], (1, tasks, 1))
        + rng.normal(0, spread[2], shape)
    )
    names = tuple(str(task) for task in range(tasks) for _ in range(items))
    return SeedScores(values.reshape(seeds, -1), names)


def run(values: dict[str, float]) -> list[Prediction]:
    return [
        Prediction(
            instruction=Instruction(id=name, instruction="x", kind=name[0]),
            text="",
            tokens=0,
            passed=False,
            score=value,
        )
        for name, value in values.items()
    ]


def test_differences_are_matched_by_seed_and_id() -> None:
    """Seed 0: a1 0.5 − 0.25, b1 1 − 0; seed 1: a1 0.5 − 0.5, b1 0 − 0."""
    ours = [run({"a1": 0.5, "b1": 1.0}), run({"b1": 0.0, "a1": 0.5})]
    theirs = [run({"b1": 0.0, "a1": 0.25}), run({"a1": 0.5, "b1": 0.0})]
    found = seed_differences(ours, theirs, lambda item: item.kind)
    assert found.values_SI.tolist() == [[0.25, 1.0], [0.0, 0.0]]
    assert found.tasks == ("a", "b")


def test_one_run_of_the_baseline_stands_for_every_seed() -> None:
    ours = [run({"a1": 0.5}), run({"a1": 1.0})]
    found = seed_differences(ours, [run({"a1": 0.25})], lambda item: item.kind)
    assert found.values_SI.tolist() == [[0.25], [0.75]]


def test_other_seeds_or_items_are_refused() -> None:
    one, other = run({"a1": 0.5}), run({"a2": 0.5})
    with pytest.raises(UserError, match="method has 3 seeds and the baseline 2"):
        seed_differences([one] * 3, [one] * 2, lambda item: item.kind)
    with pytest.raises(UserError, match="not on the same items"):
        seed_differences([one, other], [one, other], lambda item: item.kind)


@pytest.mark.parametrize(
    ("shape", "spread"),
    [
        ((1, 12, 10), (0.0, 0.1, 0.1)),
        ((1, 1, 80), (0.0, 0.0, 0.3)),
        ((3, 12, 10), (0.05, 0.1, 0.1)),
        ((3, 12, 10), (0.1, 0.0, 0.1)),
    ],
    ids=["tasks", "items", "seeds and tasks", "seeds"],
)
def test_the_interval_covers_as_often_as_it_says(
    shape: tuple[int, int, int], spread: tuple[float, float, float]
) -> None:
    """Of 200 intervals of 95 % 180 to 199 hold the truth: 190 are due, 3.1 is one deviation."""
    rng = np.random.default_rng(1)
    made = [hierarchical_bootstrap(drawn(rng, shape, spread), BOUNDS, QUICK) for _ in range(200)]
    assert 180 <= sum(one.interval.low <= 0 <= one.interval.high for one in made) <= 199


def test_tasks_that_differ_widen_the_interval() -> None:
    """As one task 96 items have an error of 0.3 / sqrt(96) = 0.03; in 8 tasks 0.3 / sqrt(8)."""
    values = [np.repeat([0.3, -0.3] * 4, 12).tolist()]
    apart, together = (
        hierarchical_bootstrap(scores(values, tasks), BOUNDS, Bootstrap(0.95, 1999, 0))
        for tasks in ("".join(letter * 12 for letter in "abcdefgh"), "a" * 96)
    )
    assert together.standard_error == pytest.approx(0.3 / math.sqrt(96), rel=0.1)
    assert apart.standard_error == pytest.approx(0.3 / math.sqrt(8), rel=0.1)


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=12), st.integers(2, 4))
def test_seeds_that_agree_say_what_one_says(values: list[float], seeds: int) -> None:
    tasks = "aabbccddeeff"[: len(values)]
    one = hierarchical_bootstrap(scores([values], tasks), BOUNDS, QUICK)
    pooled = hierarchical_bootstrap(scores([values] * seeds, tasks), BOUNDS, QUICK)
    assert pooled.interval.value == pytest.approx(one.interval.value)
    assert pooled.interval.low == pytest.approx(one.interval.low, abs=1e-9)
    assert pooled.interval.high == pytest.approx(one.interval.high, abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_the_interval_lies_within_its_bounds_around_the_mean(values: list[float]) -> None:
    made = hierarchical_bootstrap(scores([values], ("ab" * 5)[: len(values)]), (0, 1), QUICK)
    assert 0 <= made.interval.low <= made.interval.high <= 1


def test_equal_items_get_what_cannot_be_ruled_out_and_no_p_value() -> None:
    """20 differences of 0: up to 1 − 0.025^(1/20) = 0.168 of the items may differ by 1."""
    made = hierarchical_bootstrap(scores([[0.0] * 20], "ab" * 10), BOUNDS, QUICK)
    assert (made.interval.low, made.interval.high) == pytest.approx((-0.168, 0.168), abs=1e-3)
    assert math.isnan(made.p_value) and math.isnan(made.standard_error)


def test_permutation_by_hand() -> None:
    """Units 1, 2, 3 have 8 signs; the sums ±6 are as far off as 6: p = 2 / 8."""
    assert permutation_p(scores([[1, 2, 3]], "abc"), "task", QUICK) == pytest.approx(0.25)


def test_items_of_a_task_are_exchanged_together() -> None:
    """Ten items of +1 are 2 tasks (p = 2 / 4) or 10 units (2 / 1,024, all of them tried)."""
    whole = Bootstrap(0.95, 2000, 0)
    ten = scores([[1.0] * 10], "a" * 5 + "b" * 5)
    assert permutation_p(ten, "task", whole) == pytest.approx(0.5)
    assert permutation_p(ten, "item", whole) == pytest.approx(2 / 1024)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=7))
def test_permutation_agrees_with_all_signs_written_out(values: list[float]) -> None:
    total, signs = abs(sum(values)), list(product([-1, 1], repeat=len(values)))
    sums = [abs(sum(s * v for s, v in zip(some, values, strict=True))) for some in signs]
    clear = [s for s in sums if abs(s - total) > 1e-6 or s == total]
    if len(clear) == len(sums) and total > 1e-6:
        expected = sum(s >= total for s in sums) / len(signs)
        one = scores([values], "abcdefg"[: len(values)])
        assert permutation_p(one, "item", QUICK) == pytest.approx(expected)


@pytest.mark.parametrize(("unit", "of_tasks"), [("task", 0.2), ("item", 0.0)])
def test_p_is_uniform_where_the_methods_are_the_same(unit, of_tasks: float) -> None:
    """400 comparisons of equal methods; by task also where tasks differ in which is better."""
    rng = np.random.default_rng(2)
    made = [drawn(rng, (1, 20, 5), (0.0, of_tasks, 0.3)) for _ in range(400)]
    found = [permutation_p(one, unit, QUICK) for one in made]
    assert stats.kstest(found, "uniform").pvalue > 0.05
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.09


def test_luck_of_seeds_is_not_taken_for_a_gain() -> None:
    """Equal methods, 3 seeds that differ: the permutation test alone errs in most comparisons."""
    rng = np.random.default_rng(3)
    made = [drawn(rng, (3, 12, 10), (0.1, 0.0, 0.1)) for _ in range(200)]
    blind = [permutation_p(one, "task", QUICK) <= 0.05 for one in made]
    both = [
        difference_p(one, hierarchical_bootstrap(one, BOUNDS, QUICK), "task", QUICK) <= 0.05
        for one in made
    ]
    assert np.mean(blind) > 0.5
    assert np.mean(both) <= 0.1


def test_holm_by_hand() -> None:
    """0.01 · 3 = 0.03; 0.03 · 2 = 0.06; 0.04 · 1 is below 0.06, so 0.06 too."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(P_VALUES)
def test_holm_keeps_the_order_and_never_lowers(raw: list[float]) -> None:
    adjusted = holm(raw)
    assert all(p <= q <= min(1, len(raw) * p) + 1e-12 for p, q in zip(raw, adjusted, strict=True))
    by_raw = [q for _, q in sorted(zip(raw, adjusted, strict=True))]
    assert by_raw == sorted(adjusted)


@given(P_VALUES, st.floats(0, 1))
def test_a_further_comparison_never_makes_another_more_certain(
    raw: list[float], more: float
) -> None:
    before, after = holm(raw), holm([*raw, more])[:-1]
    assert all(b <= a + 1e-12 for b, a in zip(before, after, strict=True))


def test_the_detectable_difference_is_found_four_times_of_five() -> None:
    """100 items of deviation 0.3: SE 0.03, so (1.98 + 0.85) · 0.03 = 0.085 at level 0.05.

    Of 200 repetitions 160 are due, 5.7 is one deviation.
    """
    rng = np.random.default_rng(4)
    sample = drawn(rng, (1, 1, 100), (0, 0, 0.3))
    least = detectable_difference(hierarchical_bootstrap(sample, BOUNDS, QUICK), 0.05)
    assert least == pytest.approx(0.085, rel=0.15)
    true = 2.83 * 0.03
    again = [drawn(rng, (1, 1, 100), (0, 0, 0.3), mean=true) for _ in range(200)]
    found = sum(permutation_p(one, "item", QUICK) <= 0.05 for one in again)
    assert 145 <= found <= 178


def test_a_table_of_comparisons() -> None:
    """One clear gain of three: Holm stops at 0.05 / 2, the level of the other two.

    10 tasks have p-values of k · 2 / 1024; the largest below that level is at k = 12.
    """
    rng = np.random.default_rng(5)
    table = {
        "none": drawn(rng, (1, 10, 10), (0, 0.05, 0.1)),
        "clear": drawn(rng, (1, 10, 10), (0, 0.05, 0.1), mean=0.5),
        "same": scores([[0.0] * 20], "ab" * 10),
    }
    none, clear, same = compare_all(table, BOUNDS, "task", Bootstrap(0.95, 1999, 0))
    assert (none.name, none.significant, clear.significant, same.significant) == (
        "none", False, True, False,
    )  # fmt: skip
    assert clear.adjusted_p == pytest.approx(3 * clear.p_value)
    assert clear.detectable is None
    assert none.detectable == detectable_difference(none.difference, 12 * 2 / 1024)
    assert (same.p_value, same.adjusted_p) == (1.0, 1.0)
    assert same.detectable is not None and math.isnan(same.detectable)


@pytest.mark.parametrize(
    ("tasks", "comparisons", "reached"),
    [(6, 1, 2 / 64), (7, 1, 6 / 128), (6, 2, 0), (7, 3, 2 / 128), (7, 4, 0), (300, 2, 0.02)],
)
def test_no_difference_is_called_detectable_that_the_test_cannot_find(
    tasks: int, comparisons: int, reached: float
) -> None:
    """6 tasks all of one sign have p = 2 / 64: enough for one comparison at 0.05, not for two.

    300 tasks are exchanged at random 199 times: p-values are multiples of 2 / 200.
    """
    rng = np.random.default_rng(6)
    table = {str(i): drawn(rng, (1, tasks, 4), (0, 0, 0.1)) for i in range(comparisons)}
    for one in compare_all(table, BOUNDS, "task", QUICK):
        expected = detectable_difference(one.difference, reached)
        assert one.detectable == pytest.approx(expected, nan_ok=True)
