"""The rules by hand, and what holds for any numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.rails.rules import Means, displacement, divergence, growth, repetition

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=40)


def means_of(values: list[float], window: int) -> list[float]:
    means = Means(window)
    for value in values:
        means.add(value)
    return means.means


@given(VALUES, st.integers(1, 8))
def test_means_are_of_whole_windows(values: list[float], window: int) -> None:
    found = means_of(values, window)
    assert len(found) == len(values) // window
    for number, mean in enumerate(found):
        part = values[number * window : (number + 1) * window]
        assert mean == pytest.approx(sum(part) / window, abs=1e-6)


@pytest.mark.parametrize(
    "logps, fallen",
    [([-1.0, -1, -2.5, -2.5], 1.5), ([-2.0, -2, -1, -1], -1.0), ([-1.0, -1, -9], 0.0), ([], 0.0)],
)
def test_displacement_by_hand(logps: list[float], fallen: float) -> None:
    """Windows of two: -1 then -2.5 is a fall of 1.5; half a window is not looked at."""
    assert displacement(means_of(logps, 2)) == pytest.approx(fallen)


@pytest.mark.parametrize(
    "losses, risen",
    [([4.0, 2, 1, 3], 3.0), ([2.0, 1], 0.5), ([2.0], 1.0), ([], 1.0), ([-1.0, 2], 1.0)],
)
def test_divergence_by_hand(losses: list[float], risen: float) -> None:
    """The last of 4, 2, 1, 3 is three times the lowest before it; what may be negative has none."""
    assert divergence(losses) == pytest.approx(risen)


def test_growth_by_hand() -> None:
    assert [growth(lengths) for lengths in ([10.0, 25], [10.0], [], [0.0, 5])] == [2.5, 1, 1, 1]


@pytest.mark.parametrize(
    "tokens, share",
    [([1, 2, 3, 4, 5], 0.0), ([7] * 7, 0.75), ([1, 2, 3], 0.0), ([1, 2] * 4, 0.6)],
)
def test_repetition_by_hand(tokens: list[int], share: float) -> None:
    """Of 7 equal tokens there are 4 4-grams, 1 distinct; of 1 2 1 2 1 2 1 2 there are 5, 2."""
    assert repetition(tokens) == pytest.approx(share)


@given(st.lists(st.integers(0, 3), max_size=30))
def test_a_share_is_a_share(tokens: list[int]) -> None:
    assert 0 <= repetition(tokens) < 1
