"""What methods cost: to train, with all that a model stands on, and to answer with afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Compute:
    """`flops` and `joules` of all stages, the largest `peak_bytes`; None where one is unknown."""

    flops: float | None = None
    joules: float | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Inference:
    """What answering one benchmark item took, on average, and how fast tokens came."""

    tokens_per_second: float
    seconds: float
    flops: float | None
    joules: float | None
    peak_bytes: int | None


def compute_of(facts: Sequence[Mapping[str, Any]]) -> Compute:
    """Add up what stages noted; a model that no stage has made took nothing.

    A stage that noted nothing, as those of earlier versions, makes a sum unknown.
    """
    if not facts:
        return Compute(0.0, 0.0, None)
    return Compute(
        flops=_total([one.get("flops") for one in facts]),
        joules=_total([one.get("joules") for one in facts]),
        peak_bytes=max((p for one in facts if (p := one.get("peak_memory_bytes"))), default=None),
    )


def mean_of(costs: Sequence[Compute]) -> Compute:
    """Return the mean over the runs of a method, and the largest peak."""
    flops, joules = _total([c.flops for c in costs]), _total([c.joules for c in costs])
    return Compute(
        flops=None if flops is None else flops / len(costs),
        joules=None if joules is None else joules / len(costs),
        peak_bytes=max((c.peak_bytes for c in costs if c.peak_bytes), default=None),
    )


def inference_of(facts: Mapping[str, Any], seconds: float) -> Inference | None:
    """Return what the items of an evaluation took; None for one without items or time.

    What a model answered elsewhere took there is not known.
    """
    items = int(facts.get("items", 0))
    if not items or seconds <= 0 or facts.get("answered_elsewhere"):
        return None
    flops, joules = facts.get("flops"), facts.get("joules")
    return Inference(
        tokens_per_second=float(facts.get("generated_tokens", 0)) / seconds,
        seconds=seconds / items,
        flops=None if flops is None else flops / items,
        joules=None if joules is None else joules / items,
        peak_bytes=facts.get("peak_memory_bytes"),
    )


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
