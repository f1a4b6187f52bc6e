"""The sequences that are being decoded, one row each: what they have seen and the next logits.

`SharedRows` hold each prompt once (see `attention`); `RepeatedRows` hold it in every row and work
for any decoder. Left out: pages, and new prompts in the place of rows that have ended.
"""

from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel

from tuna_exp.llms.attention import Part, Seats, can_share_rows, sharing_rows
from tuna_exp.llms.reading import Reading

BLOCK = 64  # columns by which the keys and values of rows grow


class Rows(Protocol):
    """N rows per prompt after the prompts were read."""

    def feed(self, token_R: Tensor) -> Tensor:
        """Give each row its next token, (R,); return the logits of the one after it, (R, V)."""

    def keep(self, row_K: Tensor) -> None:
        """Keep these rows, (K,) in order, and forget the others."""


def make_rows(model: PreTrainedModel, reading: Reading, repeats: int) -> Rows:
    """Return `repeats` rows for each prompt that was read; the reading's cache is theirs now."""
    kind = SharedRows if can_share_rows(model) else RepeatedRows
    return kind(model, reading, repeats)


class RepeatedRows:
    """Every row holds its prompt; transformers' own cache and attention."""

    def __init__(self, model: PreTrainedModel, reading: Reading, repeats: int) -> None:
        self.model = model
        self.cache = reading.cache
        self.cache.batch_repeat_interleave(repeats)
        self.mask_RL = reading.mask_PL.repeat_interleave(repeats, 0)

    def feed(self, token_R: Tensor) -> Tensor:
        """Run one token per row, (R,); return the next logits, (R, V)."""
        self.mask_RL = torch.cat([self.mask_RL, self.mask_RL.new_ones(len(token_R), 1)], 1)
        output = self.model(
            input_ids=token_R.unsqueeze(1),
            attention_mask=self.mask_RL,
            position_ids=self.mask_RL.sum(1, keepdim=True) - 1,
            past_key_values=self.cache,
        )
        logits_RV: Tensor = output.logits[:, -1]
        return logits_RV

    def keep(self, row_K: Tensor) -> None:
        """Keep these rows, (K,)."""
        self.cache.batch_select_indices(row_K)
        self.mask_RL = self.mask_RL[row_K]


class SharedRows(Cache):
    """Common beginning and prompts held once, own tokens in place; the cache the model is given."""

    def __init__(self, model: PreTrainedModel, reading: Reading, repeats: int) -> None:
        super().__init__(layers=[])
        mask_PL, prefix = reading.mask_PL, reading.prefix
        prompts = torch.arange(len(mask_PL), device=mask_PL.device)
        self.model = model
        self.prompt_R = prompts.repeat_interleave(repeats)
        self.position_R = mask_PL.sum(1)[self.prompt_R]
        self.seen = 0  # tokens that each row has been given
        hidden_PL = mask_PL[:, prefix:] == 0
        padding = torch.zeros_like(hidden_PL, dtype=model.dtype)
        self.padding_PL = padding.masked_fill(hidden_PL, float("-inf"))
        self.begin, self.prompts, self.own = self._take(reading.cache, prefix)
        self._seat()

    def _take(self, cache: DynamicCache, prefix: int) -> tuple[list[Part], list[Part], list[Part]]:
        """Part the cache's layers, letting go of each, into beginning, prompts and empty rows."""
        begin, prompts, own = [], [], []
        layers: list[Any] = cache.layers
        for layer in layers:
            key, value = layer.keys, layer.values
            layer.keys = layer.values = None
            begin.append(Part(key[:1, :, :prefix].clone(), value[:1, :, :prefix].clone()))
            key, value = key[:, :, prefix:].contiguous(), value[:, :, prefix:].contiguous()
            prompts.append(Part(key, value, self.padding_PL))
            rows = len(self.prompt_R)
            empty = [t.new_empty(rows, t.shape[1], 0, t.shape[3]) for t in (key, value)]
            own.append(Part(empty[0], empty[1]))
        return begin, prompts, own

    def _seat(self) -> None:
        """Say who reads what, after rows have gone."""
        row_R = torch.arange(len(self.prompt_R), device=self.prompt_R.device)
        self.seats = [Seats.of(x) for x in (torch.zeros_like(row_R), self.prompt_R, row_R)]

    def feed(self, token_R: Tensor) -> Tensor:
        """Run one token per row, (R,); return the next logits, (R, V)."""
        if self.seen == self.own[0].key_SHLD.shape[2]:
            self._grow()
        with sharing_rows(self.model):
            output: Any = self.model(
                input_ids=token_R.unsqueeze(1),
                position_ids=self.position_R.unsqueeze(1),
                past_key_values=self,
                use_cache=True,
                rows=self,
            )
        self.seen += 1
        self.position_R = self.position_R + 1
        logits_RV: Tensor = output.logits[:, -1]
        return logits_RV

    def _grow(self) -> None:
        for part in self.own:
            part.key_SHLD = torch.nn.functional.pad(part.key_SHLD, (0, 0, 0, BLOCK))
            part.value_SHLD = torch.nn.functional.pad(part.value_SHLD, (0, 0, 0, BLOCK))

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Write each row's new key and value, (R, H, 1, D), into place."""
        part = self.own[layer_idx]
        part.key_SHLD[:, :, self.seen] = key_states[:, :, 0]
        part.value_SHLD[:, :, self.seen] = value_states[:, :, 0]
        return key_states, value_states

    def parts(self, layer: int) -> list[tuple[Part, Seats]]:
        """Return what the rows attend to in a layer; the new token is written already."""
        own = self.own[layer]
        written = slice(self.seen + 1)
        seen = Part(own.key_SHLD[:, :, written], own.value_SHLD[:, :, written])
        parts = [self.begin[layer], self.prompts[layer], seen]
        pairs = zip(parts, self.seats, strict=True)
        return [(part, seats) for part, seats in pairs if part.key_SHLD.shape[2]]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the columns that a row has behind it."""
        return self.begin[0].key_SHLD.shape[2] + self.padding_PL.shape[1] + self.seen

    def keep(self, row_K: Tensor) -> None:
        """Keep these rows, (K,) in order, and the prompts that still have one."""
        self.position_R = self.position_R[row_K]
        left_P, self.prompt_R = self.prompt_R[row_K].unique_consecutive(return_inverse=True)
        self.padding_PL = self.padding_PL[left_P]
        for own, prompt in zip(self.own, self.prompts, strict=True):
            own.key_SHLD, own.value_SHLD = own.key_SHLD[row_K], own.value_SHLD[row_K]
            if len(left_P) < len(prompt.key_SHLD):
                prompt.key_SHLD = prompt.key_SHLD[left_P]
                prompt.value_SHLD = prompt.value_SHLD[left_P]
                prompt.bias_SL = self.padding_PL
        self._seat()
