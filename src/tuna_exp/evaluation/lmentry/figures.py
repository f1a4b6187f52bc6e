"""Accuracy, robustness and the LMentry score, in percent and rounded where the original rounds.

Left out: the share of sure scores, which enters none of them. Where an accuracy is over fewer
examples than were published, it is over those that were scored; over none it is NaN, as is what is
made of it, and such a figure is left out. Of few examples a difference is mostly chance, so that
robustness over a small subset comes out too low.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from tuna_exp.comparison.statistics import (
    Array,
    Bootstrap,
    Interval,
    mean_interval,
    ratio_interval,
    sums_interval,
)
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.lmentry.arguments import Arguments
from tuna_exp.evaluation.lmentry.tasks import (
    ADJACENT,
    ARGUMENT_CONTENT,
    ARGUMENT_ORDER,
    CORE,
    FILES,
    TEMPLATES,
)
from tuna_exp.records import Prediction

SCORE, ACCURACY, ROBUSTNESS = "LMentry score", "accuracy", "robustness"
PARTS = (
    "argument order robustness",
    "argument content robustness",
    "template robustness",
    "adjacent tasks robustness",
)
ALL = "all"


@dataclass(frozen=True)
class Scored:
    """One scored example: which arguments, which template, which place of the answer, its score."""

    argument_tuple: int
    template: int
    answer_index: int | None
    score: float


# A number, and the core tasks it is of: one, or the two of a pair.
Part = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Results:
    """Published figures of one model, from the scored examples of each task file."""

    scored: Mapping[str, Sequence[Scored]]

    def task_accuracy(self, name: str) -> float:
        """Percent right of a task file, to 2 decimals."""
        return round(_share(self._of(name)) * 100, 2)

    def template_accuracies(self, name: str) -> list[float]:
        """Percent right under each template, to 1 decimal."""
        examples = self._of(name)
        return [
            round(_share([e for e in examples if e.template == template]) * 100, 1)
            for template in range(TEMPLATES)
        ]

    def order_accuracies(self, name: str) -> list[float]:
        """Percent right where the first, where the second argument is the answer, to 2 decimals."""
        examples = self._of(name)
        return [
            round(_share([e for e in examples if e.answer_index == index]) * 100, 2)
            for index in (0, 1)
        ]

    def accuracies(self) -> Part:
        """Task accuracy of each core task."""
        return {(name,): self.task_accuracy(name) for name in CORE}

    def parts(self) -> list[Part]:
        """The numbers that are averaged to the four parts of robustness, in the order of PARTS."""
        return [
            {(name,): robust(self.order_accuracies(name)) for name in ARGUMENT_ORDER},
            {
                (name,): robust([self.task_accuracy(f"{name}_{subset}") for subset in subsets])
                for name, subsets in ARGUMENT_CONTENT.items()
            },
            {(name,): robust(self.template_accuracies(name)) for name in CORE},
            {pair: robust([self.task_accuracy(name) for name in pair]) for pair in ADJACENT},
        ]

    def accuracy(self) -> float:
        """Mean of the 25 core tasks, percent."""
        return _mean(self.accuracies().values())

    def robustness(self) -> float:
        """Mean of the four parts to 1 decimal, percent.

        NumPy rounds it, as in the original: half a decimal comes out to the even one, where
        `round` goes by the binary fraction (99.35 to 99.3).
        """
        return float(np.round(_mean(_mean(part.values()) for part in self.parts()), 1))

    def score(self) -> float:
        """Accuracy times robustness, percent."""
        return self.accuracy() * (self.robustness() / 100)

    def _of(self, name: str) -> Sequence[Scored]:
        return self.scored.get(name, ())


def robust(accuracies: Sequence[float]) -> float:
    """100 minus the largest difference between two of them, percent; NaN where one is NaN."""
    if any(map(math.isnan, accuracies)):
        return math.nan
    return 100 - max(abs(a - b) for a, b in combinations(accuracies, 2))


def results_of(predictions: Sequence[Prediction]) -> Results:
    """Sort scored predictions of LMentry's items by task file."""
    scored: dict[str, list[Scored]] = defaultdict(list)
    for prediction in predictions:
        scored[prediction.instruction.kind].append(_scored(prediction))
    return Results({name: scored[name] for name in FILES if name in scored})


