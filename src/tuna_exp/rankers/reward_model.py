"""Ranking by a reward model: any sequence classifier of the Hugging Face layout scores a response.

Weights are safetensors and no code of a model's folder is run, so models that need their own code
are left out. Also left out: texts that are cut to fit; a set with one that does not is refused.
"""

from collections.abc import Sequence
from functools import cached_property

from tuna_exp.errors import ConfigError
from tuna_exp.models.classifier import Encoded, Reader, label_column, logits, open_classifier
from tuna_exp.models.loading import load_config
from tuna_exp.models.sources import ModelSource
from tuna_exp.rankers.base import Outcome, Refusal, different
from tuna_exp.records import CandidateSet, Instruction, RankedExample, Usage


class RewardModelRanker:
    """Score = one logit of a classifier that reads instruction and response.

    `label` names the logit, None where there is only one; `max_length` is in tokens, instruction
    and response together; `batch_size` sets are ranked together and as many responses read at once.
    """

    def __init__(
        self, source: ModelSource, label: str | None, dtype: str, max_length: int, batch_size: int
    ) -> None:
        self.source = source
        self.label = label
        self.dtype = dtype
        self.max_length = max_length
        self.batch_size = batch_size

    def digest(self) -> dict[str, object]:
        """Return what decides the order; how many are read together does not."""
        return {
            "ranker": "reward_model",
            "source": self.source.digest(),
            "label": self.label,
            "dtype": self.dtype,
            "max_length": self.max_length,
        }

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError where the model has no such logit."""
        if self.batch_size < 1:
            raise ConfigError(f"ranker.batch_size={self.batch_size}. Cure: give 1 or more.")
        label_column(load_config(self.source.resolve()), self.label)

    def questions(self, responses: int) -> int:
        """No judge is asked."""
        return 0

    @cached_property
    def _reader(self) -> Reader:
        return open_classifier(self.source.resolve(), self.dtype, self.max_length)

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Score the responses of all sets; one with a response `too_long` is refused."""
        read = [self._encode(candidates) for candidates in sets]
        fitting = [one for some in read if not self._refuses(some) for one in some.values()]
        column = label_column(self._reader.model.config, self.label)
        values = iter(self._reader.read(fitting, self.batch_size, logits) if fitting else ())
        made: list[Outcome] = []
        for candidates, some in zip(sets, read, strict=True):
            if self._refuses(some):
                made.append(self._refusal(candidates.instruction, some))
                continue
            scores = [float(next(values)[column]) for _ in some]
            usage = Usage(read=sum(len(one["input_ids"]) for one in some.values()))
            instruction, texts = candidates.instruction, list(some)
            made.append(RankedExample.from_scores(instruction, texts, scores, usage=usage))
        return made

    def release(self) -> None:
        """Let go of the model, whose memory a later stage needs."""
        self.__dict__.pop("_reader", None)

    def _encode(self, candidates: CandidateSet) -> dict[str, Encoded]:
        instruction = candidates.instruction
        return {text: self._reader.encode(instruction, text) for text in different(candidates)}

    def _refuses(self, encoded: dict[str, Encoded]) -> bool:
        return any(self._reader.is_too_long(one) for one in encoded.values())

    def _refusal(self, instruction: Instruction, encoded: dict[str, Encoded]) -> Refusal:
        longest = max(len(one["input_ids"]) for one in encoded.values())
        raw = (
            f"'{instruction.id}' has {longest} tokens with its longest response; "
            f"{type(self).__name__} reads {self._reader.max_length}. Cure: a higher "
            "ranker.max_length where the model has the context, or a lower "
            "sampling.decoding.max_new_tokens."
        )
        return Refusal(instruction_id=instruction.id, kind="too_long", raw=raw)
