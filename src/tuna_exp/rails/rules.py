"""When a training has left the road, as pure functions of what was measured.

Left out: rules that need a held-out set. They would ask for a second data loader in every training;
the benchmarks judge the finished model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

Action = Literal["warn", "stop", "fail"]


@dataclass(frozen=True)
class Rule:
    """`limit` is what a measure may reach, in its own unit; `action` what happens beyond it.

    "warn" tells it once, "stop" ends the training and keeps the model, "fail" ends the run.
    """

    limit: float
    action: Action


@dataclass
class Means:
    """The means of every `window` values in a row, as they come; `last` is the newest value."""

    window: int
    means: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    last: float = 0.0

    def add(self, value: float) -> None:
        """Take in one value."""
        self.last = value
        self.waiting.append(value)
        if len(self.waiting) == self.window:
            self.means.append(fmean(self.waiting))
            self.waiting.clear()


def displacement(logps: Sequence[float]) -> float:
    """Return by how much the best responses became less likely, in nats per token.

    `logps` are means, first to last: ranking may be learned by pushing all responses down, the good
    ones less (Razin et al. 2024, arXiv 2410.08847). 0 before there are two.
    """
    return logps[0] - logps[-1] if len(logps) > 1 else 0.0


def divergence(losses: Sequence[float]) -> float:
    """Return the last mean of the loss as a multiple of the lowest before it.

    1 where there is none before, or where the lowest is not above 0: a loss that may be negative
    has no multiple.
    """
    if len(losses) < 2 or min(losses[:-1]) <= 0:
        return 1.0
    return losses[-1] / min(losses[:-1])


def growth(lengths: Sequence[float]) -> float:
    """Return the last mean length of the model's own answers as a multiple of the first.

    1 where the first is 0 or there is no second.
    """
    return lengths[-1] / lengths[0] if len(lengths) > 1 and lengths[0] else 1.0


def repetition(tokens: Sequence[int], n: int = 4) -> float:
    """Return the share of n-grams of an answer that stand in it more than once, in [0, 1].

    1 − distinct / all (seq-rep-n of Welleck et al. 2020, arXiv 1908.04319); 0 for an answer that
    has none.
    """
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
