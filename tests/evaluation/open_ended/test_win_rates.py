"""Figures of comparisons: the published outcomes, and the win rate at equal length."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.open_ended.conftest import MakePair
from tests.evaluation.open_ended.published import (
    as_published,
    needs_reviews,
    pair_of,
    replayed,
    reviews,
    rows,
)
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.evaluation.open_ended.judging import AnswerPair, Comparison
from tuna_exp.evaluation.open_ended.win_rates import (
    Tally,
    comparison_figures,
    length_controlled,
    relative_score,
    tally,
    win_rate,
)
from tuna_exp.records import Instruction, Judgement

BOOTSTRAP = Bootstrap(confidence=0.95, resamples=199, seed=0)
CLEAN = "vicuna-13b_20230322-clean-lang"
CHATGPT = f"{CLEAN}/review_gpt35_vicuna-13b.jsonl"


def judged(name: str, preference: float | None, more: int = 0, kind: str = "") -> Comparison:
    """A comparison whose answer is `more` characters longer than the other."""
    asked = Instruction(id=name, instruction="Do it.", kind=kind)
    return Comparison(
        instruction=asked, answer="x" * (200 + more), other="y" * 200, preference=preference,
        judgements=(Judgement(shown=("x", "y"), refusal="empty"),) if preference is None else (),
    )  # fmt: skip


def made(preferences: Sequence[float], more: Sequence[int]) -> list[Comparison]:
    return [judged(str(i), p, m) for i, (p, m) in enumerate(zip(preferences, more, strict=True))]


@needs_reviews
@pytest.mark.parametrize(
    ("file", "totals"),
    [
        ("review_llama-13b_vicuna-13b", (513.0, 694.0)),
        ("review_alpaca-13b_vicuna-13b", (583.0, 704.0)),
        ("review_bard_vicuna-13b", (664.0, 655.5)),
        ("review_gpt35_vicuna-13b", (693.0, 638.0)),
    ],
)
def test_total_scores_are_those_of_the_vicuna_post(file: str, totals: tuple[float, float]) -> None:
    """Table 2 of "Vicuna: An Open-Source Chatbot ..." (30 March 2023); 638 / 693 = 0.92."""
    compared = [as_published(review) for review in reviews()[f"{CLEAN}/{file}.jsonl"]]
    scores = [one.scores or (0.0, 0.0) for one in compared]
    assert (sum(s[1] for s in scores), sum(s[0] for s in scores)) == totals
    relative = relative_score(compared, BOOTSTRAP)
    assert relative.value == pytest.approx(totals[1] / totals[0])
    assert relative.low < relative.value < relative.high


@needs_reviews
def test_outcomes_of_all_13_pairs_are_those_of_the_published_scores() -> None:
    """Such as 14 wins, 22 ties, 44 losses of Vicuna-13B against ChatGPT: a win rate of 25/80."""
    for some in reviews().values():
        signs = [(r["score"][1] > r["score"][0]) - (r["score"][1] < r["score"][0]) for r in some]
        expected = Tally(signs.count(1), signs.count(0), signs.count(-1), {})
        assert tally([replayed(review) for review in some]) == expected
    compared = [replayed(review) for review in reviews()[CHATGPT]]
    assert tally(compared) == Tally(14, 22, 44, {})
    assert win_rate(compared, BOOTSTRAP).value == 25 / 80


@needs_reviews
def test_human_verdicts_are_tallied_the_same_way() -> None:
    """People: 25 wins, 14 ties, 41 losses of Vicuna-13B against ChatGPT. GPT-4 says the same of 42.

    Counted from the two published files: 42 of 80 questions have the same outcome in both.
    """
    value = {"VICUNA13B": 1.0, "TIE": 0.5, "CHATGPT": 0.0}
    said = {row["question_id"]: value[row["human"]] for row in rows(HUMAN)}
    compared = []
    for review in reviews()[CHATGPT]:
        pair, score = pair_of(review), said[review["question_id"]]
        shown = Judgement(shown=(pair.answer, pair.other), scores=(score, 1 - score))
        compared.append(Comparison.from_judgements(pair, [shown]))
    assert tally(compared) == Tally(25, 14, 41, {})
    machine = [replayed(review) for review in reviews()[CHATGPT]]
    same = sum(a.preference == b.preference for a, b in zip(compared, machine, strict=True))
    assert same == 42


HUMAN = "human_gpt35_vs_vicuna13b.jsonl"


@needs_reviews
def test_figures_come_per_category() -> None:
    """Over all and 9 categories, the length-controlled one over all alone: none has 20 pairs."""
    figures = comparison_figures([replayed(r) for r in reviews()[CHATGPT]], BOOTSTRAP)
    by_name = {(figure.metric, figure.group): figure.interval for figure in figures}
    assert (figures[0].metric, figures[0].group, len(figures)) == ("win rate", "all", 2 * 10 + 1)
    assert by_name["win rate", "coding"].items == 7
    parts = [i for (metric, group), i in by_name.items() if metric == "win rate" != group != "all"]
    assert sum(i.value * i.items for i in parts) == pytest.approx(25)


def test_refusals_are_counted_and_in_no_figure() -> None:
    compared = [judged("a", 1.0), judged("b", None), judged("c", 0.5)]
    assert tally(compared) == Tally(1, 1, 0, {"empty": 1})
    figures = comparison_figures(compared, BOOTSTRAP)
    assert (figures[0].interval.value, figures[0].interval.items) == (0.75, 2)
    assert {figure.metric for figure in figures} == {"win rate", "length-controlled win rate"}
    assert math.isnan(comparison_figures([judged("b", None)], BOOTSTRAP)[0].interval.value)


def test_equal_length_leaves_the_win_rate() -> None:
    """No answer longer: 3 of 4. Differences that cancel, as many wins either way: 1/2."""
    assert length_controlled(made([1, 1, 1, 0], [0] * 4), BOOTSTRAP).value == 0.75
    balanced = made([1, 0, 1, 0] * 5, [50, 50, -50, -50] * 5)
    assert length_controlled(balanced, BOOTSTRAP).value == pytest.approx(0.5, abs=1e-6)


def test_winning_by_length_alone_is_no_better() -> None:
    """Always longer by about 100 of which the longest win: the win rate 0.8 falls below it."""
    more = list(range(20, 220, 2))
    compared = made([float(m > 60) for m in more], more)
    assert win_rate(compared, BOOTSTRAP).value > 0.75
    assert length_controlled(compared, BOOTSTRAP).value < 0.1


@pytest.mark.parametrize(("theta", "phi"), [(0.0, 1.5), (1.0, 2.0), (-0.7, -1.0)])
def test_the_model_that_made_the_data_is_found(theta: float, phi: float) -> None:
    """4,000 preferences drawn from the model: its logistic(θ) lies within the 99.9 % interval."""
    rng = np.random.default_rng(1)
    more = rng.integers(-150, 300, 4000)
    logits = theta + phi * np.tanh(more / more.std(ddof=1))
    wins = (rng.random(4000) < 1 / (1 + np.exp(-logits))).astype(float)
    found = length_controlled(made(wins.tolist(), more.tolist()), Bootstrap(0.999, 100, 0))
    assert found.low <= 1 / (1 + math.exp(-theta)) <= found.high
    assert found.high - found.low < 0.12


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(-100, 100)), min_size=4, max_size=30
    )
)
def test_both_sides_add_up_to_1(pairs: list[tuple[float, int]]) -> None:
    """LC(ours) + LC(theirs) = 1: the length term is odd and the model has no side of its own."""
    ours = made([p for p, _ in pairs], [m for _, m in pairs])
    theirs = [
        c.model_copy(
            update={"answer": c.other, "other": c.answer, "preference": 1 - (c.preference or 0)}
        )
        for c in ours
    ]
    a, b = length_controlled(ours, BOOTSTRAP), length_controlled(theirs, BOOTSTRAP)
    assert a.value + b.value == pytest.approx(1, abs=1e-4)
    assert 0 <= a.low <= a.high <= 1


def test_wins_only_are_the_plain_win_rate() -> None:
    """8 wins of 8: 1, and not ruled out are 1 − 0.025^(1/8) = 0.369 losses."""
    found = length_controlled(made([1.0] * 8, range(8)), BOOTSTRAP)
    assert (found.value, found.low) == (1.0, pytest.approx(0.025 ** (1 / 8)))


def test_relative_score_needs_scores(make_pair: MakePair) -> None:
    """(9 + 6) / (8 + 10) = 15/18."""
    pair: AnswerPair = make_pair("a", "x", "y")
    compared = [
        Comparison.from_judgements(pair, [Judgement(shown=("x", "y"), scores=scores)])
        for scores in [(9.0, 8.0), (6.0, 10.0)]
    ]
    assert relative_score(compared, BOOTSTRAP).value == pytest.approx(15 / 18)
    assert math.isnan(relative_score([judged("a", 1.0)], BOOTSTRAP).value)
