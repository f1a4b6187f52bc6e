"""Reliability of one ranking, with the arithmetic written out."""

import json
import math
from collections.abc import Sequence
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.comparison.json_text import json_text
from tuna_exp.comparison.reliability import cycles, measure, order_of
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.records import Instruction, Judgement, RankedExample

QUICK = Bootstrap(confidence=0.95, resamples=199, seed=0)
TEXTS = ["a", "bb", "ccc", "dddd"]


def reply(shown: Sequence[str], scores: Sequence[float]) -> Judgement:
    return Judgement(shown=tuple(shown), scores=tuple(scores))


def example(number: int, *judgements: Judgement, scores: Sequence[float] = ()) -> RankedExample:
    texts = sorted({text for judgement in judgements for text in judgement.shown}) or TEXTS
    return RankedExample.from_scores(
        Instruction(id=str(number), instruction="Do it."),
        texts,
        list(scores) or [float(-i) for i in range(len(texts))],
        judgements=judgements,
    )


def first_slot_wins(number: int) -> RankedExample:
    shown = Random(number).sample(TEXTS, 4)
    return example(number, reply(shown, [1, 0, 0, 0]))


def test_a_judge_that_takes_the_first_slot_is_found() -> None:
    """All of 40 first: 1 won, 1/4 expected; 0 of 40 elsewhere. Low: 0.025^(1/40) = 0.912."""
    first, *others = measure([first_slot_wins(n) for n in range(40)], {}, QUICK).slots
    assert (first.number, first.won.value, first.expected) == (1, 1.0, 0.25)
    assert first.won.low == pytest.approx(0.912, abs=1e-3)
    assert [slot.won.value for slot in others] == pytest.approx([0, 0, 0])


def test_ties_for_first_are_shared_and_sizes_mixed() -> None:
    """Slot 1: 1/2 of a tie among 2 of 3, and 1 of 2: mean 3/4, expected (1/3 + 1/2) / 2."""
    made = [example(0, reply("abc", [1, 1, 0])), example(1, reply("ab", [1, 0]))]
    found = measure(made, {}, QUICK).slots
    assert [slot.won.value for slot in found] == pytest.approx([0.75, 0.25, 0])
    assert [slot.expected for slot in found] == pytest.approx([5 / 12, 5 / 12, 1 / 3])


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=2, max_size=8))
def test_somebody_wins_each_time(replies: list[list[int]]) -> None:
    """The shares of the places add up to 1, and each lies within its interval."""
    made = [example(n, reply(TEXTS, scores)) for n, scores in enumerate(replies)]
    found = measure(made, {}, QUICK).slots
    assert sum(slot.won.value for slot in found) == pytest.approx(1)
    assert all(s.won.low - 1e-9 <= s.won.value <= s.won.high + 1e-9 for s in found)


def test_other_orders_and_repeats_are_told_apart() -> None:
    """A: a > b > c, then shown as c b a the same. B: shown again it swaps b and c, reversed all.

    In another order: A 3 of 3 pairs; B's two replies in order (a b c) against the third
    (a > b > c and a > c > b, each against c > b > a): 0 + 1 of 6. 4 of 9; whole sets 1 of 2.
    Again: B's first two, 2 of 3 pairs, τ_b = (2 − 1) / 3.
    """
    a = example(0, reply("abc", [2, 1, 0]), reply("cba", [0, 1, 2]))
    b = example(1, reply("abc", [2, 1, 0]), reply("abc", [2, 0, 1]), reply("cba", [2, 1, 0]))
    found = measure([a, b], {}, QUICK)
    assert found.order_pairs is not None and found.order_pairs.value == pytest.approx(4 / 9)
    assert found.order_sets is not None and found.order_sets.value == 0.5
    assert found.repeat_pairs is not None and found.repeat_pairs.value == pytest.approx(2 / 3)
    assert found.repeat_tau is not None and found.repeat_tau.value == pytest.approx(1 / 3)


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_an_order_does_not_depend_on_how_it_is_shown(one: list[int], other: list[int]) -> None:
    scores = dict(zip(TEXTS, (3.0, 1.0, 1.0, 0.0), strict=True))
    shown = [[TEXTS[i] for i in places] for places in (one, other)]
    orders = [order_of(reply(texts, [scores[text] for text in texts])) for texts in shown]
    assert orders[0] == orders[1]


def pairwise(beats: Sequence[str]) -> RankedExample:
    return example(0, *(reply(pair, [1, 0]) for pair in beats))


def test_circles_are_counted_among_decided_triads() -> None:
    """Of a, b, c, d: a > b > c > a goes round; d loses to all, so three triads are in line.

    Where b and c are asked in both orders and the first shown wins twice, two triads are open.
    """
    line = ["ad", "bd", "cd"]
    assert cycles(pairwise(["ab", "bc", "ca", *line])) == (1, 4)
    assert cycles(pairwise(["ab", "bc", "cb", "ca", *line])) == (0, 2)
    assert cycles(example(0, reply("abc", [2, 1, 0]))) == (0, 0)


@pytest.mark.parametrize("names", permutations("abc"))
def test_circles_do_not_depend_on_names(names: tuple[str, ...]) -> None:
    x, y, z = names
    assert cycles(pairwise([x + y, y + z, z + x])) == (1, 1)
    assert cycles(pairwise([x + y, y + z, x + z])) == (0, 1)


def test_length_ties_and_likelihood() -> None:
    """Longest first: τ_b 1, all pairs; one of two sets has no order: 6 of 12 pairs are tied.

    The likelihoods of the ordered set fall with its rank; the other set has none.
    """
    ordered = example(0, scores=[0, 1, 2, 3])
    likely = [
        response.model_copy(update={"likelihood": -float(response.rank)})
        for response in ordered.responses
    ]
    ordered = ordered.model_copy(update={"responses": tuple(likely)})
    found = measure([ordered, example(1, scores=[1, 1, 1, 1])], {}, QUICK)
    assert found.length_tau is not None and found.length_tau.value == 1
    assert found.longer_wins is not None and found.longer_wins.items == 1
    assert found.likelihood_tau is not None and found.likelihood_tau.value == 1
    assert found.tied_pairs is not None and found.tied_pairs.value == 0.5
    assert found.unordered_sets is not None and found.unordered_sets.value == 0.5


def test_refusals_of_sets_and_of_replies() -> None:
    """2 of 10 sets; 1 of 9 replies. Wilson of 2 of 10 at 95 %: 0.057 to 0.510."""
    made = [example(n, reply("ab", [1, 0])) for n in range(7)]
    bad = Judgement(shown=("a", "b"), refusal="no_order")
    made.append(example(7, reply("ab", [1, 0]), bad))
    found = measure(made, {"empty": 2}, QUICK)
    (sets,), (replies,) = found.refusals, found.refused_replies
    assert (sets.kind, sets.count, sets.share.value) == ("empty", 2, 0.2)
    assert (sets.share.low, sets.share.high) == pytest.approx((0.0567, 0.5098), abs=1e-4)
    assert (replies.kind, replies.share.value) == ("no_order", pytest.approx(1 / 9))


def test_nothing_is_measured_on_nothing_and_it_is_json() -> None:
    found = measure([], {}, QUICK)
    assert found.slots == () and found.order_pairs is None and found.tied_pairs is None
    said = json.loads(
        json_text(measure([first_slot_wins(0)], {}, QUICK)), parse_constant=pytest.fail
    )
    assert said["slots"][0]["won"]["value"] == 1 and said["slots"][0]["won"]["low"] is None
    assert math.isclose(said["slots"][0]["expected"], 0.25)
