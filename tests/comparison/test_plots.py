"""Charts: valid specifications with their own data and no address to fetch from."""

import json
from dataclasses import replace

import pytest

from tuna_exp.comparison import plots
from tuna_exp.comparison.benchmarks import BenchmarkResult, FigureRow
from tuna_exp.comparison.curves import curves
from tuna_exp.comparison.results import Comparison
from tuna_exp.comparison.statistics import Interval
from tuna_exp.comparison.trust_plots import trust_charts


def test_the_first_chart_answers_the_question(comparison: Comparison) -> None:
    assert plots.charts(comparison)[0].title == "Against sft"


def test_figures_of_benchmarks_are_drawn_that_are_shares(comparison: Comparison) -> None:
    """Two metrics of two methods, of which a mean length is no share; none where none is there."""
    assert "Benchmarks" not in {chart.title for chart in plots.charts(comparison)}
    rows = [
        FigureRow(method, metric, "all", Interval(value, value - 0.1, value + 0.1, 9), None)
        for method in ("base", "sft")
        for metric, value in (("accuracy (9 of 20 prompts)", 0.5), ("ROUGE-L", 0.2), ("length", 9))
    ]
    shown = [
        BenchmarkResult(name, 9, 20, "sft", tuple(rows), ()) for name in ("lmentry", "superni")
    ]
    charts = plots.charts(replace(comparison, benchmarks=tuple(shown)))
    (chart,) = [one for one in charts if one.title == "Benchmarks"]
    (points,) = chart.spec["datasets"].values() if "datasets" in chart.spec else ([],)
    assert json.dumps(chart.spec).count("lmentry: accuracy") == 2 and "length" not in str(points)


def test_charts_fetch_nothing(comparison: Comparison) -> None:
    text = json.dumps([chart.spec for chart in plots.charts(comparison) + curves(comparison)])
    assert '"url"' not in text
    assert "NaN" not in text


def test_every_chart_follows_the_page(comparison: Comparison) -> None:
    assert {chart.spec["width"] for chart in plots.charts(comparison)} == {"container"}


def test_charts_without_data_are_left_out(tiny: Comparison) -> None:
    titles = [chart.title for chart in plots.charts(tiny)]
    assert "Rankings against the truth" not in titles
    assert "Time per stage" not in titles


def test_curves_are_found_in_the_rows(comparison: Comparison) -> None:
    """ranking_loss is empty in every row, so that only the loss is drawn: 5 steps of 2 methods."""
    (chart,) = curves(comparison)
    assert chart.title == "Loss"
    (points,) = chart.spec["datasets"].values()
    assert len(points) == 10


@pytest.mark.parametrize("scheme", ["#ffffff", "#14171b"])
def test_colours_stand_out_on_both_grounds(scheme: str) -> None:
    """Contrast (L1 + 0.05) / (L2 + 0.05) of 3 or more, as WCAG 1.4.11 asks of graphics."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    names = ["base", "sft", "tuna_p", "tuna_c", "tuna", "a", "b", "c", "d", "e"]
    for colour in plots.palette(names).to_dict()["range"]:
        light, dark = sorted([luminance(colour), luminance(scheme)], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, colour


def test_slots_shares_and_agreement_are_drawn(trusted: Comparison) -> None:
    """Two rankings with replies: slots and shares of each, and how they agree."""
    drawn = trust_charts(trusted)
    titles = [chart.title.partition(":")[0] for chart in drawn]
    assert titles == ["Places shown"] * 2 + ["Figures of the order"] * 2 + [
        "Rankings of the same sets"
    ]
    assert "NaN" not in json.dumps([chart.spec for chart in drawn])
    (points,) = drawn[0].spec["datasets"].values()
    assert [point["value"] for point in points] == pytest.approx([100, 0, 0], abs=1e-6)


def test_dollars_are_drawn_where_they_were_paid(
    comparison: Comparison, trusted: Comparison
) -> None:
    assert "Dollars per stage" in [chart.title for chart in plots.charts(trusted)]
    assert "Dollars per stage" not in [chart.title for chart in plots.charts(comparison)]
