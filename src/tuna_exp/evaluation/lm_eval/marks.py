"""From the harness's values of one item to a score in [0, 1], which methods are compared by.

A task's main metric is the first of its list that an item has such a score of, or the one that is
named. Each aggregation of the harness that is no mean has a counterpart over one item:

| aggregation | an item's values | score |
|---|---|---|
| perplexity | log-likelihood l in nats | exp(l) |
| weighted_perplexity, bits_per_byte | l and n words or bytes | exp(l / n): their mean likelihood |
| f1, matthews_corrcoef | gold label and answer | 1 where equal, else 0 |
| brier_score | gold label and probabilities | that of the gold label |
| bleu, chrf, chrf++ (ter) | references and answer | the sentence's value / 100 (1 less it) |
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuna_exp.errors import UserError, nearest

Value = Any


def name_of(aggregation: Callable[..., Any] | None) -> str:
    """Return the name that the harness has an aggregation under; "" for a task's own."""
    from lm_eval.api import metrics  # noqa: F401  # registers them
    from lm_eval.api.registry import aggregation_registry

    if aggregation is None:
        return "mean"
    names = [name for name in aggregation_registry if aggregation_registry[name] is aggregation]
    return names[0] if names else ""


@dataclass(frozen=True)
class Marking:
    """How items of a task are marked: `aggregations` by the metric's name without a filter.

    `metric` is the main one, with its filter where it has one; None takes the first that fits.
    """

    task: str
    aggregations: Mapping[str, Callable[..., Any]]
    metric: str | None

    def aggregation(self, key: str) -> Callable[..., Any] | None:
        """Return what makes one number of all items' values; None: the harness takes the mean."""
        return self.aggregations.get(key.partition(",")[0])

    def main(self, items: Sequence[Mapping[str, Value]]) -> str:
        """Return the metric that a task's items are all marked by, of the values of each.

        Raises UserError where none is a share for every item, or the named one is not there.
        """
        names = list(dict.fromkeys(key for metrics in items for key in metrics))
        if self.metric is not None and self.metric not in names:
            raise UserError(
                f"evaluation.lm_eval.metric={self.metric}: the task {self.task} has "
                f"{', '.join(names) or 'none'}.{nearest(self.metric, names)} Cure: one of these, "
                "or null for the first that is a share."
            )
        for key in names if self.metric is None else [self.metric]:
            if all(self.share(key, metrics.get(key)) is not None for metrics in items):
                return key
        told = ", ".join(f"{key}={value!r:.40}" for key, value in items[0].items())
        raise UserError(
            f"no metric of the task {self.task} that may be taken is a number in [0, 1] for each "
            f"item ({told}). Cure: evaluation.lm_eval.metric=NAME of one that is, or a task with "
            "such a metric."
        )

    def share(self, key: str, value: Value) -> float | None:
        """Return the score in [0, 1] that a metric's value of one item stands for, or None."""
        name = name_of(self.aggregation(key))
        made = _COUNTERPARTS.get(name)
        if made is None:
            return float(value) if _is_share(value) else None
        try:
            score = made(value)
        except (TypeError, ValueError, IndexError):
            return None
        return min(max(score, 0.0), 1.0) if math.isfinite(score) else None


def _is_share(value: Value) -> bool:
    return isinstance(value, bool | int | float) and 0 <= value <= 1


def _sentence(name: str) -> Callable[[Value], float]:
    def share(value: Value) -> float:
        from lm_eval.api.registry import get_aggregation

        aggregation: Any = get_aggregation(name)
        found = float(aggregation([value])) / 100
        return 1 - found if name == "ter" else found

    return share


def _per_unit(value: Value) -> float:
    return math.exp(value[0] / max(value[1], 1))


def _equal(value: Value) -> float:
    return float(value[0] == value[1])


def _of_gold(value: Value) -> float:
    return float(value[1][int(value[0])])


_COUNTERPARTS: Mapping[str, Callable[[Value], float]] = {
    "perplexity": lambda value: math.exp(value),
    "weighted_perplexity": _per_unit,
    "bits_per_byte": _per_unit,
    "f1": _equal,
    "matthews_corrcoef": _equal,
    "brier_score": _of_gold,
    **{name: _sentence(name) for name in ("bleu", "chrf", "chrf++", "ter")},
}
