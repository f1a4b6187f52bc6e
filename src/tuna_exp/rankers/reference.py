"""Ranking by likeness to the dataset's own response: the cheap ranker that others should beat.

Left out: several references per instruction, and likeness learned from judgements (BLEURT, COMET).
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tuna_exp.errors import ConfigError
from tuna_exp.llms.diversity import scorer
from tuna_exp.rankers.base import Outcome, Refusal, different, require_reference
from tuna_exp.records import CandidateSet, Instruction, RankedExample

if TYPE_CHECKING:
    from tuna_exp.models.classifier import Reader
    from tuna_exp.models.sources import ModelSource

LONGEST = 1 << 20  # tokens; the encoder's own context is what bounds a text


class ReferenceRanker:
    """Score = likeness of a response to the reference.

    metric="rouge_l" is ROUGE-L's F1 in [0, 1], metric="embedding" the cosine of mean hidden states
    of `encoder`, in [-1, 1].
    """

    def __init__(
        self,
        metric: Literal["rouge_l", "embedding"],
        encoder: "ModelSource | None",
        batch_size: int,
    ) -> None:
        self.metric = metric
        self.encoder = encoder
        self.batch_size = batch_size

    def digest(self) -> dict[str, object]:
        """Return what decides the order."""
        encoder = self.encoder.digest() if self.encoder else None
        return {"ranker": "reference", "metric": self.metric, "encoder": encoder}

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError where there is no reference, or no encoder for embeddings."""
        require_reference("ranker=reference", instructions)
        if (self.metric == "embedding") != (self.encoder is not None):
            raise ConfigError(
                f"ranker.metric={self.metric} with ranker.encoder={self.encoder}; an encoder is "
                "for embeddings alone. Cure: ranker=reference (ROUGE-L), or "
                "ranker=reference_embedding ranker.encoder.name=MODEL."
            )

    def questions(self, responses: int) -> int:
        """No judge is asked."""
        return 0

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Compare each response with its instruction's reference."""
        return self._by_rouge(sets) if self.encoder is None else self._by_embedding(sets)

    def release(self) -> None:
        """Let go of the encoder."""
        self.__dict__.pop("_reader", None)

    @cached_property
    def _reader(self) -> "Reader":
        # Imported late: a check of the dataset must not wait for torch.
        from tuna_exp.models.classifier import open_encoder

        assert self.encoder is not None
        return open_encoder(self.encoder.resolve(), "float32", LONGEST)

    def _by_rouge(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        made: list[Outcome] = []
        for candidates in sets:
            texts, reference = different(candidates), reference_of(candidates.instruction)
            scores = [scorer().score(reference, text)["rougeL"].fmeasure for text in texts]
            made.append(RankedExample.from_scores(candidates.instruction, texts, scores))
        return made

    def _by_embedding(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Embed each reference before its responses; a set with a text `too_long` is refused."""
        from tuna_exp.models.classifier import mean_vector

        reader = self._reader
        read = [
            [reader.encode_text(t) for t in (reference_of(s.instruction), *different(s))]
            for s in sets
        ]
        fits = [not any(map(reader.is_too_long, some)) for some in read]
        fitting = [one for some, fit in zip(read, fits, strict=True) if fit for one in some]
        vectors = iter(reader.read(fitting, self.batch_size, mean_vector) if fitting else ())
        made: list[Outcome] = []
        for candidates, some, fit in zip(sets, read, fits, strict=True):
            instruction = candidates.instruction
            if not fit:
                longest = max(len(one["input_ids"]) for one in some)
                raw = f"a text of {longest} tokens; the encoder reads {reader.max_length}."
                made.append(Refusal(instruction_id=instruction.id, kind="too_long", raw=raw))
                continue
            reference, *others = [next(vectors) for _ in some]
            scores = [float(reference @ vector) for vector in others]
            made.append(RankedExample.from_scores(instruction, different(candidates), scores))
        return made


def reference_of(instruction: Instruction) -> str:
    """Return the dataset's own response, which `check` saw to."""
    assert instruction.reference is not None
    return instruction.reference
