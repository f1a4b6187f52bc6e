"""What a run found, as it is stored, and the arithmetic on it: medians and ratios by round.

A ratio is taken within a round, where both sides met the same neighbours on the machine, and the
median of the rounds' ratios is reported with the least and the largest.
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from pydantic import BaseModel

from experiments.speed.cases import Case, Precision, SamplingCase
from experiments.speed.machine import Machine
from experiments.speed.protocol import Answer

Value = Callable[[Answer], float]


class Ratio(NamedTuple):
    """A median with the least and the largest of the rounds."""

    middle: float
    least: float
    most: float


class Variant(BaseModel):
    """One form in one precision: its rounds, or why there are none."""

    form: str
    precision: Precision
    skipped: str | None = None
    rounds: list[Answer] = []

    def median(self, value: Value) -> float:
        """Return the median of a value over the rounds."""
        return float(median(map(value, self.rounds)))


class Check(BaseModel):
    """Loss and gradients of a form in fp32, relative to those of `against`."""

    form: str
    against: str
    loss_error: float
    gradient_error: float


class CaseResult(BaseModel):
    """What was found on one case; `shared_worker` where all forms had one process."""

    case: Case | SamplingCase
    shared_worker: bool
    variants: list[Variant] = []
    checks: list[Check] = []

    def variant(self, form: str, precision: Precision) -> Variant | None:
        """Return the variant if it was measured."""
        found = (v for v in self.variants if (v.form, v.precision) == (form, precision))
        return next((v for v in found if v.rounds), None)

    def check(self, form: str) -> Check | None:
        """Return the form's comparison in fp32, if there is one."""
        return next((check for check in self.checks if check.form == form), None)


class Report(BaseModel):
    """One run of a suite. `asked` are the names of all its cases, `results` those measured."""

    suite: str
    command: str
    started: str
    machine: Machine
    shape: str
    seed: int
    rounds: int
    asked: list[str]
    results: list[CaseResult] = []


def seconds(answer: Answer) -> float:
    """Return the seconds of a round."""
    return answer.seconds


def memory(answer: Answer) -> float:
    """Return the peak bytes above the model's own; at least one page, so that it can divide."""
    return max(answer.memory, 4096)


def rate(answer: Answer) -> float:
    """Return tokens per second: prompts once and responses, or what was drawn."""
    return answer.tokens / answer.seconds


def seconds_per_token(answer: Answer) -> float:
    """Return seconds per token."""
    return answer.seconds / answer.tokens


def useful_share(answer: Answer) -> float:
    """Return needed positions over those computed."""
    return answer.needed / answer.work.positions


def utilisation(answer: Answer) -> float:
    """Return the step's FLOP/s over those of the matrix product just before it."""
    return answer.flops / answer.seconds / answer.gemm


def ratio(over: Sequence[Answer], under: Sequence[Answer], value: Value = seconds) -> Ratio:
    """Return the median of over / under by round, with the least and the largest."""
    ratios = [value(a) / value(b) for a, b in zip(over, under, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))
