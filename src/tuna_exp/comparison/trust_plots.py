"""Charts of how far rankings can be trusted: what places shown win, shares and agreement."""

import altair as alt

from tuna_exp.comparison import wording
from tuna_exp.comparison.plots import Chart, Datum, Spec, inline, sized, span
from tuna_exp.comparison.results import Comparison, Trust
from tuna_exp.comparison.statistics import Interval
from tuna_exp.comparison.verdicts import tau

_BAR = "#3a7fc1"
_SHARES = {
    "order_pairs": "same verdict in another order",
    "repeat_pairs": "same verdict when asked again",
    "tied_pairs": "pairs tied",
    "unordered_sets": "sets without any order",
    "cycles": "triads in a circle",
    "longer_wins": "longer response is better",
}


def trust_charts(comparison: Comparison) -> list[Chart]:
    """Slots of every ranking whose judge's replies are kept, then shares, then agreement."""
    made = [_slots(comparison, trust) for trust in comparison.trust if trust.figures.slots]
    made += [_shares(comparison, trust) for trust in comparison.trust if _known(trust)]
    made += [_agreement(comparison)] if any(a.tau for a in comparison.agreements) else []
    return made


def _slots(comparison: Comparison, trust: Trust) -> Chart:
    data: list[Datum] = [
        span(slot.won) | {"slot": slot.number, "expected": 100 * slot.expected}
        for slot in trust.figures.slots
    ]
    base = alt.Chart(inline(data)).encode(x=alt.X("slot:O", title="slot, as shown"))
    height = alt.Y("value:Q", title="ranked first, %", scale=alt.Scale(domainMin=0))
    told = ["slot:O", "shown:N", alt.Tooltip("expected:Q", format=".0f")]
    chart = (
        base.mark_bar(color=_BAR, fillOpacity=0.5).encode(y=height, tooltip=told)
        + base.mark_rule(strokeWidth=2).encode(y="low:Q", y2="high:Q")
        + base.mark_tick(thickness=2, strokeDash=[4, 3]).encode(y="expected:Q")
    )
    caption = (
        f"How often the response shown at each place was ranked first, with "
        f"{wording.level(comparison)} intervals over sets; dashed: expected of a judge that does "
        "not look at places."
    )
    return Chart(f"Places shown: {trust.name}", caption, sized(chart, 190), wide=False)


def _known(trust: Trust) -> dict[str, Interval]:
    found = {told: getattr(trust.figures, name) for name, told in _SHARES.items()}
    return {told: interval for told, interval in found.items() if interval}


def _shares(comparison: Comparison, trust: Trust) -> Chart:
    data: list[Datum] = [span(i) | {"figure": told} for told, i in _known(trust).items()]
    caption = f"{wording.level(comparison)} intervals over sets."
    spec = _rows(data, "figure:N", "%")
    return Chart(f"Figures of the order: {trust.name}", caption, spec, wide=False)


def _agreement(comparison: Comparison) -> Chart:
    data: list[Datum] = [
        _bare(a.tau) | {"rankings": " / ".join(a.rankings), "shown": tau(a.tau)}
        for a in comparison.agreements
        if a.tau
    ]
    caption = (
        "Kendall's tau-b between rankings of the same sets, mean over sets; 0 is none, 1 the same "
        "order. A mistake that two rankers share looks like agreement."
    )
    spec = _rows(data, "rankings:N", "tau-b")
    return Chart("Rankings of the same sets", caption, spec, wide=False)


def _bare(interval: Interval) -> Datum:
    low, high = (interval.low, interval.high) if interval.known else (interval.value,) * 2
    return {"value": interval.value, "low": low, "high": high}


def _rows(data: list[Datum], field: str, title: str) -> Spec:
    y = alt.Y(field, sort=None, title=None, axis=alt.Axis(labelLimit=220))
    base = alt.Chart(inline(data)).encode(y=y, tooltip=[field, "shown:N"])
    chart = base.mark_rule(strokeWidth=2, color=_BAR).encode(
        x=alt.X("low:Q", title=title), x2="high:Q"
    ) + base.mark_point(size=70, filled=True, opacity=1, color=_BAR).encode(x="value:Q")
    return sized(chart, 34 + 30 * len(data))
