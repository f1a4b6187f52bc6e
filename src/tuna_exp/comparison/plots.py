"""The report's charts as Vega-Lite specifications that carry their own data.

Each is one view whose width follows the page, so that it fits a telephone. Colours of text, grid
and background are the page's (it knows the reader's scheme); only the methods' are set here.
Training curves are in `curves`. Left out: facets and concatenations, which do not fit a width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles

import altair as alt

from tuna_exp.comparison import wording
from tuna_exp.comparison.benchmarks import ALL
from tuna_exp.comparison.results import Comparison, MethodResult
from tuna_exp.comparison.statistics import CHANCE, Interval

Spec = dict[str, object]
Datum = dict[str, object]

# Mid-tones with a contrast of 3 or more on white and on near-black, told apart by the colour-blind.
_COLOURS = {
    "base": "#858b94",
    "sft": "#3a7fc1",
    "tuna_p": "#c8700a",
    "tuna_c": "#14916b",
    "tuna": "#c0519c",
}
# Up to here seconds are easier to read than minutes.
_SECONDS_SHOWN = 180
_UNTOLD = "datum.verdict && indexof(datum.verdict, 'not told apart') == 0"
_OTHERS = ("#8a6fd0", "#9a7b2f", "#d1495b", "#5b8c2a", "#1f8fa6")


@dataclass(frozen=True)
class Chart:
    """A chart with its heading and what to read off it; `wide` ones take the page's full width."""

    title: str
    caption: str
    spec: Spec
    wide: bool = True


def charts(comparison: Comparison) -> list[Chart]:
    """Every chart for which the comparison has data, the one that answers the question first."""
    made = [differences(comparison)] if any(row.difference for row in comparison.rows) else []
    made += [scores(comparison)]
    made += [benchmarks(comparison, data)] if (data := _figures(comparison)) else []
    made += [families(comparison), lengths(comparison)]
    made += [rankers(comparison)] if any(r.agreement for r in comparison.rankings) else []
    made += costs(comparison) if comparison.stages else []
    return made


def differences(comparison: Comparison) -> Chart:
    """Paired difference of each method against the baseline, per split, and the line of none."""
    base = comparison.baseline
    data: list[Datum] = [
        span(row.difference.interval)
        | {
            "method": row.method,
            "items": wording.split_label(row.split),
            "verdict": row.difference.verdict,
        }
        for row in comparison.rows
        if row.difference
    ]
    splits = [wording.split_label(split) for split in comparison.splits]
    title = f"points against {base}"
    layers = intervals(data, title, y="method:N", order=names_of(comparison), offset=splits)
    zero = alt.Chart(inline([{"at": 0}])).mark_rule(strokeDash=[4, 3]).encode(x="at:Q")
    caption = (
        f"Score minus {base}'s on the same items, in percentage points, with "
        f"{wording.level(comparison)} intervals. Filled: told apart from 0."
    )
    return Chart(f"Against {base}", caption, sized(zero + layers, 34 + 18 * len(data)))


def scores(comparison: Comparison) -> Chart:
    """Mean partial score of each method over all items."""
    data = [span(row.score) | {"method": row.method} for row in comparison.rows_of(ALL)]
    chart = intervals(data, "score, %", y="method:N", order=names_of(comparison))
    items = wording.held_out(comparison, comparison.rows_of(ALL)[0])
    caption = f"Mean over {items}, with {wording.level(comparison)} intervals."
    return Chart("Score of each method", caption, sized(chart, 34 + 26 * len(data)), wide=False)


def benchmarks(comparison: Comparison, data: list[Datum]) -> Chart:
    """Every benchmark's figures over all its items, the methods below one another."""
    names = names_of(comparison)
    chart = intervals(data, "%", y="figure:N", order=names, offset=names)
    caption = (
        f"Each benchmark's own figures over all items that were asked, with "
        f"{wording.level(comparison)} intervals. They measure different things: compare methods on "
        "one, not one with another."
    )
    return Chart("Benchmarks", caption, sized(chart, 60 + 18 * len(data)))


def _figures(comparison: Comparison) -> list[Datum]:
    """The figures that are shares, where there are more than the methods' scores."""
    made = [
        span(row.interval)
        | {
            "figure": f"{one.name}: {row.metric.partition(' (')[0]}",
            "items": row.method,
            "method": row.method,
            "over": one.size,
        }
        for one in comparison.benchmarks
        for row in one.overall_rows
        if 0 <= row.interval.value <= 1
    ]
    return made if len(made) > len(comparison.methods) else []


