"""The comparison as text: terminal tables, and the files comparison.json, table.md and table.csv.

Left out: colours that carry meaning of their own. A verdict is always a word.
"""

import csv
import dataclasses
import io
import math
from pathlib import Path

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tuna_exp.comparison import efficiency, figures, wording
from tuna_exp.comparison.benchmarks import ALL, BenchmarkResult
from tuna_exp.comparison.json_text import json_text
from tuna_exp.comparison.latex import to_latex
from tuna_exp.comparison.reliability import Reliability
from tuna_exp.comparison.results import Comparison, Row
from tuna_exp.comparison.verdicts import ordinal, tau, worst_slot

_WRAPPING = ("method", "figure", "over", "ranking", "ranker", "refused", "verdict")
_TRUST_COLUMNS = (
    "ranking",
    "sets",
    "slot furthest from 1/N, wins %",
    "same in other order %",
    "same again %",
    "tied %",
    "longer wins %",
    "tau-b with likelihood",
)
_REPLIES_PART, _ORDER_PART = (0, 2, 3, 4), (0, 1, 5, 6, 7)
_STYLES = {"better": "bold green", "worse": "bold red"}
_COLUMNS = (
    "split",
    "method",
    "items",
    "of",  # all items of the benchmark; unknown for a part of them
    "score",
    "score_low",
    "score_high",
    "passed",
    "difference",
    "difference_low",
    "difference_high",
    "verdict",
    "seeds",
    "p_value",
    "adjusted_p",
    "detectable",
    "response_tokens",
    "seconds",
    "trained_tokens",
    "generated_tokens",
    "judge_read_tokens",
    "usd",
    *efficiency.COLUMNS,
    *efficiency.RIVAL_COLUMNS,
)


def render(comparison: Comparison) -> Group:
    """Verdict, scores by split, other benchmarks, costs, rankers and what all that does not show.

    Fits 80 columns.
    """
    if figures.alone(comparison):
        tables = [
            _titled(figures.title(comparison, one), figures.alone_rows(one))
            for one in comparison.benchmarks
        ]
    else:
        tables = [_scores(comparison, split) for split in comparison.splits]
        tables += [_figures(comparison, one) for one in figures.shown_apart(comparison)]
        tables += [_costs(comparison), *map(_plain, cost_rows(comparison))]
    if comparison.rankings:
        tables.append(_rankings(comparison))
    tables += [_plain(rows) for rows in _narrow(comparison) if rows]
    spaced = [Padding(table, (1, 0, 0, 0)) for table in tables]
    told = [_bullet(note) for note in wording.notes(comparison)]
    return Group(Text(wording.headline(comparison), style="bold"), *spaced, Text(), *told)


def _bullet(note: str) -> Table:
    """A note with a hanging indent."""
    line = Table.grid(padding=(0, 1))
    line.add_row("-", Text(note))
    return line


def write(comparison: Comparison, folder: Path) -> None:
    """Write comparison.json (everything but predictions and curves), table.md, .tex, two CSVs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.json").write_text(to_json(comparison), encoding="utf-8")
    (folder / "table.md").write_text(to_markdown(comparison), encoding="utf-8")
    (folder / "table.tex").write_text(to_latex(comparison), encoding="utf-8")
    (folder / "table.csv").write_text(to_csv(comparison), encoding="utf-8")
    (folder / "figures.csv").write_text(figures.to_csv(comparison), encoding="utf-8")


def to_json(comparison: Comparison) -> str:
    """Verdict, rows, families, rankings, trust and stages; null where an interval is unknown."""
    parts = ("rows", "rivals", "families", "rankings", "trust", "agreements", "stages")
    benchmarks = [{**dataclasses.asdict(b), "size": b.size} for b in comparison.benchmarks]
    content: dict[str, object] = {
        "headline": wording.headline(comparison),
        "notes": wording.notes(comparison),
        "baseline": comparison.baseline,
        "bootstrap": dataclasses.asdict(comparison.bootstrap),
        "subset": comparison.subset,
        **{
            part: [dataclasses.asdict(item) for item in getattr(comparison, part)] for part in parts
        },
        "benchmarks": benchmarks,
        "efficiency": {m.method: efficiency.numbers(m) for m in comparison.methods},
    }
    return json_text(content)


def to_csv(comparison: Comparison) -> str:
    """One line per split and method, shares in [0, 1], empty where unknown."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_COLUMNS)
    for row in comparison.rows:
        lines.writerow(
            ["" if _is_nan(value) else value for value in flat(comparison, row).values()]
        )
    return text.getvalue()


