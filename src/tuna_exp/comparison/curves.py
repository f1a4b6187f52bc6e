"""Charts of what training wrote down, one per metric, all methods in each.

Metrics are found in the rows, not listed here: a new one is drawn without a change of code, under
its own name. Left out: smoothing, which hides how noisy a batch's metric is.
"""

import math
from collections.abc import Sequence

import altair as alt

from tuna_exp.comparison.plots import Chart, Datum, Spec, inline, names_of, palette, sized
from tuna_exp.comparison.results import Comparison, Curve, MethodResult

_POINTS_PER_CURVE = 200
_TITLES = {
    "loss": "Loss",
    "ranking_loss": "Ranking loss",
    "mle_loss": "Likelihood loss (nats per token)",
    "pair_accuracy": "Pairs in the right order (share)",
    "kendall_tau": "Kendall's tau of the model's order",
    "margin": "Margin of best over worst (nats)",
    "logp_best": "Log-likelihood of the best response (nats per token)",
    "length_best": "Length of the best response (tokens)",
    "length_worst": "Length of the worst response (tokens)",
    "gradient_share_ranking": "Share of the gradient from ranking",
}
_NOT_METRICS = {"step", "epoch"}


def curves(comparison: Comparison) -> list[Chart]:
    """One chart per metric that any method's training wrote down, the known ones first."""
    found = dict.fromkeys(
        key for method in comparison.methods for row in method.curves for key in row
    )
    known = [key for key in _TITLES if key in found]
    names = [
        *known,
        *sorted(key for key in found if key not in _TITLES and key not in _NOT_METRICS),
    ]
    made = [(name, _curve_points(comparison.methods, name)) for name in names]
    return [
        Chart(_TITLES.get(name, name), "", _curve(comparison, points), wide=False)
        for name, points in made
        if points
    ]


def _curve(comparison: Comparison, points: list[Datum]) -> Spec:
    names = [name for name in names_of(comparison) if any(p["method"] == name for p in points)]
    legend = alt.Legend(title=None, orient="top", columns=3)
    line = (
        alt.Chart(inline(points))
        .mark_line(strokeWidth=1.6)
        .encode(
            x=alt.X("step:Q", title="optimiser step", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
            color=alt.Color("method:N", scale=palette(names), legend=legend),
            tooltip=["method:N", "step:Q", alt.Tooltip("value:Q", format=".4g")],
        )
    )
    return sized(line, 190)


def _curve_points(methods: Sequence[MethodResult], name: str) -> list[Datum]:
    points: list[Datum] = []
    for method in methods:
        pairs = [pair for row in method.curves if (pair := _point(row, name))]
        every = max(1, math.ceil(len(pairs) / _POINTS_PER_CURVE))
        points += [
            {"method": method.method, "step": step, "value": value}
            for step, value in pairs[::every]
        ]
    return points


def _point(row: Curve, name: str) -> tuple[float, float] | None:
    """Step and value of one row; None where either is missing, empty, no number or not finite."""
    try:
        step, value = float(row.get("step") or 0), float(row.get(name) or "nan")
    except ValueError:
        return None
    return (step, value) if math.isfinite(value) else None
