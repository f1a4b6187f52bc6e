"""The figures of benchmarks as rows of words and numbers, for every place that shows them."""

import csv
import io
import math

from tuna_exp.comparison import wording
from tuna_exp.comparison.benchmarks import BenchmarkResult, FigureRow
from tuna_exp.comparison.results import Comparison
from tuna_exp.comparison.statistics import Difference

# What the table of methods shows already of the benchmark that they are compared by.
_SHOWN = frozenset({"score", "passed"})
_SCREEN = 30
COLUMNS = (
    "benchmark",
    "items",
    "of",
    "method",
    "metric",
    "group",
    "value",
    "low",
    "high",
    "units",
    "difference",
    "difference_low",
    "difference_high",
    "verdict",
    "p_value",
    "adjusted_p",
    "detectable",
)


def shown_apart(comparison: Comparison) -> list[BenchmarkResult]:
    """Return the benchmarks that need a table of their own beside that of the methods."""
    return [
        one
        for place, one in enumerate(comparison.benchmarks)
        if place or {row.metric for row in one.overall_rows} - _SHOWN
    ]


def title(comparison: Comparison, result: BenchmarkResult) -> str:
    """What a table of figures is of, with the mark of a subset."""
    brackets = f"(brackets: {wording.level(comparison)} interval)"
    return f"{result.name}, {result.size}{result.mark} {brackets}"


def alone(comparison: Comparison) -> bool:
    """Whether one model is shown: then there is nothing to compare it with."""
    return len(comparison.methods) == 1 and bool(comparison.benchmarks)


def alone_rows(result: BenchmarkResult) -> list[list[str]]:
    """Head and rows of one model's figures: of every group where they fit a screen, else over all.

    All of them are in figures.csv.
    """
    rows = result.rows if len(result.rows) <= _SCREEN else result.overall_rows
    cells = [[row.group, row.metric, wording.figure(row.interval)] for row in rows]
    return [["over", "figure", "value %"], *cells]


def overall_rows(result: BenchmarkResult) -> list[list[str]]:
    """Head and rows of the figures over all items."""
    head = ["method", "figure", "value %", f"points on {result.baseline or '–'}", "verdict"]
    rows = [[row.method, row.metric, *_words(row, result)] for row in result.overall_rows]
    return [head, *rows]


def all_rows(result: BenchmarkResult) -> list[list[str]]:
    """Head and rows of all figures, those of one group of items together."""
    head = ["over", "figure", "method", "value %", f"points on {result.baseline or '–'}", "verdict"]
    order = list(dict.fromkeys((row.group, row.metric) for row in result.rows))
    by_figure = sorted(result.rows, key=lambda row: order.index((row.group, row.metric)))
    return [
        head,
        *([row.group, row.metric, row.method, *_words(row, result)] for row in by_figure),
    ]


def to_csv(comparison: Comparison) -> str:
    """One line per figure and method of every benchmark, empty where unknown."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for result in comparison.benchmarks:
        for row in result.rows:
            lines.writerow(numbers(result, row))
    return text.getvalue()


def numbers(result: BenchmarkResult, row: FigureRow) -> list[object]:
    """A figure under the names of figures.csv; "" where unknown."""
    own, difference = row.interval, row.difference
    apart = difference.interval if difference else None
    values = [
        result.name, result.items, result.of, row.method, row.metric, row.group,
        own.value, own.low, own.high, own.items,
        *((apart.value, apart.low, apart.high) if apart else ("", "", "")),
        *(_tested(difference) if difference else ("", "", "", "")),
    ]  # fmt: skip
    return ["" if isinstance(value, float) and math.isnan(value) else value for value in values]


def _tested(difference: Difference) -> tuple[object, ...]:
    seen = "" if difference.detectable is None else difference.detectable
    return difference.verdict, difference.p_value, difference.adjusted_p, seen


def _words(row: FigureRow, result: BenchmarkResult) -> list[str]:
    difference = row.difference
    alone = "baseline" if row.method == result.baseline else wording.UNKNOWN
    return [
        wording.figure(row.interval),
        wording.points(difference.interval if difference else None),
        wording.verdict(difference) if difference else alone,
    ]
