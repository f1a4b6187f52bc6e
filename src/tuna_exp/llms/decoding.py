"""Decode many prompts at once from a Hugging Face decoder.

What all prompts begin with (system prompt, few-shot examples) is computed once; a prompt is
computed once for its N samples; rows that have ended leave the batch. Kept are the raw
log-probabilities of the tokens drawn, at temperature 1 whatever the sampling temperature, because
they rank responses. Left out: paged caches and other engines.
"""

import copy
from dataclasses import dataclass, field
from itertools import takewhile

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from tuna_exp.errors import ConfigError
from tuna_exp.models.loading import supports_prompt_sharing

COMPACT_BELOW = 0.75  # rows leave the batch once this share or less is still running


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


def common_prefix(prompts: list[list[int]]) -> list[int]:
    """Return the tokens that all prompts begin with, leaving each at least one of its own."""
    shortest = min(map(len, prompts)) - 1
    columns = zip(*(prompt[:shortest] for prompt in prompts), strict=True)
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]


def draw(logits_RV: Tensor, decoding: Decoding, uniform_R: Tensor) -> tuple[Tensor, Tensor]:
    """Draw one token per row with its random number, uniform_R (R,) in [0, 1).

    Returns the tokens and their log-probabilities in nats at temperature 1, both (R,).
    """
    logp_RV = logits_RV.float().log_softmax(1)
    if decoding.temperature == 0:
        token_R = logp_RV.argmax(1)
    else:
        kept_RV = keep_likely(logp_RV / decoding.temperature, decoding.top_k, decoding.top_p)
        token_R = pick(kept_RV.softmax(1), uniform_R)
    return token_R, logp_RV.gather(1, token_R.unsqueeze(1)).squeeze(1)


def pick(probability_RV: Tensor, uniform_R: Tensor) -> Tensor:
    """Return the column in each row of (R, V) at which the sum of probabilities passes uniform_R.

    uniform_R (R,) is float64 in [0, 1); the columns have shape (R,), none of probability 0.
    torch.multinomial draws one random number per entry of the vocabulary, which took a fifth of the
    decoding time on a CPU; this draws one per row.
    """
    cumulative_RV = probability_RV.cumsum(1, dtype=torch.float64)
    # A float64 below 1 times the total is below the total, so that some column passes it; and
    # right=True never lands on a column of probability 0, whose sum equals that of the one before.
    wanted_R1 = uniform_R.unsqueeze(1) * cumulative_RV[:, -1:]
    return torch.searchsorted(cumulative_RV, wanted_R1, right=True).squeeze(1)


def keep_likely(logits_RV: Tensor, top_k: int, top_p: float) -> Tensor:
    """Set what top-k and nucleus sampling exclude to -inf, shape (R, V).

    Top-k keeps what ties with the k-th; the nucleus is the fewest tokens that hold `top_p`.
    """
    if top_k:
        least_R1 = logits_RV.topk(min(top_k, logits_RV.shape[1]), dim=1).values[:, -1:]
        logits_RV = logits_RV.masked_fill(logits_RV < least_R1, float("-inf"))
    if top_p < 1:
        sorted_RV, order_RV = logits_RV.sort(1, descending=True)
        before_RV = sorted_RV.softmax(1).cumsum(1) - sorted_RV.softmax(1)
        excluded_RV = (before_RV >= top_p).scatter(1, order_RV, before_RV >= top_p)
        logits_RV = logits_RV.masked_fill(excluded_RV, float("-inf"))
    return logits_RV


def uniform(count: int, generator: torch.Generator) -> Tensor:
    """Return random numbers in [0, 1), shape (R,) with R = `count`, in float64."""
    return torch.rand(count, generator=generator, device=generator.device, dtype=torch.float64)