def families(comparison: Comparison) -> Chart:
    """Mean score per family of kind and method, as numbers on a ground of colour."""
    data: list[Datum] = [
        {
            "method": cell.method,
            "family": f"{cell.family} ({cell.score.items})",
            "score": 100 * cell.score.value,
            "interval": wording.percents(cell.score),
        }
        for cell in comparison.families
    ]
    cells = alt.Chart(inline(data)).encode(
        x=alt.X(
            "method:N",
            sort=names_of(comparison),
            title=None,
            axis=alt.Axis(labelAngle=0, orient="top"),
        ),
        y=alt.Y("family:N", title=None),
        tooltip=["method:N", "family:N", alt.Tooltip("interval:N", title="score, %")],
    )
    scale = alt.Scale(domain=[0, 100], range=["#e3ecf5", "#1c4f82"])
    ground = cells.mark_rect().encode(color=alt.Color("score:Q", scale=scale, legend=None))
    ink = alt.condition("datum.score > 70", alt.value("#ffffff"), alt.value("#14181d"))
    chart = ground + cells.mark_text().encode(text=alt.Text("score:Q", format=".0f"), color=ink)
    caption = (
        "Mean score in percent; the number of items in brackets. Families are small: point at a "
        "cell for its interval before reading a difference into it."
    )
    height = 40 + 26 * len({cell.family for cell in comparison.families})
    return Chart("Score by family of instruction", caption, sized(chart, height), wide=False)


def lengths(comparison: Comparison) -> Chart:
    """Response lengths: median, middle half and middle 80 % of each method."""
    data = [_quantiles(method) for method in comparison.methods]
    base = alt.Chart(inline(data)).encode(
        y=_method_axis(names_of(comparison)),
        tooltip=["method:N", "p10:Q", "p25:Q", "p50:Q", "p75:Q", "p90:Q"],
    )
    colour = alt.Color("method:N", scale=palette(names_of(comparison)), legend=None)
    axis = alt.X("p10:Q", title="tokens per response")
    chart = (
        base.mark_rule().encode(x=axis, x2="p90:Q", color=colour)
        + base.mark_bar(size=12).encode(x="p25:Q", x2="p75:Q", color=colour)
        + base.mark_tick(size=18, thickness=3).encode(x="p50:Q")
    )
    caption = "Mark: median; bar: middle half; line: middle 80 %."
    return Chart("Length of responses", caption, sized(chart, 34 + 26 * len(data)), wide=False)


def rankers(comparison: Comparison) -> Chart:
    """Each ranking's agreement with the truth, with the line of chance."""
    data: list[Datum] = [
        span(ranking.agreement)
        | {"ranking": ranking.name, "ranker": ranking.ranker}
        | {"verdict": wording.against_chance(comparison, ranking.agreement)}
        for ranking in comparison.rankings
        if ranking.agreement
    ]
    points = intervals(data, "pairs ordered as by the truth, %", y="ranking:N")
    chance = alt.Chart(inline([{"at": 100 * CHANCE}])).mark_rule(strokeDash=[4, 3])
    caption = (
        f"Dashed: chance, 50 %. {wording.level(comparison)} intervals over sets; ties of the "
        "ranker count half. Filled: told apart from chance."
    )
    spec = sized(chance.encode(x="at:Q") + points, 34 + 30 * len(data))
    return Chart("Rankings against the truth", caption, spec, wide=False)


def costs(comparison: Comparison) -> list[Chart]:
    """Time, tokens and any dollars of each stage; those reused from an earlier run are hollow."""
    shared = "Hollow: reused from an earlier run, which had paid for it."
    long = max(stage.seconds for stage in comparison.stages) > _SECONDS_SHOWN
    seconds = [stage.seconds / (60 if long else 1) for stage in comparison.stages]
    tokens = [stage.tokens.total / 1000 for stage in comparison.stages]
    time = _cost(comparison, seconds, "minutes" if long else "seconds")
    counted = f"Trained on, generated or read by a judge. {shared}"
    return [
        Chart("Time per stage", shared, time, wide=False),
        Chart("Tokens per stage", counted, _cost(comparison, tokens, "thousands"), wide=False),
        *([_dollars(comparison, shared)] if comparison.paid else []),
    ]


def _dollars(comparison: Comparison, shared: str) -> Chart:
    spent = [stage.tokens.usd for stage in comparison.stages]
    caption = f"Paid to services for sampling and judging. {shared}"
    return Chart("Dollars per stage", caption, _cost(comparison, spent, "dollars"), wide=False)