def to_markdown(comparison: Comparison) -> str:
    """The verdict, the tables of `render` side by side in one row per method, and the notes."""
    level = wording.level(comparison)
    head = [
        "items from",
        "method",
        "items",
        "seeds",
        f"score % [{level}]",
        "passed %",
        f"points against {comparison.baseline} [{level}]",
        "p (Holm)",
        "verdict",
        "tokens per response",
        "time",
        "tokens trained on",
        "generated",
        "read by judge",
        *_dollars_head(comparison),
    ]
    methods = _markdown(
        [head, *([*_words(row), *_cost(comparison, row)] for row in comparison.rows)]
    )
    rankers = _markdown([_ranking_head(f" [{level}]"), *_ranking_rows(comparison)])
    notes = "".join(f"- {note}\n" for note in wording.notes(comparison))
    rows_of = figures.alone_rows if figures.alone(comparison) else figures.overall_rows
    apart = comparison.benchmarks if figures.alone(comparison) else figures.shown_apart(comparison)
    own = [f"{figures.title(comparison, one)}\n\n{_markdown(rows_of(one))}" for one in apart]
    mark = [f"{comparison.subset.capitalize()} items.\n"] if comparison.subset else []
    parts = [f"{wording.headline(comparison)}\n", *mark, methods, *own, rankers]
    apart_rows = (*cost_rows(comparison), trust_rows(comparison), agreement_rows(comparison))
    parts += [_markdown(rows) for rows in apart_rows if rows]
    return "\n".join([*parts, notes])


def cost_rows(comparison: Comparison) -> list[list[list[str]]]:
    """What making and asking models took, and who else the money buys; none where unknown."""
    made = (
        efficiency.training_rows(comparison),
        efficiency.answering_rows(comparison),
        efficiency.rival_rows(comparison),
    )
    return [rows for rows in made if rows]


def trust_rows(comparison: Comparison) -> list[list[str]]:
    """Head and rows of how far each ranking can be trusted; none where there is no ranking."""
    rows = [_trust_row(trust.name, trust.figures) for trust in comparison.trust]
    return [[*_TRUST_COLUMNS], *rows] if rows else []


def agreement_rows(comparison: Comparison) -> list[list[str]]:
    """Head and rows of what rankings of the same sets have in common; none where there are none."""
    rows = [
        [" / ".join(a.rankings), str(a.sets), tau(a.tau), tau(a.concordance)]
        for a in comparison.agreements
    ]
    return [["rankings of the same sets", "sets", "tau-b", "Kendall's W"], *rows] if rows else []


def _trust_row(name: str, figures: Reliability) -> list[str]:
    slot = worst_slot(figures)
    won = f"{ordinal(slot.number)} {wording.percents(slot.won)}" if slot else wording.UNKNOWN
    shares = (figures.order_pairs, figures.repeat_pairs, figures.tied_pairs, figures.longer_wins)
    return [
        name,
        str(figures.sets),
        won,
        *map(wording.percents, shares),
        tau(figures.likelihood_tau),
    ]


