"""The held-out verifiable tasks as a benchmark: unseen words and phrasings, some unseen kinds."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuna_exp.comparison.statistics import Bootstrap, mean_interval
from tuna_exp.datasets.verifiable import VerifiableDataset, verify
from tuna_exp.evaluation.base import Figure
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Instruction, Prediction


@dataclass(frozen=True)
class VerifiableBenchmark:
    """`count` items made from `seed`, of the kinds that fit `kinds` (None: all).

    They are answered greedily in at most `max_new_tokens`, `batch_size` at a time.
    """

    count: int
    seed: int
    kinds: Sequence[str] | None
    max_new_tokens: int
    batch_size: int

    @property
    def name(self) -> str:
        """Return the name."""
        return "verifiable"

    def items(self) -> list[Instruction]:
        """Return the held-out instructions."""
        return self._dataset().load()

    def decoding(self) -> Decoding:
        """Return greedy decoding, one response."""
        return Decoding.greedy(self.max_new_tokens)

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score one answer with the instruction's own checker."""
        verdict = verify(instruction, answer.text)
        return Prediction(
            instruction=instruction,
            text=answer.text,
            tokens=answer.tokens,
            passed=verdict.passed,
            score=verdict.score,
        )

    def digest(self) -> dict[str, object]:
        """Return what decides the items and their scores."""
        decoding = {"max_new_tokens": self.max_new_tokens, "batch_size": self.batch_size}
        return {"benchmark": "verifiable", "dataset": self._dataset().digest(), **decoding}

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return the mean score and the share passed: over all, each split, each family of kinds.

        Splits are left out where the items have only one.
        """
        return [
            Figure(metric, group, mean_interval(values(chosen), (0.0, 1.0), bootstrap))
            for group, chosen in _groups(predictions).items()
            for metric, values in (("score", _scores), ("passed", _passes))
        ]

    def _dataset(self) -> VerifiableDataset:
        return VerifiableDataset(self.count, self.seed, "held_out", self.kinds)


def _groups(predictions: Sequence[Prediction]) -> dict[str, list[Prediction]]:
    splits, families = dict[str, list[Prediction]](), dict[str, list[Prediction]]()
    for prediction in predictions:
        splits.setdefault(prediction.instruction.split, []).append(prediction)
        family = prediction.instruction.kind.partition("/")[0]
        families.setdefault(family, []).append(prediction)
    by_split = sorted(splits.items()) if len(splits) > 1 else []
    return {"all": list(predictions), **dict(by_split), **dict(sorted(families.items()))}


def _scores(predictions: Sequence[Prediction]) -> list[float]:
    return [prediction.score for prediction in predictions]


def _passes(predictions: Sequence[Prediction]) -> list[float]:
    return [float(prediction.passed) for prediction in predictions]
