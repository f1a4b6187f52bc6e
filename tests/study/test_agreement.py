"""Agreement: published worked examples, scipy's tau, and what must hold for any answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.study.test_drawing import key_of
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.study.agreement import (
    MISSING,
    cohens_kappa,
    coincidences,
    kendalls_tau,
    krippendorffs_alpha,
    majority_of,
    measure,
    share_agreeing,
)
from tuna_exp.study.answers import Answers
from tuna_exp.study.key import Key, dense

BOOTSTRAP = Bootstrap(0.95, 200, 0)
# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", part C: 4 observers, 12 units.
OBSERVED = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""


@pytest.mark.parametrize(("ordinal", "alpha"), [(False, 0.743), (True, 0.815)])
def test_alpha_of_krippendorffs_own_example(ordinal: bool, alpha: float) -> None:
    rows = [line.split() for line in OBSERVED.strip().splitlines()]
    counts = [[column.count(str(v)) for v in range(1, 6)] for column in zip(*rows, strict=True)]
    summed = sum(coincidences(np.array(unit, dtype=float)) for unit in counts)
    assert krippendorffs_alpha(np.asarray(summed), ordinal) == pytest.approx(alpha, abs=5e-4)


def test_kappa_by_hand() -> None:
    """p_o = (20 + 15) / 50 = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa = 0.2 / 0.5 = 0.4."""
    table = np.array([20.0, 0, 5, 0, 0, 0, 10, 0, 15])
    assert cohens_kappa(table) == pytest.approx(0.4)
    assert share_agreeing(table) == pytest.approx(0.7)
    assert share_agreeing(np.append(table, 50.0)) == pytest.approx(0.35)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=5).filter(
        lambda ranks: all(len({r[side] for r in ranks}) > 1 for side in (0, 1))
    )
)
def test_tau_of_one_list_is_scipys(ranks: list[tuple[int, int]]) -> None:
    first, second = zip(*ranks, strict=True)
    table = np.zeros((3, 3))
    for a in range(len(first)):
        for b in range(a + 1, len(first)):
            sides = (np.sign(side[a] - side[b]) + 1 for side in (first, second))
            table[tuple(int(side) for side in sides)] += 1
    expected = stats.kendalltau(first, second, variant="b").statistic
    assert kendalls_tau(table.ravel()) == pytest.approx(expected)


def test_statistics_take_many_tables_at_once() -> None:
    tables = np.random.default_rng(0).integers(1, 9, (9, 5)).astype(float)
    for statistic in (cohens_kappa, kendalls_tau, share_agreeing):
        each = [float(statistic(table)) for table in tables.T]
        assert statistic(tables) == pytest.approx(each)


def test_majority_needs_one_more_vote_than_any_other() -> None:
    """2:1 is one; 1:1, 1:1:1 and nothing said are none."""
    codes = np.array([[0, 0, 0, -1], [0, 2, 1, -1], [2, -1, 2, -1]])
    assert majority_of(codes).tolist() == [0, MISSING, MISSING, MISSING]


def as_answers(key: Key, rater: str, ranker: str) -> Answers:
    """A rater who says what a ranker said."""
    return Answers(rater, {item.id: item.verdicts[ranker] or () for item in key.items})


@pytest.mark.parametrize("kind", ["pairs", "lists"])
def test_whoever_says_the_same_agrees_fully(kind: str) -> None:
    """Two raters who are "longest" agree fully with each other and with it, not with "shortest"."""
    key = key_of(kind)
    result = measure(
        key, [as_answers(key, r, "longest") for r in ("first_rater", "second_rater")], BOOTSTRAP
    )
    same, other = result.rankers
    assert result.people is not None and result.undecided == 0
    for interval in (result.people.mean.kappa, result.people.alpha, same.majority.tau):
        assert interval.value == interval.high == 1.0 and 0 < interval.low < 1
    assert same.majority.agreement.value == 1.0 and other.majority.agreement.value == 0.0
    assert same.person == same.majority and same.kappas["second_rater"] == same.person.kappa
    assert other.majority.tau.value == -1.0 and other.kappas["first_rater"].value < 0


@given(st.lists(st.integers(0, 2), min_size=12, max_size=12), st.booleans())
def test_people_are_judged_alike_whatever_their_order(said: list[int], swap: bool) -> None:
    key = key_of()
    verdicts = [(0, 1), (0, 0), (1, 0)]
    second_rater = Answers(
        "second_rater", {i.id: verdicts[s] for i, s in zip(key.items, said, strict=True)}
    )
    raters = [as_answers(key, "first_rater", "longest"), second_rater]
    results = [measure(key, order, Bootstrap(0.95, 100, 0)) for order in (raters, raters[::-1])]
    values = [result.people.alpha.value for result in results if result.people]
    assert values[0] == pytest.approx(values[1], nan_ok=True)
    assert results[0].comparisons == 12


def test_a_ranker_without_a_verdict_does_not_agree() -> None:
    """12 items, 3 without a verdict: 9 of 12 agree, kappa is over the 9."""
    key = key_of()
    items = [
        item.model_copy(update={"verdicts": {"r": None if n < 3 else item.verdicts["longest"]}})
        for n, item in enumerate(key.items)
    ]
    partial = Key.of("pairs", 0, items, key.seats)
    (ranker,) = measure(partial, [as_answers(key, "first_rater", "longest")], BOOTSTRAP).rankers
    assert ranker.unanswered == 3 and ranker.majority.agreement.value == 0.75
    assert ranker.person.agreement.value == 0.75
    assert ranker.majority.kappa.value == 1.0 and ranker.majority.kappa.items == 9


def test_people_who_never_met_have_nothing_in_common() -> None:
    key = key_of()
    half = [as_answers(key, rater, "longest") for rater in ("first_rater", "second_rater")]
    first = Answers("first_rater", dict(list(half[0].ranks.items())[:6]))
    second = Answers("second_rater", dict(list(half[1].ranks.items())[6:]))
    assert measure(key, [first, second], BOOTSTRAP).people is None


def test_one_thing_always_said_has_no_kappa() -> None:
    assert math.isnan(cohens_kappa(np.array([5.0, 0, 0, 0, 0, 0, 0, 0, 0])))


def test_dense_ranks() -> None:
    assert dense([2, 5, 2, 9]) == (0, 1, 0, 2)
