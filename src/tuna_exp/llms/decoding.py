"""Decode many prompts at once from a Hugging Face decoder.

What all prompts begin with (system prompt, few-shot examples) is computed once; a prompt is
computed once for its N samples; rows that have ended leave the batch. Kept are the raw
log-probabilities of the tokens drawn, at temperature 1 whatever the sampling temperature, because
they rank responses. Left out: new prompts in the place of rows that have ended. They would keep the
batch full, but which rows are computed together decides the last bits of a result, and a batch that
ends is where a killed run continues to the very same result. A large batch loses little.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from tuna_exp.errors import ConfigError
from tuna_exp.llms.attention import can_share_rows
from tuna_exp.llms.drawing import draw, uniform_numbers
from tuna_exp.llms.reading import Reading, joined
from tuna_exp.llms.rows import make_rows
from tuna_exp.models.loading import supports_prompt_sharing

COMPACT_BELOW = 0.9  # rows leave the batch once this share or less is still running
READ_TOGETHER = 8  # prompts of like length that are run together: padding costs what a token costs


@dataclass(frozen=True)
class Decoding:
    """How tokens are drawn: temperature 0 is greedy; top_p 1 and top_k 0 keep every token.

    Raises ConfigError for a number that nothing could be drawn with.
    """

    responses: int
    temperature: float
    top_p: float
    top_k: int
    max_new_tokens: int

    @classmethod
    def greedy(cls, max_new_tokens: int) -> "Decoding":
        """Return how benchmarks are answered: the likeliest token each time, one response."""
        return cls(1, 0.0, 1.0, 0, max_new_tokens)

    def __post_init__(self) -> None:
        allowed = {
            "responses": (self.responses >= 1, "1 or more"),
            "temperature": (self.temperature >= 0, "0 (greedy) or more"),
            "top_p": (0 < self.top_p <= 1, "above 0, at most 1 (the whole vocabulary)"),
            "top_k": (self.top_k >= 0, "0 (the whole vocabulary) or more"),
            "max_new_tokens": (self.max_new_tokens >= 1, "1 or more"),
        }
        for name, (fits, words) in allowed.items():
            if not fits:
                value = getattr(self, name)
                raise ConfigError(f"decoding.{name}={value}. Cure: give a value that is {words}.")


@dataclass
class Drawn:
    """One drawn sequence; `logps` in nats, the ending token included."""

    tokens: list[int] = field(default_factory=list)
    logps: list[float] = field(default_factory=list)
    ended: bool = False


def common_prefix(prompts: Iterable[list[int]]) -> list[int]:
    """Return the tokens that all prompts begin with, leaving each at least one of its own."""
    rest = iter(prompts)
    prefix = next(rest)[:-1]
    for prompt in rest:
        if prompt[: len(prefix)] != prefix or len(prompt) == len(prefix):
            alike = takewhile(lambda two: two[0] == two[1], zip(prefix, prompt[:-1], strict=False))
            prefix = [token for token, _ in alike]
    return prefix


class Decoder:
    """Decodes batches of prompts that may begin alike."""

    def __init__(self, model: PreTrainedModel, ending: frozenset[int], pad_id: int) -> None:
        self.model = model
        self.ending = ending
        self.pad_id = pad_id
        self.prefix: list[int] = []
        self._prefix_cache = DynamicCache()

    @torch.inference_mode()
    def remember(self, prompts: Iterable[list[int]]) -> None:
        """Compute once what all these prompts begin with. Later prompts need not begin with it."""
        # Shorter prompts leave a gap behind the prefix, which only a full attention mask can hide.
        shareable = supports_prompt_sharing(self.model.config) is None
        self.prefix = common_prefix(prompts) if shareable else []
        self._prefix_cache = DynamicCache()
        if self.prefix:
            ids = torch.tensor([self.prefix], device=self.model.device)
            self.model(input_ids=ids, past_key_values=self._prefix_cache, logits_to_keep=1)

    @torch.inference_mode()
    def decode(
        self, prompts: list[list[int]], decoding: Decoding, keys: list[str]
    ) -> list[list[Drawn]]:
        """Return `decoding.responses` sequences per prompt.

        What is drawn depends on a prompt and its key, not on the others in the batch.
        """
        reading = self.read(prompts)
        repeats = decoding.responses
        rows = make_rows(self.model, reading, repeats)
        logits_RV = reading.logits_PV.repeat_interleave(repeats, 0)
        uniform_RT = self._numbers(decoding, keys)
        drawn = [Drawn() for _ in uniform_RT]
        running = torch.arange(len(drawn), device=self.model.device)
        for step in range(decoding.max_new_tokens):
            token_R, logp_R = draw(logits_RV, decoding, uniform_RT[running, step])
            alive = self._record(drawn, running.tolist(), token_R.tolist(), logp_R.tolist())
            if not any(alive) or step + 1 == decoding.max_new_tokens:
                break
            if sum(alive) <= COMPACT_BELOW * len(alive):
                keep = torch.tensor(alive, device=running.device).nonzero().squeeze(1)
                rows.keep(keep)
                running, token_R = running[keep], token_R[keep]
            logits_RV = rows.feed(token_R)
        return [drawn[i : i + repeats] for i in range(0, len(drawn), repeats)]

    def _numbers(self, decoding: Decoding, keys: list[str]) -> Tensor:
        """Return the random numbers of every row and step, (R, T), float64; greedy needs none."""
        steps = decoding.max_new_tokens
        if decoding.temperature == 0:
            return torch.zeros(len(keys) * decoding.responses, steps, device=self.model.device)
        numbers = [
            uniform_numbers(f"{key}/{sample}", steps)
            for key in keys
            for sample in range(decoding.responses)
        ]
        return torch.tensor(numbers, dtype=torch.float64, device=self.model.device)

    @torch.inference_mode()
    def read(self, prompts: list[list[int]]) -> Reading:
        """Run the prompts, those of like length together."""
        # A prompt that ends with the prefix has no token left whose logits could be asked for.
        begins = [p[: len(self.prefix)] == self.prefix != p for p in prompts]
        prefix = self.prefix if all(begins) else []
        together = READ_TOGETHER if can_share_rows(self.model) else len(prompts)
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        parts = [
            self._read_some([prompts[i] for i in order[first : first + together]], prefix)
            for first in range(0, len(order), together)
        ]
        place = {prompt: i for i, prompt in enumerate(order)}
        places = torch.tensor([place[i] for i in range(len(prompts))], device=self.model.device)
        return joined(parts, places)

    def _read_some(self, prompts: list[list[int]], prefix: list[int]) -> Reading:
        cache = copy.deepcopy(self._prefix_cache) if prefix else DynamicCache()
        if prefix:
            cache.batch_repeat_interleave(len(prompts))
        own = [prompt[len(prefix) :] for prompt in prompts]
        width = max(map(len, own))
        device = self.model.device
        ids = torch.tensor([[self.pad_id] * (width - len(o)) + o for o in own], device=device)
        mask = [[1] * len(prefix) + [0] * (width - len(o)) + [1] * len(o) for o in own]
        mask_PL = torch.tensor(mask, device=device)
        positions = (mask_PL.cumsum(1) - 1).clamp(min=0)[:, len(prefix) :]
        output = self.model(
            input_ids=ids,
            attention_mask=mask_PL,
            position_ids=positions,
            past_key_values=cache,
            logits_to_keep=1,
        )
        return Reading(output.logits[:, -1], cache, mask_PL, len(prefix))

    def _record(
        self, drawn: list[Drawn], running: list[int], tokens: list[int], logps: list[float]
    ) -> list[bool]:
        """Append the drawn tokens to the sequences still running; return which rows go on."""
        alive = []
        for row, token, logp in zip(running, tokens, logps, strict=True):
            sequence = drawn[row]
            if not sequence.ended:
                sequence.tokens.append(token)
                sequence.logps.append(logp)
                sequence.ended = token in self.ending
            alive.append(not sequence.ended)
        return alive
