"""Intervals, paired differences and agreement, with the arithmetic written out."""

import math
import warnings
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuna_exp.comparison.statistics import (
    Bootstrap,
    PairCounts,
    count_pairs,
    kendall_tau_b,
    mean_interval,
    pair_agreement,
    paired_difference,
    ratio_interval,
)
from tuna_exp.errors import ConfigError, UserError
from tuna_exp.records import Instruction, Prediction

QUICK = Bootstrap(confidence=0.95, resamples=199, seed=0)
SCORES = st.floats(0, 1).map(lambda score: round(score, 3))
RANKS = st.lists(st.integers(0, 4), min_size=2, max_size=6)


def predictions(scores: list[float]) -> list[Prediction]:
    return [
        Prediction(
            instruction=Instruction(id=f"i{n}", instruction="x"),
            text="",
            tokens=0,
            passed=False,
            score=score,
        )
        for n, score in enumerate(scores)
    ]


def test_mean_lies_inside_its_interval() -> None:
    """(0 + 0.5 + 1 + 0.5) / 4 = 0.5."""
    interval = mean_interval([0, 0.5, 1, 0.5], (0, 1), QUICK)
    assert interval.value == 0.5
    assert 0 <= interval.low < 0.5 < interval.high <= 1


def test_interval_is_that_of_the_normal_approximation_for_many_items() -> None:
    """10 000 items, half of them 1: 1.96 · sqrt(0.25 / 10 000) = 0.0098."""
    interval = mean_interval([0.0, 1.0] * 5000, (0, 1), Bootstrap(0.95, 999, 0))
    assert interval.high - 0.5 == pytest.approx(0.0098, rel=0.15)
    assert 0.5 - interval.low == pytest.approx(0.0098, rel=0.15)


def test_equal_items_get_the_share_that_cannot_be_ruled_out() -> None:
    """20 of 20 right: low = 0.025^(1/20) = 0.8316 (Clopper and Pearson), high = 1."""
    interval = mean_interval([1.0] * 20, (0, 1), QUICK)
    assert interval.low == pytest.approx(0.8316, abs=1e-4)
    assert interval.high == 1


@pytest.mark.parametrize("scores", [[], [0.5]])
def test_fewer_than_two_items_have_no_interval(scores: list[float]) -> None:
    interval = mean_interval(scores, (0, 1), QUICK)
    assert not interval.known
    assert not interval.excludes(0)


@settings(max_examples=40, deadline=None)
@given(st.lists(SCORES, min_size=2, max_size=12))
def test_every_interval_is_finite_and_without_warnings(scores: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = mean_interval(scores, (0, 1), QUICK)
    assert interval.known
    assert interval.low <= interval.high


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    """200 samples of 40 skewed scores (mean of Beta(2, 0.5) = 2 / 2.5 = 0.8), 95 % intervals.

    With true coverage 0.93 the count has a standard deviation of 0.018: 0.88 is 2.8 of them away.
    """
    draw = np.random.default_rng(0)
    samples = draw.beta(2, 0.5, size=(200, 40))
    found = [mean_interval(list(sample), (0, 1), QUICK) for sample in samples]
    assert 0.88 <= np.mean([interval.low <= 0.8 <= interval.high for interval in found]) <= 0.995


def test_three_units_by_hand() -> None:
    """2/4, 1/2 and 4/6: r = 7/12, residuals −1/3, −1/6 and 1/2, t_2 = 4.303.

    SE = sqrt(3/2 · (4 + 1 + 9) / 36) / 12 = 0.0637, so 0.583 ± 0.274.
    """
    found = ratio_interval([2, 1, 4], [4, 2, 6], (0, 1), QUICK)
    assert found.value == pytest.approx(7 / 12)
    assert (found.low, found.high) == pytest.approx((0.3094, 0.8572), abs=1e-4)


@pytest.mark.parametrize("units", [2, 3, 5])
def test_few_units_are_covered_too(units: int) -> None:
    """400 sets of means of Beta(2, 2) units; resampling 2 units covers half of them only."""
    draw = np.random.default_rng(1)
    drawn = draw.beta(2, 2, size=(400, units))
    found = [mean_interval(list(some), (0, 1), QUICK) for some in drawn]
    assert np.mean([interval.low <= 0.5 <= interval.high for interval in found]) >= 0.92
    assert all(0 <= interval.low <= interval.high <= 1 for interval in found)


def test_paired_difference_matches_items_by_id() -> None:
    """Ours 1, 0.5; theirs 0, 0.5 in another order: (1 − 0 + 0.5 − 0.5) / 2 = 0.5."""
    theirs = predictions([0.0, 0.5])[::-1]
    assert paired_difference(predictions([1.0, 0.5]), theirs, QUICK).interval.value == 0.5


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=12))
def test_paired_difference_is_antisymmetric(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = predictions([a for a, _ in pairs]), predictions([b for _, b in pairs])
    there, back = (paired_difference(*sides, QUICK) for sides in ((ours, theirs), (theirs, ours)))
    assert there.interval.value == pytest.approx(-back.interval.value)
    assert there.interval.low == pytest.approx(-back.interval.high, abs=1e-6)
    mirrored = {"better": "worse", "worse": "better", "not told apart": "not told apart"}
    assert there.verdict == mirrored[back.verdict]


def test_a_clear_gain_is_better_and_its_reverse_worse() -> None:
    good, bad = predictions([0.9, 1.0] * 10), predictions([0.1, 0.0] * 10)
    assert paired_difference(good, bad, QUICK).verdict == "better"
    assert paired_difference(bad, good, QUICK).verdict == "worse"


def test_five_differing_items_tell_nothing_and_six_do() -> None:
    """Five wins of five: 2 · (1/2)^5 = 0.0625 > 0.05; six of six: 0.03125."""
    gains = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    five, six = gains[:5], gains
    assert (
        paired_difference(predictions(five), predictions([0.0] * 5), QUICK).verdict
        == "not told apart"
    )
    assert paired_difference(predictions(six), predictions([0.0] * 6), QUICK).verdict == "better"


def test_other_items_are_named() -> None:
    with pytest.raises(UserError, match=r"1 in the method alone: i2.*same instruction ids"):
        paired_difference(predictions([0, 0, 0]), predictions([0, 0]), QUICK)


def test_an_item_given_twice_is_named() -> None:
    with pytest.raises(UserError, match="'i0' occurs 2 times among 4"):
        paired_difference(predictions([0, 0]) * 2, predictions([0, 0]), QUICK)


@pytest.mark.parametrize(
    ("ranker", "credit"), [([3, 2, 1], 3.0), ([1, 2, 3], 0.0), ([1, 1, 1], 1.5), ([3, 3, 1], 2.5)]
)
def test_pairs_in_agreement(ranker: list[float], credit: float) -> None:
    """Truth 3 > 2 > 1 orders three pairs; each one agreed counts 1 and each one tied 1/2."""
    counts = count_pairs(ranker, [3, 2, 1])
    assert (counts.ordered, counts.credit) == (3, credit)


def test_pairs_tied_in_truth_are_left_out() -> None:
    """Of the three pairs of truth 1, 1, 0 one is a tie: two remain."""
    assert count_pairs([3, 2, 1], [1, 1, 0]) == PairCounts(ordered=2, agreed=2, tied=0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=6), st.randoms())
