"""Several opinions become one order: always a weak one, and disagreement ties."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.rankers.orders import (
    agree,
    borda,
    consensus,
    copeland,
    majority,
    presentations,
    verdict,
)


@st.composite
def opinions(draw: st.DrawFn) -> list[list[float]]:
    """One to five opinions on two to six responses, ties among them."""
    count = draw(st.integers(2, 6))
    one = st.lists(st.integers(0, 4).map(float), min_size=count, max_size=count)
    return draw(st.lists(one, min_size=1, max_size=5))


@given(st.integers(2, 7), st.integers(1, 16))
def test_every_response_stands_on_every_slot_as_often(count: int, orders: int) -> None:
    """floor(k / n) or ceil(k / n) times; two orders are each other's reverse instead."""
    made = presentations(count, orders, "key")
    assert all(sorted(order) == list(range(count)) for order in made)
    if orders == 2:
        assert made[1] == made[0][::-1]
        return
    times = [sum(order[slot] == i for order in made) for i in range(count) for slot in range(count)]
    assert set(times) <= {orders // count, -(-orders // count)}


def test_the_first_order_depends_on_the_key_alone() -> None:
    firsts = {k: [presentations(6, k, key)[0] for key in ("a", "b")] for k in (1, 2, 5)}
    assert firsts[1] == firsts[2] == firsts[5] and firsts[1][0] != firsts[1][1]


def test_borda_and_copeland_by_hand() -> None:
    """Of 3, 1, 1: the first beats 2 of 2, the others half a tie of 2. By majority of A > B > C,
    A > C > B, B > A > C: A beats B and C (2), B beats C (1).
    """
    assert borda([3.0, 1.0, 1.0]) == [1.0, 0.25, 0.25]
    assert copeland([[2, 1, 0], [2, 0, 1], [1, 2, 0]]) == [2.0, 1.0, 0.0]
    assert copeland([[1, 0], [0, 1]]) == [0.5, 0.5]
    assert copeland([[1, 0], [0, 1]], [1.0, 2.0]) == [0.0, 1.0]
    assert copeland([[1, 0], [1, 0], [0, 1]], [0.1, 0.2, 0.3]) == [0.5, 0.5]


@pytest.mark.parametrize(
    "said, levels",
    [
        ([[3, 2, 1], [3, 2, 1]], [1.0, 0.5, 0.0]),
        ([[3, 2, 1], [2, 3, 1]], [0.75, 0.75, 0.0]),
        ([[3, 2, 1], [1, 2, 3]], [0.5, 0.5, 0.5]),
        ([[3, 2, 1], [1, 3, 2], [2, 1, 3]], [0.5, 0.5, 0.5]),
        ([[3, 2, 1], [3, 2, 1], [1, 3, 2]], [2 / 3, 2 / 3, 1 / 6]),
    ],
)
def test_consensus_by_hand(said: list[list[float]], levels: list[float]) -> None:
    """Agreement stays; one swapped pair ties; a reversed order or a circle ties all. In the last
    the majority prefers A to B (2 of 3), but both have 2/3 on average: no cut.
    """
    assert consensus(said) == pytest.approx(levels)


@given(opinions())
def test_consensus_is_an_order_that_opinions_support(said: list[list[float]]) -> None:
    """A pair that stays apart has the majority, and one split evenly ties."""
    scores = consensus(said)
    ones = [1.0] * len(said)
    for i, j in combinations(range(len(scores)), 2):
        assert verdict(scores, i, j) in (0, majority(said, i, j, ones))


@given(opinions())
def test_contrary_opinions_give_the_contrary_order(said: list[list[float]]) -> None:
    contrary = consensus([[-score for score in one] for one in said])
    assert agree(contrary, [-score for score in consensus(said)])


@given(opinions(), st.randoms(use_true_random=False))
def test_names_of_responses_do_not_matter(said: list[list[float]], random: object) -> None:
    places = list(range(len(said[0])))
    random.shuffle(places)  # type: ignore[attr-defined]
    moved = consensus([[one[i] for i in places] for one in said])
    assert moved == pytest.approx([consensus(said)[i] for i in places])


@given(st.lists(st.integers(0, 3).map(float), min_size=2, max_size=6), st.integers(1, 5))
def test_unanimous_opinions_are_kept(scores: list[float], times: int) -> None:
    assert agree(consensus([scores] * times), scores)
