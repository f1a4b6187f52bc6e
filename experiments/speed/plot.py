"""A report as a chart: bars for cases, lines for growth."""

from pathlib import Path

import altair as alt
import vl_convert

from experiments.speed.cases import Case
from experiments.speed.results import CaseResult, Report, Variant, memory, rate, seconds

WIDTH, HEIGHT = 220, 120
MIB = 2**20
Datum = dict[str, object]


def draw(report: Report, path: Path) -> None:
    """Write the report's chart as SVG; nothing where nothing was measured."""
    data = [
        datum(found, variant)
        for found in report.results
        for variant in found.variants
        if variant.rounds
    ]
    if data:
        chart = growth(data) if report.suite == "growth" else bars(data, report.suite)
        path.write_text(vl_convert.vegalite_to_svg(chart.to_dict()), encoding="utf-8")


def datum(found: CaseResult, variant: Variant) -> Datum:
    """Return what a chart shows of a variant."""
    case = found.case
    axis = case.axis if isinstance(case, Case) else ""
    return {
        "case": case.name,
        "axis": axis,
        "at": int(case.name.rpartition("-")[2]) if axis else 0,
        "form": variant.form,
        "precision": variant.precision,
        "seconds": variant.median(seconds),
        "rate": variant.median(rate),
        "memory": variant.median(memory) / MIB,
    }


def bars(data: list[Datum], suite: str) -> alt.TopLevelMixin:
    """Return tokens per second of every form, one row for each case and one column a precision."""
    title = "tokens drawn per second" if suite == "sampling" else "tokens per second"
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=data))
        .mark_bar()
        .encode(
            x=alt.X("rate:Q", title=title),
            y=alt.Y("form:N", sort=None, title=None),
            color=alt.Color("form:N", sort=None, legend=None),
            row=alt.Row("case:N", sort=None, title=None, header=alt.Header(labelAngle=0)),
            column=alt.Column("precision:N", sort=None, title=None),
        )
        .properties(width=WIDTH)
    )
    return chart


def growth(data: list[Datum]) -> alt.TopLevelMixin:
    """Return time and memory against each axis, a line for every form and precision."""
    axes = list(dict.fromkeys(str(one["axis"]) for one in data))
    return alt.vconcat(*(alt.hconcat(*(lines(data, a, y) for y in MEASURES)) for a in axes))


MEASURES = {"seconds": "seconds per step", "memory": "MiB over the model"}


def lines(data: list[Datum], axis: str, measure: str) -> alt.Chart:
    """Return one measure against one axis."""
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=[one for one in data if one["axis"] == axis]))
        .mark_line(point=True)
        .encode(
            x=alt.X("at:Q", title=axis, scale=alt.Scale(type="log", base=2)),
            y=alt.Y(f"{measure}:Q", title=MEASURES[measure]),
            color=alt.Color("form:N", sort=None, title=None),
            strokeDash=alt.StrokeDash("precision:N", title=None),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )
    return chart
