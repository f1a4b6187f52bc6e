"""The held-out verifiable tasks as a benchmark: unseen words and phrasings, some unseen kinds."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuna_exp.datasets.verifiable import VerifiableDataset, verify
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

    def items(self) -> list[Instruction]:
        """Return the held-out instructions."""
        return self._dataset().load()

    def decoding(self) -> Decoding:
        """Return greedy decoding, one response."""
        return Decoding(1, 0.0, 1.0, 0, self.max_new_tokens)

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

    def _dataset(self) -> VerifiableDataset:
        return VerifiableDataset(self.count, self.seed, "held_out", self.kinds)
