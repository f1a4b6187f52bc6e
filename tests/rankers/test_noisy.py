"""A known share of wrong verdicts: none, half and all of them, and what is told of the ranker."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.errors import ConfigError
from tuna_exp.rankers.base import Outcome, Refusal
from tuna_exp.rankers.noisy import NoisyRanker, flipped
from tuna_exp.rankers.random import RandomRanker
from tuna_exp.records import RankedExample

from .conftest import MakeSet

RANKS = st.lists(st.integers(0, 4), min_size=1, max_size=8)


def texts(outcome: Outcome) -> list[str]:
    return [r.text for r in outcome.responses] if isinstance(outcome, RankedExample) else []


def orders(scores: list[float]) -> list[int]:
    """Return for each pair which of the two is better: 1, -1, or 0 for a tie."""
    return [(a > b) - (a < b) for a, b in combinations(scores, 2)]


@given(RANKS)
def test_without_noise_the_order_stays_with_its_ties(ranks: list[int]) -> None:
    assert orders(flipped(ranks, 0.0, Random(0))) == orders([-rank for rank in ranks])


@given(RANKS)
def test_with_all_verdicts_turned_round_it_is_reversed(ranks: list[int]) -> None:
    assert orders(flipped(ranks, 1.0, Random(0))) == orders([float(rank) for rank in ranks])


@given(RANKS, st.floats(0, 1), st.integers())
def test_every_pair_is_won_once(ranks: list[int], flip: float, seed: int) -> None:
    """Of N responses the wins sum to N (N - 1) / 2."""
    count = len(ranks)
    assert sum(flipped(ranks, flip, Random(seed))) == count * (count - 1) / 2


@pytest.mark.parametrize("flip", [0.1, 0.5])
def test_the_share_of_wrong_verdicts_is_the_one_asked_for(flip: float) -> None:
    """Of 4,000 pairs: the standard deviation of the share is at most 0.008, four of them 0.032."""
    random = Random(7)
    wrong = [flipped([0, 1], flip, random) == [0.0, 1.0] for _ in range(4000)]
    assert sum(wrong) / 4000 == pytest.approx(flip, abs=0.032)


def test_the_noise_is_seeded_and_keeps_what_the_ranker_said(make_set: MakeSet) -> None:
    sets = [make_set(["a", "b", "c"], name=str(i)) for i in range(20)]
    inner = RandomRanker(seed=0)
    clean, noisy = (NoisyRanker(inner, flip, seed=0).rank(sets) for flip in (0.0, 0.5))
    again, other = (NoisyRanker(inner, 0.5, seed=seed).rank(sets) for seed in (0, 1))
    assert noisy == again != other
    assert [texts(outcome) for outcome in clean] == [texts(o) for o in inner.rank(sets)]


def test_a_refusal_stays_one(make_set: MakeSet) -> None:
    class Refusing(RandomRanker):
        def rank(self, sets):  # type: ignore[no-untyped-def]
            return [Refusal(instruction_id=s.instruction.id, kind="no", raw="no") for s in sets]

    outcomes = NoisyRanker(Refusing(0), 0.5, seed=0).rank([make_set(["a", "b"])])
    assert [outcome.kind for outcome in outcomes if isinstance(outcome, Refusal)] == ["no"]


def test_the_digest_names_the_ranker_and_the_noise() -> None:
    made = NoisyRanker(RandomRanker(seed=3), 0.2, seed=1).digest()
    assert made == {
        "ranker": "noisy",
        "of": {"ranker": "RandomRanker", "seed": 3},
        "flip": 0.2,
        "seed": 1,
    }


def test_a_proxy_is_refused() -> None:
    from tuna_exp.rankers.proxy import Proxy

    proxy = Proxy.__new__(Proxy)
    with pytest.raises(ConfigError, match="labels=noisy"):
        NoisyRanker(proxy, 0.1, seed=0).check([])
