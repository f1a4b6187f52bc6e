"""What the model writes while it is trained: a few answers, always to the same prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel


@dataclass(frozen=True)
class Probe:
    """`prompts` of the training data are answered every `every` optimizer steps, greedily, in at
    most `max_new_tokens` tokens; `every` 0 asks nothing.
    """

    every: int
    prompts: int
    max_new_tokens: int

    def due(self, step: int) -> bool:
        """Whether the model is asked after this many optimizer steps; first before any."""
        return self.every > 0 and step % self.every == 0


@torch.no_grad()
def answers(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], max_new_tokens: int, end: int
) -> list[list[int]]:
    """Return the model's greedy answers to tokenised prompts, without the token that ends them.

    One prompt at a time and with plain attention, because the layouts of training have masks of
    their own. The model's mode and attention are as before afterwards, and no random number is
    drawn: a training that is watched is the training that is not.
    """
    training, attention = model.training, model.config._attn_implementation
    model.eval()
    model.set_attn_implementation("sdpa")
    settings = GenerationConfig(
        do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=end, pad_token_id=end
    )
    try:
        return [_answer(model, prompt, settings) for prompt in prompts]
    finally:
        model.set_attn_implementation(attention)
        model.train(training)


def _answer(model: PreTrainedModel, prompt: Sequence[int], settings: GenerationConfig) -> list[int]:
    prompt_BL = torch.tensor([list(prompt)], device=model.device)
    generator: Any = model
    made = generator.generate(
        prompt_BL, attention_mask=torch.ones_like(prompt_BL), generation_config=settings
    )
    answer: list[int] = made[0, len(prompt) :].tolist()
    end = settings.eos_token_id
    return answer[: answer.index(end)] if end in answer else answer
