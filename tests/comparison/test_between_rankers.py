"""Agreement between rankers, with the arithmetic written out."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from tuna_exp.comparison.between_rankers import agreements, kendall_w
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.records import Instruction, RankedExample

QUICK = Bootstrap(confidence=0.95, resamples=199, seed=0)


def ranking(*scores: list[float], texts: str = "abcd") -> list[RankedExample]:
    return [
        RankedExample.from_scores(
            Instruction(id=str(n), instruction="Do it."), list(texts)[: len(some)], some
        )
        for n, some in enumerate(scores)
    ]


def test_w_by_hand() -> None:
    """Ranks 1 2 3, 1 2 3 and 2 1 3: sums 4 5 9, mean 6, S = 4 + 1 + 9 = 14.

    W = 12 · 14 / (9 · 24) = 7/9. With 1.5 1.5 3 for the last: sums 3.5 5.5 9, S = 15.5,
    T = 2³ − 2 = 6, W = 186 / (216 − 18) = 0.939.
    """
    assert kendall_w([[1, 2, 3], [1, 2, 3], [2, 1, 3]]) == pytest.approx(7 / 9)
    assert kendall_w([[1, 2, 3], [1, 2, 3], [1, 1, 3]]) == pytest.approx(186 / 198)
    assert kendall_w([[1, 2], [1, 2]]) == 1 and kendall_w([[1, 2], [2, 1]]) == 0
    assert math.isnan(kendall_w([[1, 1], [2, 2]]))


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=2, max_size=5))
def test_w_is_friedmans_chi_squared(scores: list[list[int]]) -> None:
    """χ² = m (n − 1) W for m rankers of n = 4 responses, ties corrected alike."""
    assume(any(len(set(row)) > 1 for row in scores))
    chi = stats.friedmanchisquare(*zip(*scores, strict=True)).statistic
    w = kendall_w([[float(s) for s in row] for row in scores])
    assert w == pytest.approx(chi / (len(scores) * 3), abs=1e-9)
    assert -1e-9 <= w <= 1 + 1e-9


def test_rankings_are_compared_on_the_sets_they_share() -> None:
    """x and y: set 0 the same order (τ 1), set 1 reversed (−1), set 2 only x has. Mean 0.

    z has other texts in set 0 and orders none of set 1: no τ with it, but W, over x and z 1/2.
    """
    x = ranking([3, 2, 1], [3, 2, 1], [1, 0])
    y = ranking([3, 2, 1], [1, 2, 3])
    z = ranking([1.0, 0.0], [0, 0, 0])
    z[0] = z[0].model_copy(update={"responses": ranking([1, 0], texts="xy")[0].responses})
    found = {
        agreement.rankings: agreement for agreement in agreements({"x": x, "y": y, "z": z}, QUICK)
    }
    assert list(found) == [("x", "y"), ("x", "z"), ("y", "z"), ("x", "y", "z")]
    assert (found["x", "y"].sets, found["x", "y", "z"].sets) == (2, 1)
    tau = found["x", "y"].tau
    assert tau is not None and tau.value == 0
    assert found["x", "z"].tau is None
    w = found["x", "z"].concordance
    assert w is not None and w.value == pytest.approx(0.5)


def test_rankings_of_other_sets_have_no_agreement() -> None:
    other = [
        e.model_copy(update={"instruction": Instruction(id="9", instruction="x")})
        for e in ranking([1, 0])
    ]
    assert agreements({"x": ranking([1, 0]), "y": other}, QUICK) == []
