"""Charts: valid specifications with their own data and no address to fetch from."""

import json

import pytest

from tuna_exp.comparison import plots
from tuna_exp.comparison.curves import curves
from tuna_exp.comparison.results import Comparison


def test_the_first_chart_answers_the_question(comparison: Comparison) -> None:
    assert plots.charts(comparison)[0].title == "Against sft"


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
