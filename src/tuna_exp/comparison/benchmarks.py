"""Several benchmarks side by side: each one's figures by method, and who may be compared on it.

A figure is the benchmark's own; a difference is paired over the items that it is the mean of. Left
out: one number over several benchmarks. They measure different things on different scales.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuna_exp.comparison.statistics import Bootstrap, Difference, Interval, paired_difference
from tuna_exp.evaluation.base import Figure
from tuna_exp.reasons import flat
from tuna_exp.records import Instruction, Prediction

ALL = "all"
_SAME = 1e-9
# What may differ between evaluations that are compared: it changes no question and no mark.
_FREE = frozenset({"batch_size", "max_new_tokens"})


@dataclass(frozen=True)
class Answered:
    """One method's answers to a benchmark with the figures over them.

    `settings` are what decides items and scores, `of` how many items the whole benchmark has, `at`
    how the figures' intervals were made.
    """

    method: str
    predictions: Sequence[Prediction]
    figures: Sequence[Figure]
    settings: Mapping[str, Any]
    of: int
    at: Bootstrap


@dataclass(frozen=True)
class FigureRow:
    """One figure of one method.

    `difference` is None for the baseline and for a figure that is not a mean over items.
    """

    method: str
    metric: str
    group: str
    interval: Interval
    difference: Difference | None


@dataclass(frozen=True)
class BenchmarkResult:
    """A benchmark's figures: `items` were asked `of` all it has.

    `baseline` is "" where it was not asked. `remarks` say who is left out, and what is unlike.
    """

    name: str
    items: int
    of: int
    baseline: str
    rows: tuple[FigureRow, ...]
    remarks: tuple[str, ...]

    @property
    def size(self) -> str:
        """How many items, as it stands wherever the benchmark is shown: subset 500 of 11,403."""
        whole = self.items == self.of
        return f"{self.items:,} items" if whole else f"subset {self.items:,} of {self.of:,}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that are compared on it."""
        return tuple(dict.fromkeys(row.method for row in self.rows))

    def rows_of(self, group: str) -> tuple[FigureRow, ...]:
        """The figures over one group of items."""
        return tuple(row for row in self.rows if row.group == group)


def benchmark_result(
    name: str, answered: Sequence[Answered], baseline: str, bootstrap: Bootstrap
) -> BenchmarkResult:
    """Put the figures of all methods side by side that answered what the baseline answered.

    The first method stands for the baseline where that did not answer this benchmark.
    """
    base = next((one for one in answered if one.method == baseline), None)
    first = base or answered[0]
    reasons = {one.method: unlike(one, first) for one in answered}
    kept = [one for one in answered if not reasons[one.method]]
    rows = [row for one in kept for row in _rows(one, base, bootstrap)]
    remarks = [
        f"{method} is left out of {name}: {reason}." for method, reason in reasons.items() if reason
    ]
    if base is None:
        remarks.append(f"{baseline} has no evaluation on {name}: there are no differences to it.")
    remarks += [remark for one in kept for remark in _remarks(name, one, first, bootstrap)]
    found = len(first.predictions)
    return BenchmarkResult(
        name, found, first.of, baseline if base else "", tuple(rows), tuple(remarks)
    )


def unlike(one: Answered, first: Answered) -> str:
    """Return why two evaluations may not be compared, or ""."""
    ours, theirs = _decisive(one.settings), _decisive(first.settings)
    differing = [key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key)]
    if not differing and _asked(one) == _asked(first):
        return ""
    counts = [f"{len(each.predictions):,} of {each.of:,} items" for each in (one, first)]
    told = [
        f"{key} {ours.get(key, 'absent')}, not {theirs.get(key, 'absent')}" for key in differing[:3]
    ]
    why = "; ".join(told) or "the items differ"
    return f"it was asked {counts[0]}, {first.method} {counts[1]} ({why})"


def values_behind(figure: Figure, predictions: Sequence[Prediction]) -> list[Prediction] | None:
    """Return the predictions of a figure's group, with the value that it is the mean of as score.

    None where it is the mean neither of their scores nor of their passes: a product, a score over
    pairs of items, or one from elsewhere.
    """
    chosen = [p for p in predictions if figure.group in _groups(p.instruction)]
    passes = [p.model_copy(update={"score": float(p.passed)}) for p in chosen]
    for some in (chosen, passes):
        if some and abs(sum(p.score for p in some) / len(some) - figure.interval.value) < _SAME:
            return some
    return None


def _groups(item: Instruction) -> set[str]:
    return {ALL, item.kind, item.kind.partition("/")[0], item.split}


def _rows(one: Answered, base: Answered | None, bootstrap: Bootstrap) -> list[FigureRow]:
    return [
        FigureRow(
            one.method,
            figure.metric,
            figure.group,
            figure.interval,
            _difference(figure, one, base, bootstrap),
        )
        for figure in one.figures
    ]


def _difference(
    figure: Figure, one: Answered, base: Answered | None, bootstrap: Bootstrap
) -> Difference | None:
    if base is None or one is base:
        return None
    same = (figure.metric, figure.group)
    against = next((f for f in base.figures if (f.metric, f.group) == same), None)
    ours = values_behind(figure, one.predictions)
    theirs = against and values_behind(against, base.predictions)
    return paired_difference(ours, theirs, bootstrap) if ours and theirs else None


def _decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    return flat({key: value for key, value in settings.items() if key not in _FREE})


def _asked(one: Answered) -> dict[str, Instruction]:
    return {p.instruction.id: p.instruction for p in one.predictions}


def _remarks(name: str, one: Answered, first: Answered, bootstrap: Bootstrap) -> list[str]:
    told = []
    key = "max_new_tokens"
    ours, theirs = one.settings.get(key), first.settings.get(key)
    if ours != theirs:
        told.append(
            f"{one.method} answered {name} in at most {ours} tokens, {first.method} in {theirs}."
        )
    if not math.isclose(one.at.confidence, bootstrap.confidence):
        told.append(
            f"The figures of {one.method} on {name} have {100 * one.at.confidence:g} % intervals."
        )
    return told
