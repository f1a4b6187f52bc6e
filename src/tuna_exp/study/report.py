"""A study's results in words, as a table, as agreement.json and as one HTML page with a chart.

Left out: names for ranges of kappa ("substantial"). They are conventions, not findings; what the
people reach among themselves is the measure of what a ranker could reach.
"""

import math
from pathlib import Path

import altair as alt
from pydantic import TypeAdapter
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tuna_exp.comparison import plots, wording
from tuna_exp.comparison.report import bundle, environment, script_json, versions
from tuna_exp.comparison.statistics import Interval
from tuna_exp.study.agreement import Agreement, Together

RESULT = "agreement.json"
REPORT = "agreement.html"
HEADINGS = ("who", "against", "agree %", "kappa", "tau-b", "alpha", "no verdict")


def write(agreement: Agreement, folder: Path) -> list[Path]:
    """Write both files and return their paths."""
    result, report = folder / RESULT, folder / REPORT
    result.write_text(to_json(agreement), encoding="utf-8")
    report.write_text(_page(agreement), encoding="utf-8")
    return [result, report]


def to_json(agreement: Agreement) -> str:
    """Every number with its interval; null where one is unknown."""
    return TypeAdapter(Agreement).dump_json(agreement, indent=1).decode() + "\n"


def render(agreement: Agreement) -> Group:
    """Headline, table of rankers and people, kappa of each two, and what that shows."""
    table = Table(*HEADINGS, box=box.SIMPLE_HEAD)
    for row in rows(agreement):
        table.add_row(*map(Text, row))
    pairs = Table("Cohen's kappa of", "and", "", box=box.SIMPLE_HEAD)
    for one, other, value in kappas(agreement):
        pairs.add_row(Text(one), Text(other), value)
    told = [Text(f"- {note}") for note in notes(agreement)]
    return Group(Text(headline(agreement), style="bold"), table, pairs, *told)


def headline(agreement: Agreement) -> str:
    """The best ranker's agreement beside that of the people, in one sentence."""
    people = agreement.people
    among = (
        f"people agree with each other on {_share(people.mean.agreement)}"
        if people
        else "one rater alone cannot show how far people agree"
    )
    known = [r for r in agreement.rankers if not math.isnan(r.person.agreement.value)]
    if not known:
        return f"No ranker can be compared with people; {among}."
    best = max(known, key=lambda ranker: ranker.person.agreement.value)
    return f"{best.name} agrees with a person on {_share(best.person.agreement)}; {among}."


def notes(agreement: Agreement) -> list[str]:
    """What the numbers mean and leave open, one sentence each."""
    level = f"{100 * agreement.bootstrap.confidence:g} %"
    told = [
        f"{len(agreement.raters)} rater(s), {agreement.items} items, {agreement.comparisons} "
        f"comparisons of two responses; in brackets {level} intervals over items.",
        "Compare a ranker's agreement with a person (mean over raters) with that of people with "
        "each other (mean over pairs): a majority is easier to agree with.",
        "Kappa is Cohen's, alpha Krippendorff's "
        f"({'nominal' if agreement.kind == 'pairs' else 'ordinal'}), tau-b Kendall's.",
    ]
    if agreement.undecided:
        told.append(
            f"{agreement.undecided} comparisons have no majority and say nothing of rankers."
        )
    if any(ranker.unanswered for ranker in agreement.rankers):
        told.append("Where a ranker gave no verdict it counts as not agreeing.")
    return told


def rows(agreement: Agreement) -> list[tuple[str, ...]]:
    """The cells of `HEADINGS`, rankers first."""
    dash, made = wording.UNKNOWN, list[tuple[str, ...]]()
    for ranker in agreement.rankers:
        silent = str(ranker.unanswered)
        made.append((ranker.name, "a person", *_cells(ranker.person), dash, dash))
        made.append((ranker.name, "the majority", *_cells(ranker.majority), dash, silent))
    if agreement.people:
        alpha = _decimal(agreement.people.alpha)
        made.append(("people", "each other", *_cells(agreement.people.mean), alpha, dash))
    return made


def kappas(agreement: Agreement) -> list[tuple[str, str, str]]:
    """Cohen's kappa of every two judges of whom one is a person."""
    made = [
        (ranker.name, rater, _decimal(value))
        for ranker in agreement.rankers
        for rater, value in ranker.kappas.items()
    ]
    for pair in agreement.people.pairs if agreement.people else ():
        made.append((pair.first, pair.second, _decimal(pair.kappa)))
    return made


def charts(agreement: Agreement) -> list[plots.Chart]:
    """Agreement, and what of it is beyond chance, of each ranker and of the people."""
    judged = [(ranker.name, ranker.person) for ranker in agreement.rankers]
    judged += [("people", agreement.people.mean)] if agreement.people else []
    return [
        _chart("Agreement with people", "comparisons judged alike, %", judged, "agreement"),
        _chart("Beyond chance", "Cohen's kappa x 100", judged, "kappa"),
    ]


def _chart(title: str, axis: str, judged: list[tuple[str, Together]], field: str) -> plots.Chart:
    data = [
        plots.span(getattr(together, field)) | {"judge": name}
        for name, together in judged
        if not math.isnan(getattr(together, field).value)
    ]
    names = [name for name, _ in judged]
    chart: alt.LayerChart = plots.intervals(data, axis, y="judge:N", order=None)
    caption = "Means over raters, and over pairs of raters for people with each other."
    return plots.Chart(title, caption, plots.sized(chart, 34 + 30 * len(names)), wide=False)


def _page(agreement: Agreement) -> str:
    drawn = charts(agreement)
    template = environment("tuna_exp.study").get_template("agreement.html.jinja")
    return template.render(
        agreement=agreement,
        headline=headline(agreement),
        notes=notes(agreement),
        headings=HEADINGS,
        rows=rows(agreement),
        kappas=kappas(agreement),
        charts=drawn,
        specs=script_json([chart.spec for chart in drawn]),
        bundle=bundle(),
        versions=versions(),
    )


def _cells(together: Together) -> tuple[str, str, str]:
    return (
        wording.percents(together.agreement),
        _decimal(together.kappa),
        _decimal(together.tau),
    )


def _decimal(interval: Interval) -> str:
    """0.85 [0.82, 0.88]: a coefficient and its interval."""
    if math.isnan(interval.value):
        return wording.UNKNOWN
    span = f"{interval.low:.2f}, {interval.high:.2f}" if interval.known else wording.UNKNOWN
    return f"{interval.value:.2f} [{span}]"


def _share(interval: Interval) -> str:
    span = f", interval {wording.percent(interval.low)} to {wording.percent(interval.high)}"
    return f"{wording.percent(interval.value)} % of comparisons{span if interval.known else ''}"
