"""Quality against cost: which methods are worth their price, and which are beaten on both."""

from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path

import altair as alt
import vl_convert

from tuna_exp.comparison import wording
from tuna_exp.comparison.benchmarks import ALL
from tuna_exp.comparison.plots import Chart, Datum, inline, sized, span
from tuna_exp.comparison.results import Comparison, MethodResult

_WIDTH = 560  # pixels, of the files: a report's charts are as wide as its page
_KINDS: tuple[tuple[str, str, Callable[[MethodResult], float | None]], ...] = (
    ("compute", "FLOPs", lambda method: method.compute.flops),
    ("time", "seconds", lambda method: method.seconds),
    ("money", "dollars", lambda method: method.tokens.usd or None),
)


def pareto_charts(comparison: Comparison) -> list[Chart]:
    """Return one chart per kind of cost that two methods at least are known to have."""
    return [
        _chart(comparison, name, unit, points)
        for name, unit, cost in _KINDS
        if len(points := _points(comparison, cost)) > 1
    ]


def write_plots(comparison: Comparison, folder: Path) -> list[Path]:
    """Write each chart as pareto-NAME.svg and .png, black on white, and return the paths."""
    made = []
    for chart in pareto_charts(comparison):
        name = chart.title.rpartition(" ")[2]
        spec = {**chart.spec, "width": _WIDTH, "background": "white"}
        svg, png = (folder / f"pareto-{name}.{kind}" for kind in ("svg", "png"))
        svg.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
        png.write_bytes(vl_convert.vegalite_to_png(spec, scale=2))
        made += [svg, png]
    return made


def frontier(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return for each (cost, quality) whether none is better for as much or as good for less."""
    return [
        not any((c <= cost and q > quality) or (c < cost and q >= quality) for c, q in points)
        for cost, quality in points
    ]


def _points(comparison: Comparison, cost: Callable[[MethodResult], float | None]) -> list[Datum]:
    rows = {row.method: row for row in comparison.rows_of(ALL)}
    known = [
        (m, spent) for m in comparison.methods if (spent := cost(m)) is not None and isfinite(spent)
    ]
    best = frontier([(spent, rows[m.method].score.value) for m, spent in known])
    return [
        span(rows[m.method].score)
        | {"method": m.method, "cost": spent, "place": "frontier" if on else "beaten"}
        for (m, spent), on in zip(known, best, strict=True)
    ]


def _chart(comparison: Comparison, name: str, unit: str, points: list[Datum]) -> Chart:
    cost = alt.X("cost:Q", title=unit, axis=alt.Axis(format="~s"))
    base = alt.Chart(inline(points)).encode(x=cost)
    spans = base.mark_rule().encode(y=alt.Y("low:Q", title="score, %"), y2="high:Q")
    dots = base.mark_point(size=70, filled=True).encode(
        y="value:Q",
        shape=alt.Shape("place:N", legend=alt.Legend(title=None, orient="top")),
        opacity=alt.condition("datum.place == 'frontier'", alt.value(1), alt.value(0.5)),
        tooltip=[
            "method:N",
            alt.Tooltip("cost:Q", format=".4s"),
            alt.Tooltip("value:Q", format=".1f"),
        ],
    )
    names = base.mark_text(align="left", dx=7, dy=-7).encode(y="value:Q", text="method:N")
    line = (
        base.transform_filter("datum.place == 'frontier'")
        .mark_line(interpolate="step-after", strokeDash=[4, 3])
        .encode(y="value:Q", order="cost:Q")
    )
    caption = (
        f"Score against {unit} that making a model took, all stages before it included, with "
        f"{wording.level(comparison)} intervals. Dashed: no other method is as cheap and better."
    )
    return Chart(f"Quality against {name}", caption, sized(line + spans + dots + names, 240))