def test_pairs_do_not_depend_on_the_order_of_responses(pairs, random) -> None:
    shuffled = random.sample(pairs, len(pairs))
    counts = [count_pairs([a for a, _ in p], [b for _, b in p]) for p in (pairs, shuffled)]
    assert counts[0] == counts[1]


def test_agreement_of_a_perfect_and_of_a_reversed_ranker() -> None:
    right, wrong = (
        pair_agreement([count_pairs(r, [3, 2, 1])] * 9, QUICK) for r in ([3, 2, 1], [1, 2, 3])
    )
    assert right is not None and right.value == 1 and right.excludes(0.5)
    assert wrong is not None and wrong.value == 0 and wrong.excludes(0.5)


def test_agreement_pools_pairs_over_sets() -> None:
    """3 of 3 pairs in one set and 0 of 1 in another: 3 / 4, not (1 + 0) / 2."""
    found = pair_agreement([PairCounts(3, 3, 0), PairCounts(1, 0, 0), PairCounts(0, 0, 0)], QUICK)
    assert found is not None
    assert (found.value, found.items) == (0.75, 2)


def test_agreement_of_a_random_ranker_is_chance() -> None:
    """300 sets of 4: the standard error is below sqrt(0.25 / 300) = 0.029."""
    draw = np.random.default_rng(1)
    found = pair_agreement([count_pairs(*draw.random((2, 4))) for _ in range(300)], QUICK)
    assert found is not None
    assert found.value == pytest.approx(0.5, abs=0.09)
    assert not found.excludes(0.5)


def test_agreement_without_an_ordered_pair_is_unknown() -> None:
    assert pair_agreement([PairCounts(0, 0, 0)], QUICK) is None


def test_tau_of_one_swap() -> None:
    """1 2 3 against 1 3 2: two concordant pairs and one discordant, (2 − 1) / 3."""
    assert kendall_tau_b([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)


def test_tau_without_an_order_is_unknown() -> None:
    assert math.isnan(kendall_tau_b([1, 1], [1, 2]))


@given(RANKS, st.randoms())
def test_tau_agrees_with_its_formula(first: list[int], random) -> None:
    second = random.sample(first, len(first))
    signs = [
        (np.sign(a1 - b1), np.sign(a2 - b2))
        for (a1, a2), (b1, b2) in combinations(list(zip(first, second, strict=True)), 2)
    ]
    untied = math.sqrt(sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs))
    if untied:
        expected = sum(a * b for a, b in signs) / untied
        assert kendall_tau_b(first, second) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("confidence", "resamples"), [(0.0, 999), (1.0, 999), (95, 999), (0.95, 9)]
)
def test_settings_without_an_interval_are_refused(confidence: float, resamples: int) -> None:
    with pytest.raises(ConfigError, match="allowed"):
        Bootstrap(confidence, resamples, seed=0)
