"""The harness's own metrics over items, under its names and with its values, and our intervals.

A value is what the harness's aggregation makes of the items. Intervals resample items: means and
what is a function of a mean or a ratio of sums (perplexities) as our other benchmarks do, any other
aggregation by value ± z · s with s the spread of its resampled values, as the harness's standard
error. Of figures over several tasks only those that the harness has (its groups) are its own;
"score" over all is the mean of what items are marked with (see `marks`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from tuna_exp.comparison.statistics import Bootstrap, Interval, mean_interval, ratio_interval
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.lm_eval.marks import Marking, name_of
from tuna_exp.evaluation.lm_eval.samples import Sample

ALL = "all"
# The spread of a resampled statistic is known within 5 % from so many draws; BLEU takes its time.
_DRAWS = 200
_MEANS = frozenset({"mean", "nanmean"})
_SAME = 1e-9


def figures(
    samples: Sequence[Sample],
    markings: Mapping[str, Marking],
    groups: Mapping[str, Any],
    bootstrap: Bootstrap,
) -> list[Figure]:
    """Return the figures of every task and group; of one task alone they are over all.

    The first is the one that methods are compared by: the score of all items where there are
    several tasks or where the only one's main metric is no mean of its items.
    """
    by_task = {name: _of(samples, name) for name in markings}
    by_task = {name: some for name, some in by_task.items() if some}
    alone = len(by_task) == 1
    own = [
        Figure(key, ALL if alone else name, interval)
        for name, some in by_task.items()
        for key, interval in task_intervals(some, markings[name], bootstrap).items()
    ]
    grouped = [
        Figure(key, name, interval)
        for name, group in groups.items()
        for key, interval in _group_intervals(group, by_task, markings, own, bootstrap).items()
    ]
    scores = [sample.prediction.score for sample in samples]
    first = Figure("score", ALL, mean_interval(scores, (0.0, 1.0), bootstrap))
    main = next((f for f in own if abs(f.interval.value - first.interval.value) < _SAME), None)
    if alone and main is not None:
        return [main, *(f for f in own if f is not main), *grouped]
    return [first, *grouped, *own]


def task_intervals(
    samples: Sequence[Sample], marking: Marking, bootstrap: Bootstrap
) -> dict[str, Interval]:
    """Return, by metric, the harness's value over a task's items with its interval.

    A metric is over the items that have it, as in the harness.
    """
    keys = list(dict.fromkeys(key for sample in samples for key in sample.metrics))
    return {
        key: metric_interval(
            [_number(sample.metrics[key]) for sample in samples if key in sample.metrics],
            marking.aggregation(key),
            bootstrap,
        )
        for key in keys
    }


def metric_interval(
    values: Sequence[Any], aggregation: Callable[..., Any] | None, bootstrap: Bootstrap
) -> Interval:
    """Return a metric's value over items by the harness's aggregation (None: mean), with interval.

    perplexity = exp(−Σ l / n), weighted_perplexity = exp(−Σ l / Σ n), bits_per_byte =
    −Σ l / (Σ n · ln 2), with l in nats; their intervals are those of the mean or ratio, through the
    same function.
    """
    name = name_of(aggregation)
    value = float(aggregation(list(values))) if aggregation else _mean(values)
    if name in _MEANS:
        known = [float(v) for v in values if not (name == "nanmean" and math.isnan(v))]
        found = mean_interval(known, _bounds(known), bootstrap)
    elif name == "perplexity":
        found = _through(_exp_minus, mean_interval(values, (min(values), 0.0), bootstrap))
    elif name in ("weighted_perplexity", "bits_per_byte"):
        totals, counts = [float(v[0]) for v in values], [float(v[1]) for v in values]
        lowest = min(t / c for t, c in zip(totals, counts, strict=True))
        ratio = ratio_interval(totals, counts, (lowest, 0.0), bootstrap)
        found = _through(_exp_minus if name == "weighted_perplexity" else _bits, ratio)
    else:
        found = _resampled(values, aggregation or _mean, value, bootstrap)
    return Interval(value, found.low, found.high, len(values))


def _group_intervals(
    group: Any,
    by_task: Mapping[str, Sequence[Sample]],
    markings: Mapping[str, Marking],
    own: Sequence[Figure],
    bootstrap: Bootstrap,
) -> dict[str, Interval]:
    """Return the harness's figures of a group, with the interval of Σ w_t · m_t over its tasks.

    m_t is a task's figure and w_t its share of the items, or 1 / T where the group does not weigh
    by size. Tasks are independent: the half-width is sqrt(Σ (w_t · h_t)²), with h_t theirs.
    """
    members = [task.task_name for task in group.get_all_tasks() if task.task_name in by_task]
    alone = len(by_task) == 1
    table: dict[str, dict[str, Any]] = {
        name: {
            "sample_len": len(by_task[name]),
            **{
                f if "," in f else f"{f},none": i.value
                for f, i in _figures_of(own, ALL if alone else name).items()
            },
        }
        for name in members
    }
    made = group.aggregate(table)
    weighed = {one.metric: one.weight_by_size for one in group.aggregate_metric_list}
    found = {}
    for key, value in made.items():
        metric, comma, kept_by = key.partition(",")
        if not comma or metric not in weighed or not isinstance(value, float | int):
            continue
        shown = metric if kept_by == "none" else key
        parts = [
            (len(by_task[name]) if weighed[metric] else 1, one[shown])
            for name in members
            for one in [_figures_of(own, ALL if alone else name)]
            if shown in one
        ]
        found[shown] = _weighted(float(value), parts)
    return found


def _weighted(value: float, parts: Sequence[tuple[int, Interval]]) -> Interval:
    total = sum(weight for weight, _ in parts)
    below = math.sqrt(sum((w / total * (i.value - i.low)) ** 2 for w, i in parts))
    above = math.sqrt(sum((w / total * (i.high - i.value)) ** 2 for w, i in parts))
    return Interval(value, value - below, value + above, sum(i.items for _, i in parts))


def _figures_of(own: Sequence[Figure], group: str) -> dict[str, Interval]:
    return {figure.metric: figure.interval for figure in own if figure.group == group}


def _of(samples: Sequence[Sample], task: str) -> list[Sample]:
    return [sample for sample in samples if sample.prediction.instruction.kind == task]


def _resampled(
    values: Sequence[Any], aggregation: Callable[..., Any], value: float, bootstrap: Bootstrap
) -> Interval:
    if len(values) < 2:
        return Interval(value, math.nan, math.nan, len(values))
    draws = np.random.default_rng(bootstrap.seed)
    found = [
        float(aggregation([values[i] for i in draws.integers(len(values), size=len(values))]))
        for _ in range(min(bootstrap.resamples, _DRAWS))
    ]
    half = float(stats.norm.ppf((1 + bootstrap.confidence) / 2)) * float(np.std(found, ddof=1))
    return Interval(value, value - half, value + half, len(values))


def _through(falling: Callable[[float], float], interval: Interval) -> Interval:
    """Take an interval through a falling function, which turns its ends round."""
    ends = falling(interval.high), falling(interval.low)
    return Interval(falling(interval.value), *ends, interval.items)


def _exp_minus(value: float) -> float:
    return math.exp(-value)


def _bits(value: float) -> float:
    return -value / math.log(2)


def _mean(values: Sequence[Any]) -> float:
    return math.fsum(map(float, values)) / len(values)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and largest value an item can have, as far as its values tell."""
    if all(0 <= value <= 1 for value in values):
        return 0.0, 1.0
    return min(values), max(values)


def _number(value: Any) -> Any:
    return math.nan if value is None else value
