"""Attention of rows that share what they begin with, over keys and values that are held once.

A decoding step reads every key and value. With N samples of each prompt most of them are the same,
so what all prompts begin with is held once, a prompt once, and only what a row has written itself
is its own. Query heads that share a key head are one product with it, where transformers would
copy keys and values for every query head first (ten times slower for 256 rows on a CPU). The
scores of all parts go through one softmax, so a row gets what it would get alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from tuna_exp.models.loading import supports_prompt_sharing

NAME = "tuna_exp_shared_rows"


@dataclass
class Part:
    """Keys and values of one layer that rows attend to: S of them, each read by up to N rows.

    key_SHLD and value_SHLD are (S, H, L, D) with H key heads. bias_SL is added to the scores,
    (S, L): 0, or -inf for padding; None where there is none.
    """

    key_SHLD: Tensor
    value_SHLD: Tensor
    bias_SL: Tensor | None = None

    def scores(self, query_RHGD: Tensor, seats: "Seats") -> Tensor:
        """Return what each query scores at each place: (R, H, G, D) -> (R, H, G, L)."""
        score_SHQL = seats.gather(query_RHGD) @ self.key_SHLD.transpose(2, 3)
        if self.bias_SL is not None:
            score_SHQL = score_SHQL + self.bias_SL[:, None, None, :]
        return seats.scatter(score_SHQL)

    def mix(self, weight_RHGL: Tensor, seats: "Seats") -> Tensor:
        """Return the values mixed by weights: (R, H, G, L) -> (R, H, G, D)."""
        return seats.scatter(seats.gather(weight_RHGL) @ self.value_SHLD)


@dataclass
class Seats:
    """Which rows read which of S entries; `row_SN` is (S, N), `seat_R` (R,) indexes it flattened.

    An entry with fewer than N rows has row 0 on its empty seats, whose result nobody takes.
    """

    row_SN: Tensor
    seat_R: Tensor

    @classmethod
    def of(cls, entry_R: Tensor) -> "Seats":
        """Seat each row at its entry, (R,): numbers from 0 on without a gap, in order."""
        count_S = torch.bincount(entry_R)
        first_S = count_S.cumsum(0) - count_S
        width = int(count_S.max())
        seat_R = entry_R * width + torch.arange(len(entry_R), device=entry_R.device)
        seat_R = seat_R - first_S[entry_R]
        row_SN = entry_R.new_zeros(len(count_S) * width)
        row_SN[seat_R] = torch.arange(len(entry_R), device=entry_R.device)
        return cls(row_SN.view(-1, width), seat_R)

    def gather(self, x_RHGX: Tensor) -> Tensor:
        """Bring the rows of an entry together: (R, H, G, X) -> (S, H, N * G, X)."""
        if self.row_SN.shape[1] == 1:
            return x_RHGX
        return x_RHGX[self.row_SN].transpose(1, 2).flatten(2, 3)

    def scatter(self, x_SHQX: Tensor) -> Tensor:
        """Undo `gather`: (S, H, N * G, X) -> (R, H, G, X)."""
        width = self.row_SN.shape[1]
        if width == 1:
            return x_SHQX
        by_seat: Tensor = x_SHQX.unflatten(2, (width, -1)).transpose(1, 2)
        return by_seat.flatten(0, 1)[self.seat_R]


def attend(query_RHGD: Tensor, parts: list[tuple[Part, Seats]]) -> Tensor:
    """Attend to all parts as if they stood in one row: (R, H, G, D) -> (R, H, G, D).

    The queries are scaled already.
    """
    scores = [part.scores(query_RHGD, seats) for part, seats in parts]
    weight_RHGL = torch.cat(scores, 3).softmax(3, dtype=torch.float32).to(query_RHGD.dtype)
    weights = weight_RHGL.split([score.shape[3] for score in scores], 3)
    mixed = [part.mix(w, seats) for w, (part, seats) in zip(weights, parts, strict=True)]
    return torch.stack(mixed).sum(0)


def shared_rows_attention(
    module: nn.Module,
    query_RQLD: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend from one new token per row, as transformers asks for it.

    Queries are (R, Q, 1, D) with Q query heads. The rows come as the keyword `rows`; they have
    taken the new keys and values from the cache's update already. Returns (R, 1, Q, D).
    """
    heads, width = key.shape[1], query_RQLD.shape[3]
    scaling = width**-0.5 if scaling is None else scaling
    query_RHGD = (query_RQLD * scaling).view(len(query_RQLD), heads, -1, width)
    mixed_RHGD = attend(query_RHGD, kwargs["rows"].parts(module.layer_idx))
    return mixed_RHGD.flatten(1, 2).unsqueeze(1), None


AttentionInterface.register(NAME, shared_rows_attention)


def can_share_rows(model: PreTrainedModel) -> bool:
    """Whether this attention gives what the model's own would."""
    text: Any = model.config.get_text_config()
    return (
        supports_prompt_sharing(model.config) is None
        and bool(model._supports_attention_backend)
        and getattr(text, "attn_logit_softcapping", None) is None
    )


@contextmanager
def sharing_rows(model: PreTrainedModel) -> Iterator[None]:
    """Let the model attend to shared rows within the block, and as before after it."""
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
