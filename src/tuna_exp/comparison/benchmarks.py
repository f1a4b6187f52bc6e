"""Several benchmarks side by side: each one's figures by method, and who may be compared on it.

A figure is the benchmark's own; a difference is paired over the items that it is the mean of, and
of several seeds both are pooled. Left out: one number over several benchmarks. They measure
different things on different scales.
"""

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from tuna_exp.comparison.pooling import differences, pooled_interval
from tuna_exp.comparison.statistics import Bootstrap, Difference, Interval
from tuna_exp.evaluation.base import Figure
from tuna_exp.reasons import flat
from tuna_exp.records import Instruction, Prediction

ALL = "all"
_EQUAL = 1e-9
# What may differ between evaluations that are compared, and what of it is told: how a model is
# asked, by its own tokens, not what for.
_UNTOLD = frozenset({"batch_size"})
_TOLD = ("max_new_tokens", "source_limit")
_BRIEF = 60
_JUDGE, _SNAPSHOT = "judge", "snapshot"


@dataclass(frozen=True)
class Answered:
    """One run's answers to a benchmark with the figures over them.

    `settings` are what decides items and scores, `of` how many items the whole benchmark has, `at`
    how the figures' intervals were made, `seed` that of the run, "" where it has none. Where a
    judge marks answers some items may have no mark; `figures_without` gives figures without others.
    """

    method: str
    predictions: Sequence[Prediction]
    figures: Sequence[Figure]
    settings: Mapping[str, Any]
    of: int
    at: Bootstrap
    seed: str = ""
    figures_without: Callable[[Set[str]], Sequence[Figure]] | None = None


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

    `baseline` is "" where it was not asked. `remarks` say who is left out, and what is
    unlike; `runs` are the seeds that are compared, by method. `left_out` are the ids of items that
    were asked and are not compared, since a judge gave one of the runs no verdict on them.
    """

    name: str
    items: int
    of: int
    baseline: str
    rows: tuple[FigureRow, ...]
    remarks: tuple[str, ...]
    runs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> str:
        """How many items, as it stands wherever the benchmark is shown: subset 500 of 11,403."""
        whole = self.items == self.of
        return f"{self.items:,} items" if whole else f"subset {self.items:,} of {self.of:,}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that are compared on it."""
        return tuple(dict.fromkeys(row.method for row in self.rows))

    @property
    def overall(self) -> str:
        """The group of the figure that it is known by: all, perhaps with what is missing of it."""
        return self.rows[0].group if self.rows else ALL

    @property
    def mark(self) -> str:
        """What stands beside the name of a figure over all items: "" where nothing is missing."""
        return "" if self.overall == ALL else f", {self.overall}"

    @property
    def overall_rows(self) -> tuple[FigureRow, ...]:
        """The figures over all items."""
        return tuple(row for row in self.rows if row.group == self.overall)


def benchmark_result(
    name: str, answered: Sequence[Answered], baseline: str, bootstrap: Bootstrap
) -> BenchmarkResult:
    """Put the figures of all methods side by side that answered what the baseline answered.

    Runs of one method differ by their seed. The first method stands for the baseline where that did
    not answer this benchmark.
    """
    answered = _with_snapshot(answered)
    base = [one for one in answered if one.method == baseline]
    first = (base or answered)[0]
    reasons = {(one.method, one.seed): why for one in answered if (why := unlike(one, first))}
    kept = [one for one in answered if (one.method, one.seed) not in reasons]
    left_out = unjudged(kept)
    kept = [_without(one, left_out) for one in kept]
    seeds: dict[str, tuple[str, ...]] = {}
    for one in kept:
        seeds[one.method] = (*seeds.get(one.method, ()), one.seed)
    remarks = [
        f"{method}{f' with seed {seed}' * (method in seeds)} is left out of {name}: {reason}."
        for (method, seed), reason in reasons.items()
    ]
    if not base:
        remarks.append(f"{baseline} has no evaluation on {name}: there are no differences to it.")
    if left_out:
        remarks.append(
            f"{len(left_out)} of {first.of:,} items of {name} are left out: the judge gave at "
            "least one of the runs no verdict on them."
        )
    remarks += [remark for one in kept for remark in _remarks(name, one, first, bootstrap)]
    return BenchmarkResult(
        name,
        len(kept[0].predictions),
        first.of,
        baseline if base else "",
        _rows(kept, baseline, bootstrap),
        tuple(dict.fromkeys(remarks)),
        seeds,
        tuple(sorted(left_out)),
    )


def _with_snapshot(answered: Sequence[Answered]) -> list[Answered]:
    """Give the first known snapshot to those whose judge was asked nothing.

    That is the baseline, whose answers tie with themselves: it goes with any snapshot.
    """
    judges = [one.settings.get(_JUDGE, {}) for one in answered]
    known = next((judge[_SNAPSHOT] for judge in judges if _SNAPSHOT in judge), None)
    if known is None:
        return list(answered)
    return [
        replace(one, settings={**one.settings, _JUDGE: {_SNAPSHOT: known, **judge}})
        if judge
        else one
        for one, judge in zip(answered, judges, strict=True)
    ]


def unjudged(answered: Sequence[Answered]) -> set[str]:
    """Return the ids of items on which a judge gave some of the runs a verdict and others none."""
    marked = [{p.instruction.id for p in one.predictions} for one in answered]
    every = {item for ids in marked for item in ids}
    return {item for item in every if not all(item in ids for ids in marked)}


def _without(one: Answered, ids: Set[str]) -> Answered:
    if not ids or one.figures_without is None:
        return one
    kept = [p for p in one.predictions if p.instruction.id not in ids]
    return replace(one, predictions=kept, figures=one.figures_without(ids))


