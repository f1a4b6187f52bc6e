"""Exact match per answer, and the figures of Tk-Instruct over all, each category and each task.

Every figure is the mean over the instances of its group, not over its tasks. The interval of a
figure over several tasks resamples whole tasks, because instances of one task are alike; a category
of one task so has none. Left out: ROUGE-1, which the release computes and nobody reports.
"""

import string
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tuna_exp.comparison.statistics import Bootstrap, Interval, mean_interval, ratio_interval
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.superni import coverage
from tuna_exp.evaluation.superni.official import CATEGORIES, EXACT_MATCH, ROUGE_L, Metric
from tuna_exp.records import Check, Instruction, Prediction, Record

CHECK = "superni"
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_BOUNDS = (0.0, 1.0)


class Answer(Record):
    """What an item's answer is scored against, kept as the item's check.

    `category` is "" where the data does not tell it.
    """

    task: str
    category: str
    references: tuple[str, ...]

    def check(self) -> Check:
        """Return it as JSON values."""
        return Check(name=CHECK, arguments=self.model_dump(mode="json"))

    @classmethod
    def of(cls, instruction: Instruction) -> "Answer":
        """Read it from an item of this benchmark."""
        return cls.model_validate(instruction.check.arguments if instruction.check else {})


def exact_match(references: Sequence[str], text: str) -> bool:
    """Whether the text equals a reference, both without case, ASCII punctuation, extra blanks."""
    return normalised(text) in map(normalised, references)


def normalised(text: str) -> str:
    """Return the lower-cased text without ASCII punctuation, its white space made single."""
    return " ".join(text.lower().translate(_NO_PUNCTUATION).split())


def figures(
    predictions: Sequence[Prediction], names: Sequence[str], bootstrap: Bootstrap
) -> list[Figure]:
    """Return ROUGE-L and exact match over all, then per category, then per task.

    `score` of a prediction is its ROUGE-L and `passed` its exact match. Of a category the metric
    that is reported for it comes first. A group that is not whole says in its name what there is
    of it; `names` are the tasks that were asked for.
    """
    tasks = defaultdict[str, list[Prediction]](list)
    categories = defaultdict[str, set[str]](set)
    for prediction in predictions:
        answer = Answer.of(prediction.instruction)
        tasks[answer.task].append(prediction)
        if answer.category:
            categories[answer.category].add(answer.task)
    whole = coverage.of_all(names, len(tasks), len(predictions))
    made = _both(whole.label("all"), tasks, ROUGE_L, bootstrap)
    for category, members in sorted(categories.items()):
        some = {task: tasks[task] for task in sorted(members)}
        there = coverage.of_category(category, len(some), sum(map(len, some.values())))
        official = CATEGORIES.get(category)
        first = official.reported if official else ROUGE_L
        made += _both(there.label(category), some, first, bootstrap)
    for task, items in sorted(tasks.items()):
        label = coverage.of_task(task, len(items)).label(task)
        made += [
            Figure(metric, label, mean_interval(_values(items, metric), _BOUNDS, bootstrap))
            for metric in (ROUGE_L, EXACT_MATCH)
        ]
    return made


def _both(
    group: str, tasks: Mapping[str, list[Prediction]], first: Metric, bootstrap: Bootstrap
) -> list[Figure]:
    second = EXACT_MATCH if first == ROUGE_L else ROUGE_L
    return [Figure(m, group, _over_tasks(tasks, m, bootstrap)) for m in (first, second)]


def _over_tasks(
    tasks: Mapping[str, list[Prediction]], metric: Metric, bootstrap: Bootstrap
) -> Interval:
    totals = [sum(_values(items, metric)) for items in tasks.values()]
    counts = [float(len(items)) for items in tasks.values()]
    interval = ratio_interval(totals, counts, _BOUNDS, bootstrap)
    return replace(interval, items=int(sum(counts)))


def _values(items: Sequence[Prediction], metric: Metric) -> list[float]:
    if metric == ROUGE_L:
        return [item.score for item in items]
    return [float(item.passed) for item in items]