def flat(comparison: Comparison, row: Row) -> dict[str, object]:
    """A row as plain numbers under the names of table.csv; NaN where unknown."""
    result = comparison.result_of(row.method)
    difference = row.difference.interval if row.difference else None
    values = (
        row.split,
        row.method,
        row.items,
        comparison.benchmarks[0].of if comparison.benchmarks and row.split == ALL else math.nan,
        row.score.value,
        row.score.low,
        row.score.high,
        row.passed,
        difference.value if difference else math.nan,
        difference.low if difference else math.nan,
        difference.high if difference else math.nan,
        row.difference.verdict if row.difference else "baseline",
        row.seeds,
        row.difference.p_value if row.difference else math.nan,
        row.difference.adjusted_p if row.difference else math.nan,
        _detectable(row),
        row.response_tokens,
        result.seconds,
        result.tokens.trained,
        result.tokens.generated,
        result.tokens.judge_read,
        result.tokens.usd,
        *(math.nan if n is None else n for n in efficiency.numbers(result).values()),
        *efficiency.rival_numbers(comparison, row.method if row.split == ALL else "").values(),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _detectable(row: Row) -> float:
    known = row.difference.detectable if row.difference else None
    return math.nan if known is None else known


def _scores(comparison: Comparison, split: str) -> Table:
    rows = comparison.rows_of(split)
    items = f"{wording.split_label(split)}, {rows[0].items} held out"
    seeds = max(row.seeds for row in rows)
    items += f", {seeds} seeds" if seeds > 1 else ""
    items += f", {comparison.subset}" if comparison.subset else ""
    title = f"Score on {items} (brackets: {wording.level(comparison)} interval)"
    table = _table(
        title, "method", "score %", "passed %", f"points on {comparison.baseline}", "verdict"
    )
    for row in rows:
        _, name, _, _, score, passed, difference, _, verdict = _words(row)
        styled = Text(verdict.replace(" (", "\n("), style=_STYLES.get(verdict, ""))
        table.add_row(Text(name), score, passed, difference, styled)
    return table


def _figures(comparison: Comparison, result: BenchmarkResult) -> Table:
    """The figures of one benchmark over all of its items."""
    return _titled(figures.title(comparison, result), figures.overall_rows(result))


def _titled(title: str, rows: list[list[str]]) -> Table:
    """Rows with their head and a title; a verdict at the end of a row has its colour."""
    table = _table(title, *rows[0])
    for *cells, last in rows[1:]:
        styled = Text(last.replace(" (", "\n("), style=_STYLES.get(last, ""))
        table.add_row(*map(Text, cells), styled)
    return table


def _costs(comparison: Comparison) -> Table:
    kinds = ("trained on", "generated", "read by judge", *_dollars_head(comparison))
    table = _table("Tokens and time", "method", "per response", "time", *kinds)
    for row in comparison.rows_of(ALL):
        table.add_row(Text(row.method), *_cost(comparison, row))
    return table


def _rankings(comparison: Comparison) -> Table:
    title = (
        f"Rankings against the truth (chance 50 %; brackets: {wording.level(comparison)} interval)"
    )
    table = _table(title, *_ranking_head(""))
    for cells in _ranking_rows(comparison):
        table.add_row(*map(Text, cells))
    return table


def _narrow(comparison: Comparison) -> list[list[list[str]]]:
    """The tables on trust in parts that fit a terminal: what replies show, then the order."""
    rows = trust_rows(comparison)
    parts = [_REPLIES_PART] if any(trust.figures.slots for trust in comparison.trust) else []
    trust = [[[row[i] for i in part] for row in rows] for part in [*parts, _ORDER_PART]]
    return [*trust, agreement_rows(comparison)]


def _plain(rows: list[list[str]]) -> Table:
    """Rows with their head, wide cells wrapped."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in rows[0]:
        table.add_column(column)
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", box=None, header_style="dim", padding=(0, 2, 0, 0)
    )
    for column in columns:
        table.add_column(column, no_wrap=column not in _WRAPPING)
    return table


def _words(row: Row) -> list[str]:
    difference = row.difference
    return [
        wording.split_label(row.split),
        row.method,
        str(row.items),
        str(row.seeds),
        wording.percents(row.score),
        wording.percent(row.passed),
        wording.points(difference.interval if difference else None),
        wording.p_value(difference),
        wording.verdict(difference),
    ]


def _cost(comparison: Comparison, row: Row) -> list[str]:
    result = comparison.result_of(row.method)
    tokens = result.tokens
    return [
        wording.response_tokens(row),
        wording.duration(result.seconds),
        *map(wording.count, (tokens.trained, tokens.generated, tokens.judge_read)),
        *([wording.dollars(tokens.usd)] if comparison.paid else []),
    ]


def _dollars_head(comparison: Comparison) -> list[str]:
    return ["dollars"] if comparison.paid else []


def _ranking_head(level: str) -> list[str]:
    return ["ranking", "ranker", f"agrees %{level}", "pairs", "ordered", "refused"]


def _ranking_rows(comparison: Comparison) -> list[list[str]]:
    return [
        [
            ranking.name,
            ranking.ranker,
            wording.percents(ranking.agreement),
            str(ranking.pairs),
            f"{ranking.ordered_sets} of {ranking.sets}",
            wording.refused(ranking),
        ]
        for ranking in comparison.rankings
    ]


def _markdown(rows: list[list[str]]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    head, *body = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body, ""])


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
