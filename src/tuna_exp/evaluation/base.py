"""What a benchmark is: instructions for a model, a score for each answer, and figures over all.

A benchmark is made cheaply and reads its data when `items` is called. Left out: who answers (the
evaluate stage) and how figures are shown (`comparison`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tuna_exp.comparison.statistics import Bootstrap, Interval
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Instruction, Prediction


@dataclass(frozen=True)
class Figure:
    """One figure of a benchmark over some of its items.

    `metric` names what is measured (accuracy, ROUGE-L, ...), `group` what it is over: "all", or a
    task or category. Shares and F1 are in [0, 1].
    """

    metric: str
    group: str
    interval: Interval


class Benchmark(Protocol):
    """Instructions and how answers to them are scored.

    `name` is what it is called in tables, `batch_size` how many items are answered together.
    """

    @property
    def name(self) -> str:
        """Return the name."""

    @property
    def batch_size(self) -> int:
        """Return how many items are answered together."""

    def digest(self) -> dict[str, object]:
        """Return what decides items and scores, as JSON values."""

    def items(self) -> list[Instruction]:
        """Return the items, in order. Raises UserError where the data is not there or not whole."""

    def decoding(self) -> Decoding:
        """Return how an answer is drawn."""

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score one answer."""

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return the benchmark's figures, the one it is known by first."""
