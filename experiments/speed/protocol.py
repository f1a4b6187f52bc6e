"""What the coordinator asks of a worker and what it is told: one line of JSON each."""

from pathlib import Path

from pydantic import BaseModel

from experiments.speed.cases import Case, Precision, SamplingCase
from experiments.speed.counting import Work


class Request(BaseModel):
    """One thing to do: a step of `case`, or the drawing of `sampling`.

    A step with a `reference` compares its gradients with those in it, or writes them there.
    """

    form: str
    shape: str
    seed: int
    precision: Precision = "fp32"
    case: Case | None = None
    sampling: SamplingCase | None = None
    reference: Path | None = None


class Answer(BaseModel):
    """What was measured.

    `tokens` are those that differ (prompt once) or were drawn; `needed` the fewest positions that
    hold them; bytes are the peak above the model's own; `gemm` is FLOP/s of a matrix product just
    before; `gradient_error` is relative to the reference. `failed` says why there is no result.
    """

    failed: str | None = None
    seconds: float = 0.0
    tokens: int = 0
    needed: int = 0
    memory: int = 0
    flops: float = 0.0
    gemm: float = 0.0
    loss: float = 0.0
    gradient_error: float | None = None
    work: Work = Work()