def figures_of(results: Results, bootstrap: Bootstrap) -> list[Figure]:
    """LMentry score, accuracy, robustness and its parts, then the accuracy of each task file.

    Overall intervals resample whole core tasks: they say how far the figure holds for tasks like
    these. A task's own interval resamples its argument tuples, each with its templates. A figure
    that needs a task file, a template or a place of the answer without an example is left out.
    """
    by_task = [_task_figure(results, name, bootstrap) for name in results.scored]
    return [*_overall(results, bootstrap), *by_task]


def _overall(results: Results, bootstrap: Bootstrap) -> list[Figure]:
    accuracies, parts = results.accuracies(), results.parts()

    def robustness(drawn: Array) -> Array:
        means = [_weighted_mean(part, drawn) for part in parts]
        return np.asarray(np.mean(means, axis=0), dtype=np.float64)

    def score(drawn: Array) -> Array:
        return _weighted_mean(accuracies, drawn) * robustness(drawn)

    made: list[tuple[str, float, Callable[[], Interval]]] = [
        (SCORE, results.score(), lambda: _over_tasks(score, bootstrap)),
        (ACCURACY, results.accuracy(), lambda: _part_interval(accuracies, bootstrap)),
        (ROBUSTNESS, results.robustness(), lambda: _over_tasks(robustness, bootstrap)),
    ]
    for name, part in zip(PARTS, parts, strict=True):
        made.append((name, _mean(part.values()), partial(_part_interval, part, bootstrap)))
    return [
        Figure(name, ALL, replace(interval(), value=value / 100))
        for name, value, interval in made
        if not math.isnan(value)
    ]


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _weighted_mean(part: Part, drawn: Array) -> Array:
    """Mean in [0, 1] where core task t was drawn `drawn[t]` times; a pair counts their product.

    A resample with none of the part's tasks (1 in 1,000 at most) takes the mean over all of them.
    """
    places = [[CORE.index(task) for task in tasks] for tasks in part]
    weights = np.stack([np.prod(drawn[rows], axis=0) for rows in places])
    values = np.array(list(part.values())) / 100
    total = weights.sum(axis=0)
    sums = np.tensordot(values, weights, axes=1)
    means: Array = np.where(total > 0, sums / np.maximum(total, 1), values.mean())
    return means


def _over_tasks(value: Callable[[Array], Array], bootstrap: Bootstrap) -> Interval:
    return sums_interval(np.eye(len(CORE)), value, (0.0, 1.0), bootstrap)


def _part_interval(part: Part, bootstrap: Bootstrap) -> Interval:
    if any(len(tasks) > 1 for tasks in part):
        return _over_tasks(lambda drawn: _weighted_mean(part, drawn), bootstrap)
    return mean_interval([value / 100 for value in part.values()], (0.0, 1.0), bootstrap)


def _task_figure(results: Results, name: str, bootstrap: Bootstrap) -> Figure:
    right: dict[int, float] = defaultdict(float)
    asked: dict[int, float] = defaultdict(float)
    for example in results.scored[name]:
        right[example.argument_tuple] += example.score
        asked[example.argument_tuple] += 1
    interval = ratio_interval(list(right.values()), list(asked.values()), (0.0, 1.0), bootstrap)
    return Figure(ACCURACY, name, replace(interval, value=results.task_accuracy(name) / 100))


def _scored(prediction: Prediction) -> Scored:
    check = prediction.instruction.check
    values = check.arguments if check else {}
    arguments = Arguments(values)
    return Scored(
        arguments.number("argument_tuple"),
        arguments.number("template_id"),
        arguments.number("answer_index") if "answer_index" in values else None,
        prediction.score,
    )


def _share(examples: Sequence[Scored]) -> float:
    if not examples:
        return math.nan
    return sum(example.score for example in examples) / len(examples)
