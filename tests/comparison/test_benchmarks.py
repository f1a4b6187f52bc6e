"""Several benchmarks: whose figures stand side by side, and what a difference is taken over."""

import csv
import io
from collections.abc import Callable, Sequence, Set
from dataclasses import replace

import pytest

from tuna_exp.comparison import figures, table, wording
from tuna_exp.comparison.benchmarks import Answered, benchmark_result, values_behind
from tuna_exp.comparison.results import Comparison
from tuna_exp.comparison.statistics import Bootstrap, Interval, mean_interval
from tuna_exp.comparison.tracking import summary
from tuna_exp.evaluation.base import Figure
from tuna_exp.records import Prediction

Predict = Callable[..., list[Prediction]]
SETTINGS = {"benchmark": "mine", "batch_size": 8, "max_new_tokens": 5}


def figure(metric: str, group: str, value: float, items: int = 3) -> Figure:
    return Figure(metric, group, Interval(value, value - 0.1, value + 0.1, items))


@pytest.fixture
def answer(predict: Predict, bootstrap: Bootstrap) -> Callable[..., Answered]:
    """Scores in; with the figures: mean score, and a product that is no mean of items."""

    def build(method: str, scores: Sequence[float], of: int = 12, **settings: object) -> Answered:
        predictions = predict(scores)
        mean = mean_interval(scores, (0.0, 1.0), bootstrap)
        made = [Figure("accuracy", "all", mean), figure("product", "all", 12.5)]
        return Answered(method, predictions, made, {**SETTINGS, **settings}, of, bootstrap)

    return build


def test_a_difference_is_paired_over_the_items_of_a_figure(
    answer: Callable[..., Answered], bootstrap: Bootstrap
) -> None:
    """0.5 of 12 items and 0: half a point; the product has an interval and no difference."""
    pair = [answer("sft", [0.0] * 12), answer("tuna_p", [1.0, 0.0] * 6)]
    made = benchmark_result("mine", pair, "sft", bootstrap)
    assert (made.size, made.baseline, made.methods) == ("12 items", "sft", ("sft", "tuna_p"))
    accuracy, product = made.rows[2:]
    assert accuracy.difference is not None and accuracy.difference.interval.value == 0.5
    assert accuracy.difference.verdict == "better" and product.difference is None
    assert product.interval.value == 12.5 and made.rows[0].difference is None


@pytest.mark.parametrize(
    ("group", "metric", "value", "items"),
    [
        ("all", "score", 0.5, 6),
        ("all", "passed", 1 / 3, 6),
        ("sort/up", "score", 1.0, 2),
        ("sort", "score", 1.0, 2),
        ("held_out_kind", "score", 0.0, 2),
        ("all (6 of 9 items)", "score", 0.5, 6),
        ("all", "product", 0.77, None),
        ("nowhere", "score", 0.5, None),
    ],
)
def test_what_a_figure_is_the_mean_of(
    group: str, metric: str, value: float, items: int | None, predict: Predict
) -> None:
    """Scores 1, 0.5, 0 twice; the kinds take turns, 1 alone passes."""
    found = values_behind(figure(metric, group, value), predict([1.0, 0.5, 0.0] * 2))
    assert (len(found) if found else None) == items
    if found:
        assert sum(p.score for p in found) / len(found) == pytest.approx(value)


def test_what_was_asked_otherwise_is_left_out_with_the_reason(
    answer: Callable[..., Answered], bootstrap: Bootstrap
) -> None:
    """Another seed is another benchmark; batches and what is counted in tokens are not."""
    made = benchmark_result(
        "mine",
        [
            answer("sft", [0.0] * 12),
            answer("fewer", [0.0] * 6),
            answer("other", [0.0] * 12, seed=2),
            answer("longer", [0.0] * 12, max_new_tokens=9, batch_size=1),
            answer("cut", [0.0] * 12, source_limit={"tokens": 8}),
            replace(answer("level", [0.0] * 12), at=Bootstrap(0.9, 100, 0)),
        ],
        "sft",
        bootstrap,
    )
    assert made.methods == ("sft", "longer", "cut", "level")
    assert made.remarks == (
        "fewer is left out of mine: it was asked 6 of 12 items, sft 12 of 12 items (the items "
        "differ).",
        "other is left out of mine: it was asked 12 of 12 items, sft 12 of 12 items (seed 2, not "
        "absent).",
        "longer was asked mine with another max_new_tokens than sft (9, not 5).",
        "cut was asked mine with another source_limit than sft.",
        "The figures of level on mine have 90 % intervals.",
    )


