"""Accuracy, robustness and the score: by hand, with rounding where the original rounds."""

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.evaluation.lmentry.figures import (
    ACCURACY,
    ALL,
    PARTS,
    ROBUSTNESS,
    SCORE,
    Results,
    Scored,
    figures_of,
    robust,
)
from tuna_exp.evaluation.lmentry.tasks import ADJACENT, ARGUMENT_ORDER, CORE, FILES, SUBSETS

BOOTSTRAP = Bootstrap(0.95, 500, 1)


def task(*scores: Sequence[int]) -> list[Scored]:
    """Scores of each argument tuple under the three templates; answers in places 0, 1, 0, ..."""
    return [
        Scored(place, template, place % 2, score)
        for place, row in enumerate(scores)
        for template, score in enumerate(row)
    ]


ALWAYS, NEVER = task([1, 1, 1], [1, 1, 1]), task([0, 0, 0], [0, 0, 0])


def results(**changed: list[Scored]) -> Results:
    """All right but for the task files given."""
    return Results({name: changed.get(name, ALWAYS) for name in FILES})


def overall(of: Results) -> Mapping[str, float]:
    return {f.metric: f.interval.value for f in figures_of(of, BOOTSTRAP) if f.group == ALL}


def test_task_and_template_accuracy_are_rounded_as_published() -> None:
    """4 of 9: 44.44. Under the templates 1/3, 1/3, 2/3: 33.3, 33.3, 66.7."""
    of = results(first_word=task([1, 0, 1], [0, 1, 0], [0, 0, 1]))
    assert of.task_accuracy("first_word") == 44.44
    assert of.template_accuracies("first_word") == [33.3, 33.3, 66.7]


def test_order_accuracies() -> None:
    """Answer in place 0: tuples 0 and 2, 4 of 6: 66.67; in place 1: tuple 1, 1 of 3: 33.33."""
    of = results(homophones=task([1, 1, 1], [1, 0, 0], [1, 0, 0]))
    assert of.order_accuracies("homophones") == [66.67, 33.33]


def test_robust_is_100_minus_the_largest_difference() -> None:
    assert robust([80.0, 50.0, 70.0]) == 70.0
    assert robust([20.0, 20.0]) == 100.0


def test_all_right() -> None:
    made = overall(results())
    assert made == {SCORE: 1.0, ACCURACY: 1.0, ROBUSTNESS: 1.0, **dict.fromkeys(PARTS, 1.0)}


def test_all_wrong_is_robust_and_scores_0() -> None:
    of = Results(dict.fromkeys(FILES, NEVER))
    assert (of.accuracy(), of.robustness(), of.score()) == (0.0, 100.0, 0.0)


def test_a_core_task_that_is_never_right() -> None:
    """word_after at 0: accuracy 24/25 = 96; it is in one adjacent pair, 16/17 = 94.1176...

    Robustness: mean of 100, 100, 100 and 94.1176 = 98.529, to one decimal 98.5; 96 x 98.5 / 100 =
    94.56.
    """
    made = overall(results(word_after=NEVER))
    assert made[ACCURACY] == pytest.approx(0.96)
    assert made["adjacent tasks robustness"] == pytest.approx(16 / 17)
    assert made[ROBUSTNESS] == pytest.approx(0.985)
    assert made[SCORE] == pytest.approx(0.9456)
    assert made["template robustness"] == 1.0


def test_argument_order() -> None:
    """Right only where the first argument is the answer: r = 0 for one of 7 tasks."""
    made = overall(results(bigger_number=task([1, 1, 1], [0, 0, 0])))
    assert made["argument order robustness"] == pytest.approx(6 / 7)


def test_argument_content() -> None:
    """Subsets at 100, 0 and 50 percent: r = 0 for one of 6 tasks; no core figure changes."""
    made = overall(
        results(
            all_words_from_category_1_distractors=NEVER,
            all_words_from_category_2_distractors=task([1, 1, 1], [0, 0, 0]),
        )
    )
    assert made["argument content robustness"] == pytest.approx(5 / 6)
    assert made[ACCURACY] == 1.0 and made["adjacent tasks robustness"] == 1.0