def intervals(
    data: Sequence[Datum],
    title: str,
    y: str,
    order: list[str] | None = None,
    offset: list[str] | None = None,
) -> alt.LayerChart:
    """Points with intervals on rows; `offset` splits each row by the field `items`."""
    told = [f"{key}:N" for key, value in data[0].items() if isinstance(value, str)] if data else []
    base = alt.Chart(inline(data)).encode(y=_method_axis(order, y), tooltip=told)
    if offset:
        base = base.encode(yOffset=alt.YOffset("items:N", sort=offset))
    x = alt.X("low:Q", title=title, axis=alt.Axis(tickCount=8), scale=alt.Scale(zero=False))
    rule = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    point = base.mark_point(size=70, strokeWidth=2, opacity=1).encode(x="value:Q")
    if offset:
        point = point.encode(shape=alt.Shape("items:N", sort=offset, legend=_legend()))
    hollow = alt.condition(_UNTOLD, alt.value(0), alt.value(1))
    point = point.encode(fillOpacity=hollow)
    if not order:
        plain = alt.value(_COLOURS["sft"])
        return alt.LayerChart(
            layer=[rule.encode(color=plain), point.encode(color=plain, fill=plain)]
        )
    scale, named = palette(order), "method:N"
    coloured = point.encode(
        stroke=alt.Stroke(named, scale=scale, legend=None),
        fill=alt.Fill(named, scale=scale, legend=None),
    )
    rule = rule.encode(color=alt.Color(named, scale=scale, legend=None))
    return alt.LayerChart(layer=[rule, coloured])


def _method_axis(order: list[str] | None, field: str = "method:N") -> alt.Y:
    return alt.Y(field, sort=order, title=None, axis=alt.Axis(labelLimit=280))


def palette(names: list[str]) -> alt.Scale:
    """Each method in its own colour, the same in every chart."""
    others = iter(_OTHERS * len(names))
    return alt.Scale(domain=names, range=[_COLOURS.get(name) or next(others) for name in names])


def _legend() -> alt.Legend:
    return alt.Legend(title=None, orient="top", columns=3, labelLimit=200)


def span(interval: Interval) -> Datum:
    """An interval in percent as chart data; an unknown one is drawn as the bare point."""
    low, high = (interval.low, interval.high) if interval.known else (interval.value,) * 2
    return {
        "value": 100 * interval.value,
        "low": 100 * low,
        "high": 100 * high,
        "shown": wording.percents(interval),
    }


def _quantiles(method: MethodResult) -> Datum:
    tokens = [prediction.tokens for prediction in method.predictions]
    cuts = quantiles(tokens, n=20, method="inclusive") if len(tokens) > 1 else tokens * 19
    return {"method": method.method} | {f"p{5 * k}": cuts[k - 1] for k in (2, 5, 10, 15, 18)}


def _cost(comparison: Comparison, spent: Sequence[float], unit: str) -> Spec:
    data: list[Datum] = [
        {
            "label": stage.label,
            "spent": amount,
            "paid": "reused" if stage.reused else "paid here",
            "digest": stage.digest,
        }
        for stage, amount in zip(comparison.stages, spent, strict=True)
    ]
    bars = (
        alt.Chart(inline(data))
        .mark_bar(color="#3a7fc1", stroke="#3a7fc1", size=12)
        .encode(
            x=alt.X("spent:Q", title=unit, axis=alt.Axis(tickCount=5)),
            y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=180)),
            fillOpacity=alt.condition("datum.paid == 'reused'", alt.value(0.05), alt.value(0.9)),
            tooltip=["label:N", "spent:Q", "paid:N", "digest:N"],
        )
    )
    return sized(bars, 34 + 20 * len(data))


def names_of(comparison: Comparison) -> list[str]:
    """The methods in the order they were given."""
    return [method.method for method in comparison.methods]


def inline(data: Sequence[Mapping[str, object]]) -> alt.InlineData:
    """Data that travels inside the specification."""
    return alt.InlineData(values=[_rounded(datum) for datum in data])


def _rounded(datum: Mapping[str, object]) -> Datum:
    """Five significant digits: more cannot be seen and would double the page."""
    return {
        key: float(f"{value:.5g}") if isinstance(value, float) else value
        for key, value in datum.items()
    }


def sized(chart: alt.TopLevelMixin, height: int) -> Spec:
    """The specification at the page\'s width, without a theme: that is the page\'s."""
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    spec.pop("config", None)
    return spec
