"""Drawing N answers to every question: ours against plain `generate`.

`generate` gets what a careful user gives it: left padding, the cache, N sequences per prompt and no
top-k, so that it sorts nothing. Only tokens up to the one that ends an answer count.
"""

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch

from experiments.speed import machine, memory, models, ours
from experiments.speed.cases import SamplingCase
from experiments.speed.protocol import Answer
from experiments.speed.questions import questions
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Instruction

OURS = "ours"
AT_ONCE = "generate"
IN_BATCHES = "generate in batches"
BATCH = 16  # prompts of one call
FORMS = (AT_ONCE, IN_BATCHES, OURS)


class Sampler:
    """A loaded model that answers in every form."""

    def __init__(self, shape: str) -> None:
        self.shape = shape
        self.device = machine.device()

    @cached_property
    def llm(self) -> Any:
        """The model with its prompt format."""
        return ours.open_llm(models.source(self.shape))

    @cached_property
    def model_bytes(self) -> int:
        """What the loaded model takes."""
        self.draw(AT_ONCE, self._warm_up_case, 0)
        memory.settle(self.device)
        return memory.in_use(self.device)

    _warm_up_case = SamplingCase(
        name="warm-up", prompts=2, responses=2, max_new_tokens=2, batch_size=2
    )

    def measure(self, form: str, case: SamplingCase, seed: int) -> Answer:
        """Draw once and measure it."""
        with memory.peak(self.device, self.model_bytes) as peak:
            begun = time.perf_counter()
            tokens = self.draw(form, case, seed)
            machine.synchronise(self.device)
            seconds = time.perf_counter() - begun
        memory.settle(self.device)
        return Answer(seconds=seconds, tokens=tokens, memory=peak.over_model)

    def draw(self, form: str, case: SamplingCase, seed: int) -> int:
        """Draw every answer of a case; return how many tokens they have."""
        asked = questions(case.prompts)
        if form == OURS:
            decoding = Decoding(case.responses, 1.0, 1.0, 0, case.max_new_tokens)
            drawn = ours.sample(self.llm, asked, decoding, case.batch_size, seed)
            return sum(len(c.token_ids) for candidates in drawn for c in candidates)
        torch.manual_seed(seed)
        size = case.prompts if form == AT_ONCE else BATCH
        starts = range(0, len(asked), size)
        return sum(self._generate(asked[i : i + size], case) for i in starts)

    @torch.inference_mode()
    def _generate(self, asked: Sequence[Instruction], case: SamplingCase) -> int:
        """Return the tokens drawn by one call of `generate`, endings included."""
        encoder = self.llm.encoder
        prompts = [encoder.prompt_ids(instruction) for instruction in asked]
        width = max(map(len, prompts))
        ids = torch.tensor([[encoder.pad_id] * (width - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        sequences = self.llm.model.generate(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            num_return_sequences=case.responses,
            max_new_tokens=case.max_new_tokens,
            eos_token_id=encoder.end_id,
            pad_token_id=encoder.pad_id,
        )
        return useful_tokens(sequences[:, width:].tolist(), encoder.end_id)


def useful_tokens(rows: Sequence[Sequence[int]], ending: int) -> int:
    """Count the tokens of every row up to its ending, that one included."""
    return sum(row.index(ending) + 1 if ending in row else len(row) for row in rows)