def test_half_a_decimal_is_rounded_as_numpy_does() -> None:
    """A subset at 844 of 1,000: r = 84.4 for one of 6 tasks, their mean 97.4.

    Robustness: mean of 100, 97.4, 100 and 100 = 99.35, half-way: to the even decimal, 99.4. The
    rounding of Python itself looks at the double, which is just below, and gives 99.3.
    """
    scores = [Scored(place, place % 3, place % 2, int(place < 844)) for place in range(1_000)]
    of = results(rhyming_word_orthographically_similar=scores)
    assert of.robustness() == 99.4
    assert of.score() == pytest.approx(99.4)


def test_template() -> None:
    """100, 50, 0 under the templates: r = 0 for one of 25 tasks."""
    made = overall(results(last_letter=task([1, 1, 0], [1, 0, 0])))
    assert made["template robustness"] == pytest.approx(24 / 25)


def test_the_groups_are_the_published_ones() -> None:
    assert (len(CORE), len(SUBSETS), len(FILES)) == (25, 16, 41)
    assert (len(ARGUMENT_ORDER), len(ADJACENT), len(set(ADJACENT))) == (7, 17, 17)
    assert {name for pair in ADJACENT for name in pair} <= set(CORE)


def test_figures_come_score_first_then_by_task() -> None:
    made = figures_of(results(first_word=task([1, 1, 1], [1, 0, 0])), BOOTSTRAP)
    assert [f.metric for f in made[:7]] == [SCORE, ACCURACY, ROBUSTNESS, *PARTS]
    assert [f.group for f in made[7:]] == list(FILES)
    by_task = {f.group: f.interval for f in made[7:]}
    assert by_task["first_word"].value == pytest.approx(0.6667, abs=1e-9)  # 4 of 6, as rounded
    assert by_task["first_word"].items == 2  # argument tuples, not examples


def test_overall_intervals_are_over_tasks_and_hold_the_figure() -> None:
    made = figures_of(results(word_after=NEVER, first_word=NEVER, last_letter=NEVER), BOOTSTRAP)[:7]
    for figure in made:
        interval = figure.interval
        assert math.isfinite(interval.low) and 0 <= interval.low <= interval.value, figure
        assert interval.value <= interval.high <= 1, figure
    assert {f.interval.items for f in made[:3]} == {25}
    assert made[1].interval.low < 0.88 < made[1].interval.high


def metrics(of: Results) -> list[str]:
    return [f.metric for f in figures_of(of, BOOTSTRAP) if f.group == ALL]


def without(name: str) -> Results:
    return Results({other: ALWAYS for other in FILES if other != name})


def test_without_a_subset_there_is_no_robustness_of_content() -> None:
    """What is missing makes no figure: never a silent zero."""
    made = metrics(without("rhyming_word_orthographically_similar"))
    assert made == [ACCURACY, PARTS[0], PARTS[2], PARTS[3]]


def test_without_a_core_task_there_is_what_does_not_need_it() -> None:
    """last_word has templates and neighbours, but is in no other part."""
    assert metrics(without("last_word")) == [PARTS[0], PARTS[1]]
    assert len(figures_of(without("last_word"), BOOTSTRAP)) == 2 + 40


def test_without_an_example_of_a_template_or_a_place_there_is_no_figure_of_it() -> None:
    short = [example for example in ALWAYS if example.template != 2]
    assert metrics(results(first_word=short)) == [ACCURACY, PARTS[0], PARTS[1], PARTS[3]]
    one_place = [example for example in ALWAYS if example.argument_tuple == 0]
    assert metrics(results(homophones=one_place)) == [ACCURACY, *PARTS[1:]]


@given(st.lists(st.lists(st.integers(0, 1), min_size=3, max_size=3), min_size=2, max_size=6))
def test_figures_are_shares_and_the_score_is_their_product(rows: list[list[int]]) -> None:
    of = results(more_letters=task(*rows), first_alphabetically_same_first_letter=task(*rows))
    accuracy, robustness = of.accuracy(), of.robustness()
    assert 96 <= accuracy <= 100 and 0 <= robustness <= 100
    assert of.score() == pytest.approx(accuracy * robustness / 100)
    assert of.score() <= accuracy