class Decoder:
    """Decodes batches of prompts that may begin alike."""

    def __init__(self, model: PreTrainedModel, ending: frozenset[int], pad_id: int) -> None:
        self.model = model
        self.ending = ending
        self.pad_id = pad_id
        self.prefix: list[int] = []
        self._prefix_cache = DynamicCache()

    @torch.inference_mode()
    def remember(self, prompts: list[list[int]]) -> None:
        """Compute once what all these prompts begin with. Later prompts need not begin with it."""
        # Shorter prompts leave a gap behind the prefix, which only a full attention mask can hide.
        shareable = supports_prompt_sharing(self.model.config) is None
        self.prefix = common_prefix(prompts) if shareable else []
        self._prefix_cache = DynamicCache()
        if self.prefix:
            ids = torch.tensor([self.prefix], device=self.model.device)
            self.model(input_ids=ids, past_key_values=self._prefix_cache, logits_to_keep=1)

    @torch.inference_mode()
    def decode(self, prompts: list[list[int]], decoding: Decoding, seed: int) -> list[list[Drawn]]:
        """Return `decoding.responses` sequences per prompt; equal seeds and batches draw alike."""
        generator = torch.Generator(self.model.device).manual_seed(seed)
        logits_RV, cache, mask_RL = self.read(prompts)
        repeats = decoding.responses
        cache.batch_repeat_interleave(repeats)
        logits_RV, mask_RL = (t.repeat_interleave(repeats, 0) for t in (logits_RV, mask_RL))
        drawn = [Drawn() for _ in range(len(prompts) * repeats)]
        running = torch.arange(len(drawn), device=mask_RL.device)
        for step in range(decoding.max_new_tokens):
            # A number for every sequence, ended or not: who else has ended must not change a draw.
            uniform_R = uniform(len(drawn), generator)[running]
            token_R, logp_R = draw(logits_RV, decoding, uniform_R)
            alive = self._record(drawn, running.tolist(), token_R.tolist(), logp_R.tolist())
            if not any(alive) or step + 1 == decoding.max_new_tokens:
                break
            if sum(alive) <= COMPACT_BELOW * len(alive):
                keep = torch.tensor(alive, device=mask_RL.device).nonzero().squeeze(1)
                cache.batch_select_indices(keep)
                running, token_R, mask_RL = running[keep], token_R[keep], mask_RL[keep]
            mask_RL = torch.cat([mask_RL, mask_RL.new_ones(len(mask_RL), 1)], 1)
            logits_RV = self._step(token_R, cache, mask_RL)
        return [drawn[i : i + repeats] for i in range(0, len(drawn), repeats)]

    @torch.inference_mode()
    def read(self, prompts: list[list[int]]) -> tuple[Tensor, DynamicCache, Tensor]:
        """Run the prompts; return the next token's logits (R, V), the cache and the mask (R, L)."""
        # A prompt that ends with the prefix has no token left whose logits could be asked for.
        begins = [p[: len(self.prefix)] == self.prefix != p for p in prompts]
        prefix = self.prefix if all(begins) else []
        cache = copy.deepcopy(self._prefix_cache) if prefix else DynamicCache()
        if prefix:
            cache.batch_repeat_interleave(len(prompts))
        own = [prompt[len(prefix) :] for prompt in prompts]
        width = max(map(len, own))
        device = self.model.device
        ids = torch.tensor([[self.pad_id] * (width - len(o)) + o for o in own], device=device)
        mask = [[1] * len(prefix) + [0] * (width - len(o)) + [1] * len(o) for o in own]
        mask_RL = torch.tensor(mask, device=device)
        positions = (mask_RL.cumsum(1) - 1).clamp(min=0)[:, len(prefix) :]
        output = self.model(
            input_ids=ids,
            attention_mask=mask_RL,
            position_ids=positions,
            past_key_values=cache,
            logits_to_keep=1,
        )
        return output.logits[:, -1], cache, mask_RL

    def _step(self, token_R: Tensor, cache: DynamicCache, mask_RL: Tensor) -> Tensor:
        """Feed one token per row (R,) with the mask (R, L); return the next logits (R, V)."""
        positions = mask_RL.sum(1, keepdim=True) - 1
        output = self.model(
            input_ids=token_R.unsqueeze(1),
            attention_mask=mask_RL,
            position_ids=positions,
            past_key_values=cache,
        )
        logits_RV: Tensor = output.logits[:, -1]
        return logits_RV

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
