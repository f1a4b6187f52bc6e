"""A part of a benchmark: so many items, of every kind in proportion, the same for every model.

Which items is decided by their ids alone, so that methods, training seeds and later runs are scored
on the same ones. Left out: a seed to set. Two subsets of one size would carry the same mark and not
be comparable.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.evaluation.base import Benchmark, Figure
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Instruction, Prediction

if TYPE_CHECKING:
    from tuna_exp.evaluation.lm_eval.benchmark import LmEvalBenchmark
    from tuna_exp.evaluation.open_ended.judging import AnswerJudge

SEED = 0
# Raised when another choice is made from the same items.
VERSION = 1


@dataclass(frozen=True)
class Drawn:
    """How answers are drawn where it is not as a benchmark says: None leaves that as it is.

    `seed` is that of answers which are drawn at all.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int = 0

    @property
    def changes(self) -> dict[str, float | int]:
        """Return what is not as a benchmark says."""
        asked = {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True)
class Subset:
    """`limit` items of a benchmark, or all of them where it is None. Reads the items once.

    Answers are drawn as `drawn` says, where it says anything.
    """

    benchmark: Benchmark
    limit: int | None
    drawn: Drawn = Drawn()

    @property
    def name(self) -> str:
        """Return the benchmark's name."""
        return self.benchmark.name

    @property
    def batch_size(self) -> int:
        """Return how many items are answered together."""
        return self.benchmark.batch_size

    @property
    def judged_by(self) -> "AnswerJudge | None":
        """Return who compares the answers with others, for a benchmark that is judged so."""
        judging: AnswerJudge | None = getattr(self.benchmark, "judged_by", None)
        return judging

    @property
    def against_baseline(self) -> bool:
        """Whether answers are compared with those of the baseline of the run's methods."""
        return bool(getattr(self.benchmark, "against_baseline", False))

    @property
    def harness(self) -> "LmEvalBenchmark | None":
        """Return who asks the model, for a benchmark that asks by itself."""
        harness: LmEvalBenchmark | None = getattr(self.benchmark, "harness", None)
        return harness

    @property
    def of(self) -> int:
        """How many items the whole benchmark has."""
        return len(self._whole)

    def digest(self) -> dict[str, object]:
        """Return what decides items and scores; a limit that leaves all items decides nothing."""
        return dict(self._digest)

    def items(self) -> list[Instruction]:
        """Return the chosen items, in the benchmark's order."""
        return list(self._chosen)

    def decoding(self) -> Decoding:
        """Return how an answer is drawn. Raises ConfigError for what nothing is drawn with."""
        changes: dict[str, Any] = self.drawn.changes
        return replace(self.benchmark.decoding(), **changes)

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score one answer."""
        return self.benchmark.score(instruction, answer)

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return the benchmark's figures over the predictions there are."""
        return self.benchmark.figures(predictions, bootstrap)

    @cached_property
    def _digest(self) -> dict[str, object]:
        told = self.benchmark.digest()
        if self.limit is not None and self.limit < self.of:
            told |= {"subset": {"limit": self.limit, "seed": SEED, "version": VERSION}}
        if self.decoding().temperature:
            told |= {"drawn": vars(self.drawn)}
        return told

    @cached_property
    def _chosen(self) -> list[Instruction]:
        return self._whole if self.limit is None else stratified(self._whole, self.limit)

    @cached_property
    def _whole(self) -> list[Instruction]:
        return self.benchmark.items()


def whole_size(benchmark: Benchmark) -> int:
    """Return how many items a benchmark, or the one that a subset is of, has."""
    return benchmark.of if isinstance(benchmark, Subset) else len(benchmark.items())


def seed_of(benchmark: Benchmark) -> int:
    """Return the seed that a benchmark's answers are drawn with."""
    return benchmark.drawn.seed if isinstance(benchmark, Subset) else 0


def stratified(items: Sequence[Instruction], limit: int) -> list[Instruction]:
    """Choose `limit` items, of each kind in proportion, in the order given; all where it is more.

    Within a kind they are those whose ids have the lowest digests, so that a larger limit keeps the
    items of a kind that a smaller one took.
    """
    if limit >= len(items):
        return list(items)
    by_kind: dict[str, list[Instruction]] = {}
    for item in items:
        by_kind.setdefault(item.kind, []).append(item)
    shares = allotted({kind: len(some) for kind, some in by_kind.items()}, limit)
    chosen = {
        item.id
        for kind, some in by_kind.items()
        for item in sorted(some, key=lambda item: _place(item.id))[: shares[kind]]
    }
    return [item for item in items if item.id in chosen]


def allotted(sizes: Mapping[str, int], limit: int) -> dict[str, int]:
    """Share `limit` out among kinds of these sizes by the largest remainder, at least 1 to each.

    A kind of size n out of N gets limit · n / N, rounded down or up; one that would get nothing
    gets 1, from the kind that is furthest above its share. Where there are more kinds than `limit`,
    the largest get 1 each.
    """
    total = sum(sizes.values())
    quotas = {kind: limit * size / total for kind, size in sizes.items()}
    kinds = sorted(sizes, key=lambda kind: (-sizes[kind], _place(kind)))
    if limit < len(kinds):
        return {kind: int(place < limit) for place, kind in enumerate(kinds)}
    shares = {kind: max(1, math.floor(quotas[kind])) for kind in kinds}
    while (left := limit - sum(shares.values())) > 0:
        shares[max(kinds, key=lambda kind: quotas[kind] - shares[kind])] += 1
    while left < 0:
        several = [kind for kind in kinds if shares[kind] > 1]
        shares[max(several, key=lambda kind: shares[kind] - quotas[kind])] -= 1
        left += 1
    return shares


def _place(name: str) -> str:
    return sha256(f"{SEED}/{name}".encode()).hexdigest()
