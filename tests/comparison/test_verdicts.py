"""Sentences about a ranking: what is warned of, and that small samples warn of nothing."""

from random import Random

import pytest

from tests.comparison.test_reliability import QUICK, TEXTS, example, first_slot_wins, reply
from tuna_exp.comparison.reliability import measure
from tuna_exp.comparison.verdicts import ordinal, verdicts
from tuna_exp.records import RankedExample


def warned(examples: list[RankedExample], refused: dict[str, int] | None = None) -> dict[str, str]:
    found = verdicts(measure(examples, refused or {}, QUICK))
    return {verdict.figure: verdict.text for verdict in found if verdict.severity == "warning"}


def by_name(number: int, *, longer: bool) -> RankedExample:
    """A judge that always gives the same order, in two orders shown; half of them longest first."""
    scores = dict(zip(TEXTS, (0, 1, 2, 3) if longer else (3, 2, 1, 0), strict=True))
    orders = [Random(number).sample(TEXTS, 4), Random(number + 999).sample(TEXTS, 4)]
    replies = [reply(shown, [scores[text] for text in shown]) for shown in orders]
    return example(number, *replies, scores=[scores[text] for text in TEXTS])


def test_position_bias_is_told_with_its_cure() -> None:
    text = warned([first_slot_wins(n) for n in range(40)])["slots"]
    assert text.startswith("The first slot wins 100 % [91, 100] of the time, 25 % expected")
    assert text.endswith("or a stronger judge.") and "Cure: ranker.orders=2" in text


def test_a_steady_judge_is_not_warned_of() -> None:
    steady = [by_name(n, longer=n % 2 == 0) for n in range(40)]
    (told,) = verdicts(measure(steady, {}, QUICK))
    assert told.figure == "all" and "Nothing is found against it" in told.text


def test_a_judge_that_turns_with_the_order_is_told() -> None:
    turns = [
        example(n, reply(TEXTS, [3, 2, 1, 0]), reply(TEXTS[::-1], [3, 2, 1, 0])) for n in range(20)
    ]
    assert "0 % [0, 17] of the pairs keep their verdict" in warned(turns)["order_pairs"]


def test_noise_circles_ties_and_refusals_are_told() -> None:
    """Half of 12 sets say the opposite when asked again, go in a circle, have no order."""
    made = []
    for n in range(12):
        again = [3, 2, 1, 0] if n % 2 else [0, 1, 2, 3]
        circle = [reply(pair, [1, 0]) for pair in (TEXTS[:2], TEXTS[1:3], [TEXTS[2], TEXTS[0]])]
        asked = [reply(TEXTS, [3, 2, 1, 0]), reply(TEXTS, again), *circle]
        made.append(example(n, *asked, scores=[n % 2, 0, 0, 0]))
    told = warned(made, {"no_order": 12})
    assert "50 % [" in told["repeat_pairs"] and "100 % [" in told["cycles"]
    assert "50 % [" in told["unordered_sets"] and "no_order 50 % [" in told["refusals"]


@pytest.mark.parametrize("longer, word", [(True, "longer"), (False, "shorter")])
def test_length_is_told(longer: bool, word: str) -> None:
    text = warned([by_name(n, longer=longer) for n in range(30)])["longer_wins"]
    assert f"The {word} response is the better one in 100 % [88, 100]" in text


def test_few_sets_warn_of_nothing() -> None:
    assert warned([first_slot_wins(n) for n in range(4)]) == {}


def test_one_order_is_noted_as_open() -> None:
    found = verdicts(measure([first_slot_wins(0)], {}, QUICK))
    assert "is open. Cure: ranker.orders=2." in next(v for v in found if v.severity == "note").text


def test_ordinals() -> None:
    assert [ordinal(n) for n in (1, 4, 7)] == ["first", "fourth", "7th"]
