"""From a ranked example to token ids: what is ranked, what the likelihood term is on, what fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.errors import DataError
from tuna_exp.models.prompts import PromptEncoder, fit
from tuna_exp.records import Instruction, RankedExample

MleOn = Literal["reference", "best", "all"]


@dataclass(frozen=True)
class Batching:
    """`layout` padded, packed or shared_prompt; `batch_size` examples per optimizer step over all
    devices; `micro_batch_positions` of a forward pass, padding included; `max_length` tokens of
    prompt and response together; what to do with longer ones; `workers` processes that lay batches
    out, 0 for the training's own.
    """

    layout: str
    batch_size: int
    micro_batch_positions: int
    max_length: int
    on_too_long: Literal["error", "truncate", "drop"]
    workers: int


class Tokeniser:
    """Turns examples into token ids in one prompt format."""

    def __init__(self, encoder: PromptEncoder, batching: Batching) -> None:
        self.encoder = encoder
        self.batching = batching
        self.dropped = 0

    def reference(self, instruction: Instruction) -> TokenizedExample | None:
        """Tokenise the dataset's own response for SFT; None where it was dropped as too long.

        Raises DataError where there is none.
        """
        if not instruction.reference:
            raise DataError(
                f"instruction '{instruction.id}' has no response of its own to train on (reference "
                f"is {instruction.reference!r}). Cure: a dataset with responses, or "
                "objective.mle_on=best."
            )
        return self._example(instruction, [instruction.reference], [-1], [True])

    def ranked(self, example: RankedExample, mle_on: MleOn) -> TokenizedExample | None:
        """Tokenise ranked responses, and the reference after them where `mle_on` asks for it.

        None where it was dropped as too long; raises DataError where there is no reference.
        """
        texts = [response.text for response in example.responses]
        ranks = [response.rank for response in example.responses]
        # Of several that tie for best one stands for all: ties must not change the term's weight.
        trained = [mle_on == "all" or (mle_on == "best" and i == 0) for i in range(len(texts))]
        if mle_on == "reference":
            own = self.reference(example.instruction)
            if own is None:
                return None
            texts.append(example.instruction.reference or "")
            ranks.append(-1)
            trained.append(True)
        return self._example(example.instruction, texts, ranks, trained)

    def _example(
        self,
        instruction: Instruction,
        texts: Sequence[str],
        ranks: Sequence[int],
        trained: Sequence[bool],
    ) -> TokenizedExample | None:
        prompt = self.encoder.prompt_ids(instruction)
        longest = max((self.encoder.response_ids(text) for text in texts), key=len)
        limit, rule = self.batching.max_length, self.batching.on_too_long
        # All responses share the prompt that leaves room for the longest of them.
        fitted = fit(prompt, longest, limit, rule, instruction.id)
        if fitted is None:
            self.dropped += 1
            return None
        kept = fitted[0]
        responses = [self.encoder.response_ids(text)[: limit - len(kept)] for text in texts]
        return TokenizedExample(
            instruction.id, tuple(kept), tuple(map(tuple, responses)), tuple(ranks), tuple(trained)
        )
