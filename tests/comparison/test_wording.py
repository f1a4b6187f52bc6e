"""Sentences claim what the numbers show and no more."""

import math
from dataclasses import replace

import pytest

from tuna_exp.comparison import wording
from tuna_exp.comparison.results import Comparison, MethodResult, Tokens, compare
from tuna_exp.comparison.statistics import Interval


def with_methods(predict, **scores: list[float]) -> Comparison:
    methods = [
        MethodResult(name, predict(values), 0.0, Tokens()) for name, values in scores.items()
    ]
    return compare(methods, [], [], "sft", 0.95, 999, 0)


def test_a_gain_leads_with_its_size_and_names_the_undecided(comparison: Comparison) -> None:
    said = wording.headline(comparison)
    assert said.startswith(
        "Ranked training helped: tuna_p scores 33.3 points above sft (95 % interval +"
    )
    assert said.endswith("not told apart from sft: tuna_c.")


def test_nothing_shown_is_said_so(predict) -> None:
    said = wording.headline(with_methods(predict, sft=[0, 1] * 10, tuna=[1, 0] * 10))
    assert said.startswith("No ranked method is told apart from sft")


def test_equal_scores_are_level(predict) -> None:
    said = wording.headline(with_methods(predict, sft=[0.0] * 9, tuna=[0.0] * 9))
    assert "tuna scores level with sft" in said


def test_five_sets_tell_nothing_about_chance(comparison: Comparison) -> None:
    few = Interval(0.9, 0.8, 1.0, items=5)
    assert wording.against_chance(comparison, few).startswith("not told apart")
    assert wording.against_chance(comparison, replace(few, items=6)).startswith("above")


def test_a_loss_is_said_to_hurt(predict) -> None:
    said = wording.headline(with_methods(predict, sft=[0.9, 1] * 10, tuna=[0, 0.1] * 10))
    assert said.startswith("Ranked training hurt: tuna scores 90.0 points below sft")


def test_gain_and_loss_are_both_told(predict) -> None:
    both = with_methods(predict, sft=[0.4, 0.5] * 9, tuna_p=[0.9, 1] * 9, tuna_c=[0, 0.1] * 9)
    assert "helped in tuna_p and hurt in tuna_c" in wording.headline(both)


def test_the_untrained_model_is_no_ranked_method(predict) -> None:
    said = wording.headline(with_methods(predict, base=[0.0] * 9, sft=[1.0] * 9))
    assert said == "There is no ranked method here to compare with sft."


def test_one_item_is_too_few(tiny: Comparison) -> None:
    assert "too few items" in wording.headline(tiny)


def test_notes_name_length_ranker_seed_and_unseen_kinds(comparison: Comparison) -> None:
    said = " ".join(wording.notes(comparison))
    assert "tuna_p 9 tokens on average against sft's 5" in said
    assert "agrees with the truth on 100.0 % of 90 pairs" in said
    assert "above chance" in said
    assert "each was trained once" in said and "(Holm)" in said
    assert "10 items of kinds that training never showed" in said


def test_a_ranking_without_true_order_is_said_so(comparison: Comparison) -> None:
    blind = replace(comparison.rankings[0], agreement=None)
    said = wording.notes(replace(comparison, rankings=(blind,)))
    assert (
        'The order from "samples" cannot be checked: no pair of responses has a true order.' in said
    )


@pytest.mark.parametrize(
    ("seconds", "said"), [(8.4, "8 s"), (125, "2 m 05 s"), (3725, "1 h 02 m"), (math.nan, "–")]
)
def test_durations(seconds: float, said: str) -> None:
    assert wording.duration(seconds) == said


@pytest.mark.parametrize(("number", "said"), [(950, "950"), (12_345, "12.3 k"), (4.5e6, "4.5 M")])
def test_counts(number: float, said: str) -> None:
    assert wording.count(number) == said


def test_intervals_in_words() -> None:
    known, unknown = Interval(0.5, 0.25, 0.75, 9), Interval(0.5, math.nan, math.nan, 1)
    assert (wording.percents(known), wording.points(known)) == (
        "50.0 [25.0, 75.0]",
        "+50.0 [+25.0, +75.0]",
    )
    assert (wording.percents(unknown), wording.points(None)) == ("50.0 [–]", "–")
