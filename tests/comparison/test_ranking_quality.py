"""A ranking against the truth: here the truth is the length of the response."""

import pytest

from tuna_exp.comparison.ranking_quality import agreement, assess
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.records import Instruction, RankedExample

TEXTS = ["a", "bb", "ccc"]


def length(_: Instruction, text: str) -> float:
    return len(text)


def ranked(scores: list[float], times: int = 8) -> list[RankedExample]:
    instruction = Instruction(id="i", instruction="x")
    return [RankedExample.from_scores(instruction, TEXTS, scores)] * times


@pytest.mark.parametrize(
    ("scores", "share"), [([1, 2, 3], 1.0), ([3, 2, 1], 0.0), ([1, 1, 1], 0.5)]
)
def test_agreement(scores: list[float], share: float, bootstrap: Bootstrap) -> None:
    """Longest first is the true order; a ranker without opinion agrees on half."""
    found = agreement(ranked(scores), length, bootstrap)
    assert found is not None
    assert found.value == share


def test_agreement_without_examples_is_unknown(bootstrap: Bootstrap) -> None:
    assert agreement([], length, bootstrap) is None


def test_counts(bootstrap: Bootstrap) -> None:
    """Five ordered sets and three tied ones of three pairs each: 24 pairs, 9 of them tied."""
    examples = ranked([1, 2, 3], 5) + ranked([1, 1, 1], 3)
    result = assess("samples", "judge", examples, length, {"silent": 1}, bootstrap)
    assert (result.sets, result.ordered_sets, result.pairs, result.ties) == (8, 5, 24, 9)
    assert result.refusals == {"silent": 1}


def test_tau_is_over_the_sets_with_an_order(bootstrap: Bootstrap) -> None:
    result = assess("s", "judge", ranked([1, 2, 3]) + ranked([1, 1, 1]), length, {}, bootstrap)
    assert result.tau is not None
    assert (result.tau.value, result.tau.items) == (1.0, 8)