def unlike(one: Answered, first: Answered) -> str:
    """Return why two evaluations may not be compared, or ""."""
    ours, theirs = _decisive(one.settings), _decisive(first.settings)
    differing = [key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key)]
    # Items of one benchmark; where a judge marks them, not all need have got a mark.
    alike = bool(one.figures_without) or _asked(one) == _asked(first)
    if not differing and alike:
        return ""
    counts = [f"{len(each.predictions):,} of {each.of:,} items" for each in (one, first)]
    told = [
        f"{key} {_brief(ours.get(key, 'absent'))}, not {_brief(theirs.get(key, 'absent'))}"
        for key in differing[:3]
    ]
    why = "; ".join(told) or "the items differ"
    return f"it was asked {counts[0]}, {first.method} {counts[1]} ({why})"


def _brief(value: object) -> str:
    """A setting in few words: a prompt is one too."""
    text = " ".join(str(value).split())
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]}..."


def values_behind(figure: Figure, predictions: Sequence[Prediction]) -> list[Prediction] | None:
    """Return the predictions of a figure's group, with the value that it is the mean of as score.

    None where it is the mean neither of their scores nor of their passes: a product, a score over
    pairs of items, or one from elsewhere.
    """
    group = figure.group.partition(" (")[0]  # without what is missing of it
    chosen = [p for p in predictions if group in _groups(p.instruction)]
    passes = [p.model_copy(update={"score": float(p.passed)}) for p in chosen]
    for some in (chosen, passes):
        if some and abs(sum(p.score for p in some) / len(some) - figure.interval.value) < _EQUAL:
            return some
    return None


def _groups(item: Instruction) -> set[str]:
    category = item.check.arguments.get("category") if item.check else None
    return {ALL, item.kind, item.kind.partition("/")[0], item.split, str(category or "")}


def _rows(
    answered: Sequence[Answered], baseline: str, bootstrap: Bootstrap
) -> tuple[FigureRow, ...]:
    """Return the figures of every method; those over all items are one table of comparisons."""
    methods: dict[str, list[Answered]] = {}
    for one in answered:
        methods.setdefault(one.method, []).append(one)
    base = methods.get(baseline, [])
    found = _differences(methods, baseline, bootstrap) if base else {}
    return tuple(
        FigureRow(
            method,
            figure.metric,
            figure.group,
            _pooled(figure, runs, bootstrap),
            found.get((method, figure.metric, figure.group)),
        )
        for method, runs in methods.items()
        for figure in runs[0].figures
    )


def _pooled(figure: Figure, runs: Sequence[Answered], bootstrap: Bootstrap) -> Interval:
    """Return a figure over all seeds.

    Of one that is no mean over items the seeds have a mean, and no interval is known.
    """
    if len(runs) == 1:
        return figure.interval
    behind = [_behind(figure.metric, figure.group, one) for one in runs]
    known = [some for some in behind if some]
    if len(known) == len(runs):
        return pooled_interval(known, bootstrap)
    values = [f.interval.value for one in runs for f in one.figures if _same(f, figure)]
    mean = sum(values) / len(values)
    return Interval(mean, math.nan, math.nan, figure.interval.items)


def _differences(
    methods: Mapping[str, Sequence[Answered]], baseline: str, bootstrap: Bootstrap
) -> dict[tuple[str, str, str], Difference]:
    """Return the difference of every figure, by method, metric and group.

    Each figure's comparisons are a table of their own, as that of each metric and group is.
    """
    base = methods[baseline]
    found: dict[tuple[str, str, str], Difference] = {}
    for figure in base[0].figures:
        key = (figure.metric, figure.group)
        sides = {m: _values(*key, runs) for m, runs in methods.items()}
        against = sides.pop(baseline)
        known = {m: by_seed for m, by_seed in sides.items() if by_seed}
        if against and known:
            made = differences(known, against, bootstrap)
            found |= {(method, *key): one for method, one in made.items()}
    return found


def _values(
    metric: str, group: str, runs: Sequence[Answered]
) -> dict[str, list[Prediction]] | None:
    """Return by seed what a figure is the mean of; None where it is no mean over items."""
    behind = {one.seed: _behind(metric, group, one) for one in runs}
    known = {seed: some for seed, some in behind.items() if some}
    return known if len(known) == len(behind) else None


def _behind(metric: str, group: str, one: Answered) -> list[Prediction] | None:
    figure = next((f for f in one.figures if (f.metric, f.group) == (metric, group)), None)
    return values_behind(figure, one.predictions) if figure else None


def _same(one: Figure, other: Figure) -> bool:
    return (one.metric, one.group) == (other.metric, other.group)


def _decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    return flat({key: value for key, value in settings.items() if key not in (*_UNTOLD, *_TOLD)})


def _asked(one: Answered) -> set[tuple[str, str, str | None]]:
    """Return what tells items apart; the text of a prompt may be cut by a model's own tokens."""
    items = (p.instruction for p in one.predictions)
    return {(item.id, item.kind, item.reference) for item in items}


def _remarks(name: str, one: Answered, first: Answered, bootstrap: Bootstrap) -> list[str]:
    told = []
    for key in _TOLD:
        ours, theirs = one.settings.get(key), first.settings.get(key)
        if ours != theirs:
            values = "" if isinstance(ours or theirs, Mapping) else f" ({ours}, not {theirs})"
            told.append(
                f"{one.method} was asked {name} with another {key} than {first.method}{values}."
            )
    if not math.isclose(one.at.confidence, bootstrap.confidence):
        told.append(
            f"The figures of {one.method} on {name} have {100 * one.at.confidence:g} % intervals."
        )
    return told