def test_items_without_a_verdict_are_left_out_of_every_run(
    answer: Callable[..., Answered], bootstrap: Bootstrap
) -> None:
    """A judge gave tuna_p 10 verdicts of 12: 12 of the baseline's items become the same 10."""

    def judged(method: str, scores: Sequence[float]) -> Answered:
        made = answer(method, scores, judge={"by": "one"})

        def without(ids: Set[str]) -> list[Figure]:
            kept = [p.score for p in made.predictions if p.instruction.id not in ids]
            return [Figure("win rate", "all", mean_interval(kept, (0.0, 1.0), bootstrap))]

        return replace(made, figures=without(set()), figures_without=without)

    base, other = judged("sft", [0.5] * 12), judged("tuna_p", [1.0] * 10)
    made = benchmark_result("mine", [base, other], "sft", bootstrap)
    assert (made.items, made.of, len(made.left_out)) == (10, 12, 2)
    assert made.remarks[0].startswith("2 of 12 items of mine are left out: the judge gave")
    assert [row.interval.items for row in made.rows] == [10, 10]
    assert made.rows[1].difference is not None and made.rows[1].difference.interval.value == 0.5


def test_a_seed_that_was_asked_other_items_is_left_out_alone(
    answer: Callable[..., Answered], bootstrap: Bootstrap
) -> None:
    """Also of the baseline; the other seed is compared; a judge's prompt is told in short."""
    runs = [
        replace(answer("sft", [0.0] * 12), seed="0"),
        replace(answer("sft", [0.0] * 6), seed="1"),
        replace(answer("tuna_p", [1.0] * 12), seed="0"),
        replace(answer("tuna_p", [1.0] * 12, judge={"prompt": "x" * 99}), seed="1"),
    ]
    made = benchmark_result("mine", runs, "sft", bootstrap)
    assert made.runs == {"sft": ("0",), "tuna_p": ("0",)} and made.baseline == "sft"
    assert made.remarks[0] == (
        "sft with seed 1 is left out of mine: it was asked 6 of 12 items, sft 12 of 12 items (the "
        "items differ)."
    )
    assert made.remarks[1].endswith(f"(judge.prompt {'x' * 60}..., not absent).")


@pytest.fixture
def two(
    comparison: Comparison, answer: Callable[..., Answered], bootstrap: Bootstrap
) -> Comparison:
    """The small comparison on a subset of 1,200, and a benchmark of figures of its own."""
    scores = {m.method: [p.score for p in m.predictions] for m in comparison.methods}
    made = [
        benchmark_result(name, [answer(m, s, of) for m, s in scores.items()], "sft", bootstrap)
        for name, of in (("first", 1200), ("mine", 30))
    ]
    return replace(comparison, benchmarks=tuple(made))


def test_figures_and_the_mark_are_in_words_and_files(two: Comparison) -> None:
    assert "subset 30 of 1,200" in wording.headline(two)
    assert any("first, subset 30 of 1,200: every kind" in note for note in wording.notes(two))
    markdown = table.to_markdown(two)
    assert "Subset 30 of 1,200 items." in markdown and "mine, 30 items (brackets" in markdown
    assert "| tuna_p | accuracy | 66.7 [" in markdown and "| 12.50 [12.40, 12.60] |" in markdown
    rows = list(csv.DictReader(io.StringIO(figures.to_csv(two))))
    assert len(rows) == 16 and {row["of"] for row in rows} == {"1200", "30"}
    methods = list(csv.DictReader(io.StringIO(table.to_csv(two))))
    assert {(row["split"], row["of"]) for row in methods if row["split"] == "all"} == {
        ("all", "1200")
    }
    assert {row["of"] for row in methods if row["split"] != "all"} <= {""}
    assert [r["verdict"] for r in rows[:6]] == ["worse", "", "", "", "better", ""]


def test_the_tracker_has_figures_under_the_name_of_their_benchmark(two: Comparison) -> None:
    said = summary(two, "tuna_p")
    assert said["mine/accuracy"] == pytest.approx(2 / 3) and said["mine/product"] == 12.5
    assert (said["first/items"], said["first/of"]) == (30, 1200)


def test_what_is_missing_of_a_benchmark_stands_beside_its_figures(two: Comparison) -> None:
    """A benchmark that is not whole says so in its group, not all; it is known by that one then."""
    whole, part = two.benchmarks
    rows = tuple(replace(row, group="all (1 of 2 tasks)") for row in part.rows)
    marked = replace(two, benchmarks=(whole, replace(part, rows=rows)))
    title = "mine, 30 items, all (1 of 2 tasks) (brackets: 95 % interval)"
    assert title in table.to_markdown(marked)
    assert summary(marked, "tuna_p")["mine/product, all (1 of 2 tasks)"] == 12.5


def test_one_model_alone_is_told_by_its_figures(two: Comparison) -> None:
    alone = replace(
        two,
        methods=two.methods[1:2],
        rows=tuple(replace(r, difference=None) for r in two.rows if r.method == "sft"),
        benchmarks=tuple(
            replace(b, rows=tuple(r for r in b.rows if r.method == "sft")) for b in two.benchmarks
        ),
    )
    said = wording.headline(alone)
    assert said.startswith("sft: first accuracy 33.3 [") and "(subset 30 of 1,200); mine" in said
    assert ["all", "product", "12.50 [12.40, 12.60]"] in figures.alone_rows(alone.benchmarks[1])
