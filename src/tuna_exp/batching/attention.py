"""Attention over a packed row: every response sees its prompt and itself, at the cost of just that.

A packed row of L tokens has L x L pairs, most of which may not see each other. Three ways to
compute the rest, by what the model's attention is set to: `tuna_blocks`, ours, gathers the queries
that share their keys (prompts, then responses) and multiplies only those; `flex_attention` is
torch's compiled kernel for GPUs, with the same pairs as a block mask; anything else is given the
mask itself, (R, 1, L, L), which every decoder of transformers takes and whose cost grows with L
squared.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.attention.flex_attention import BlockMask, create_block_mask
from transformers import AttentionInterface

from tuna_exp.batching.batch import RankedBatch

BLOCKS = "tuna_blocks"
FLEX = "flex_attention"
# Queries of one block: a long causal prompt is cut, so that less of its upper half is computed.
QUERIES = 128
# Pairs that a block of its own is worth: its calls take as long as these do.
CALLS = 2**13
# Scores kept for the backward pass by one block of one layer; above it they are computed again.
KEPT_SCORES = 2**23


def visible(document_RL: Tensor, segment_RL: Tensor) -> Tensor:
    """Return the mask (R, 1, L, L): true where a query (row) sees a key (column)."""
    query, key = document_RL.unsqueeze(2), document_RL.unsqueeze(1)
    own = segment_RL.unsqueeze(2) == segment_RL.unsqueeze(1)
    length = segment_RL.shape[1]
    causal_LL = torch.ones(length, length, dtype=torch.bool, device=query.device).tril()
    # Padding sees itself alone: a row of the mask with nothing in it would turn into NaN.
    return ((query == key) & (own | (segment_RL == 0).unsqueeze(1)) & causal_LL).unsqueeze(1)


def block_mask(document_RL: Tensor, segment_RL: Tensor) -> BlockMask:
    """Return the same pairs as `visible` for FlexAttention; document_RL, segment_RL (R, L)."""

    def sees(row: Tensor, _: Tensor, query: Tensor, key: Tensor) -> Tensor:
        own = segment_RL[row, query] == segment_RL[row, key]
        shared = own | (segment_RL[row, key] == 0)
        return (document_RL[row, query] == document_RL[row, key]) & shared & (query >= key)

    rows, length = segment_RL.shape
    return create_block_mask(sees, rows, None, length, length, device=segment_RL.device)


def attention_arguments(implementation: str, batch: RankedBatch) -> dict[str, Any]:
    """Return what a decoder's forward pass needs to let each token see what it may."""
    packed = batch.segment_RL.shape[0] == 1
    if not packed and int(batch.document_RL.max()) == 0 and int(batch.segment_RL.max()) <= 1:
        return {"attention_mask": batch.segment_RL >= 0}  # one document a row: causal is enough
    if implementation == BLOCKS:
        return {"attention_mask": None, "blocks": Blocks.of(batch)}
    where = (batch.document_RL, batch.segment_RL)
    if implementation == FLEX:
        return {"attention_mask": block_mask(*where)}
    mask = visible(*where)
    return {"attention_mask": added(mask) if implementation == "eager" else mask}


def added(mask: Tensor) -> Tensor:
    """Return a mask as numbers to add to scores, of its shape (R, 1, L, L), in float32."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, float("-inf"))


@dataclass(frozen=True)
class Block:
    """S groups of Q queries and the K keys they may see.

    query_SQ (S, Q) and key_SK (S, K) are columns of the row; real_SQ (S, Q) is false where a query
    is padding; hidden_SQK (S, Q, K) is true where a query may not see a key.
    """

    query_SQ: Tensor
    key_SK: Tensor
    real_SQ: Tensor
    hidden_SQK: Tensor


@dataclass
class Gather:
    """A block for so many heads: places of its vectors in rows of one vector per head and token.

    query (S * H * Q,) and key (S * H' * K,), H' the key heads; bias (S, 1, Q, K) is added to the
    scores; real (S, 1, 1, Q, 1).
    """

    query: Tensor
    key: Tensor
    bias: Tensor
    real: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """Groups, queries and keys."""
        groups, _, queries, keys = self.bias.shape
        return groups, queries, keys


@dataclass
class Blocks:
    """The blocks of a row; every token is a query in exactly one of them."""

    blocks: list[Block]
    made: dict[Any, tuple[list[Gather], Tensor]] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: RankedBatch) -> "Blocks":
        """Find the blocks of a packed batch, whose documents and segments are (1, L)."""
        return cls(list(find_blocks(batch.document_RL[0], batch.segment_RL[0])))

    def gathers(
        self, heads: int, key_heads: int, dtype: torch.dtype
    ) -> tuple[list[Gather], Tensor]:
        """Return the blocks for so many heads, and where each token's result is found, (L * H,).

        Made once for all layers of a kind.
        """
        key = (heads, key_heads, dtype)
        if key not in self.made:
            gathers = [gather(block, heads, key_heads, dtype) for block in self.blocks]
            self.made[key] = gathers, places(self.blocks, heads)
        return self.made[key]


def find_blocks(document_L: Tensor, segment_L: Tensor) -> Iterator[Block]:
    """Yield the blocks of prompts, then those of responses; documents and segments (L,)."""
    new = (document_L.diff() != 0) | (segment_L.diff() != 0)
    start_S = torch.cat([new.new_zeros(1), new.nonzero().squeeze(1) + 1])
    length_S = torch.cat([start_S, start_S.new_tensor([len(document_L)])]).diff()
    prompt_S = segment_L[start_S] == 0
    start_D, length_D = start_S[prompt_S], length_S[prompt_S]
    none = torch.zeros_like(length_D)
    for some in alike(length_D.tolist(), none.tolist()):
        own, seen = spans(start_D[some], length_D[some]), spans(start_D[some], none[some])
        yield from causal(*own, *seen)
    start_C, length_C = start_S[~prompt_S], length_S[~prompt_S]
    # Documents are numbered in order and each begins with its prompt.
    document_C = document_L[start_C] - document_L[:1]
    for some in alike(length_C.tolist(), length_D[document_C].tolist()):
        prompts = document_C[some]
        own, seen = spans(start_C[some], length_C[some]), spans(start_D[prompts], length_D[prompts])
        yield from causal(*own, *seen)


def alike(own_S: Sequence[int], seen_S: Sequence[int]) -> Iterator[list[int]]:
    """Yield groups of spans to be padded to one another, by their own lengths and those they see.

    In order of length, a span joins the group before it where padding costs less than `CALLS`.
    """
    group: list[int] = []
    longest = (0, 0)
    for one in sorted(range(len(own_S)), key=lambda i: (own_S[i], seen_S[i])):
        grown = max(longest[0], own_S[one]), max(longest[1], seen_S[one])
        padded = (len(group) + 1) * pairs(*grown)
        if group and padded > len(group) * pairs(*longest) + pairs(own_S[one], seen_S[one]) + CALLS:
            yield group
            group, grown = [], (own_S[one], seen_S[one])
        group.append(one)
        longest = grown
    if group:
        yield group


def pairs(own: int, seen: int) -> int:
    """Return the pairs that a span's block multiplies."""
    return own * (seen + own)


def spans(start_S: Tensor, length_S: Tensor) -> tuple[Tensor, Tensor]:
    """Return the columns (S, Q) of spans with start and length (S,), and which are not padding."""
    offset_Q = torch.arange(int(length_S.max()), device=start_S.device)
    real_SQ = offset_Q < length_S.unsqueeze(1)
    return (start_S.unsqueeze(1) + offset_Q) * real_SQ, real_SQ


def causal(own_SQ: Tensor, real_SQ: Tensor, seen_SP: Tensor, real_SP: Tensor) -> Iterator[Block]:
    """Yield blocks in which each query sees all of `seen` (S, P) and its own span up to itself."""
    length, before = own_SQ.shape[1], seen_SP.shape[1]
    for first, end in pairwise([*range(0, length, QUERIES), length]):
        query_Q, key_K = (torch.arange(n, device=own_SQ.device) for n in (end, end))
        later_QK = key_K > query_Q[first:].unsqueeze(1)
        hidden_SQP = ~real_SP.unsqueeze(1).expand(-1, end - first, before)
        hidden_SQK = later_QK.expand(len(own_SQ), -1, -1)
        yield Block(
            own_SQ[:, first:end],
            torch.cat([seen_SP, own_SQ[:, :end]], 1),
            real_SQ[:, first:end],
            torch.cat([hidden_SQP, hidden_SQK], 2),
        )


def by_head(column_SQ: Tensor, heads: int) -> Tensor:
    """Return the places of columns (S, Q) among vectors per token and head: (S * H * Q,)."""
    head_H1 = torch.arange(heads, device=column_SQ.device).unsqueeze(1)
    return (column_SQ.unsqueeze(1) * heads + head_H1).flatten()


def gather(block: Block, heads: int, key_heads: int, dtype: torch.dtype) -> Gather:
    """Prepare a block for so many heads; the bias is -inf where a key is hidden."""
    bias = torch.zeros(block.hidden_SQK.shape, dtype=dtype, device=block.hidden_SQK.device)
    bias.masked_fill_(block.hidden_SQK, float("-inf"))
    return Gather(
        by_head(block.query_SQ, heads),
        by_head(block.key_SK, key_heads),
        bias.unsqueeze(1),
        block.real_SQ[:, None, None, :, None].to(dtype),
    )


def places(blocks: list[Block], heads: int) -> Tensor:
    """Return where token and head l, h is found among the blocks' results: (L * H,)."""
    column = torch.cat([by_head(block.query_SQ, heads) for block in blocks])
    real = [block.real_SQ.unsqueeze(1).expand(-1, heads, -1).flatten() for block in blocks]
    place = torch.cat(real).nonzero().squeeze(1)
    found = torch.empty_like(place)
    found[column[place]] = place
    return found


class BlockAttention(torch.autograd.Function):
    """Softmax attention block by block, with a backward pass of its own.

    Autograd would scatter gradients back with one addition per element and keep every intermediate;
    here results are gathered (each token is a query once) and only probabilities are kept.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, blocks: Blocks, scale: float
    ) -> Tensor:
        """Return (L, H, D) for query (L, H, D) and key, value (L, H', D)."""
        heads, key_heads = query.shape[1], key.shape[1]
        gathers, place = blocks.gathers(heads, key_heads, query.dtype)
        results, kept = [], []
        for one in gathers:
            vectors = _vectors(one, query, key, value)
            probability = _probabilities(one, vectors[0], vectors[1], scale)
            results.append(torch.bmm(probability, vectors[2]).view(-1, query.shape[2]))
            kept.append(probability if probability.numel() <= KEPT_SCORES else None)
        ctx.save_for_backward(query, key, value, *kept)
        ctx.gathers, ctx.place, ctx.scale = gathers, place, scale
        return torch.cat(results).index_select(0, place).view(query.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of query, key and value, shaped like them."""
        query, key, value, *kept = ctx.saved_tensors
        grad_key, grad_value = torch.zeros_like(key), torch.zeros_like(value)
        grads = []
        for one, probability in zip(ctx.gathers, kept, strict=True):
            q, k, v = _vectors(one, query, key, value)
            p = _probabilities(one, q, k, ctx.scale) if probability is None else probability
            g = _real_only(one, _rows(grad, one.query)).view_as(q)
            _add_rows(grad_value, one.key, torch.bmm(p.transpose(1, 2), g))
            score = torch._softmax_backward_data(torch.bmm(g, v.transpose(1, 2)), p, -1, p.dtype)
            score.mul_(ctx.scale)
            grads.append(torch.bmm(score, k).view(-1, query.shape[2]))
            _add_rows(grad_key, one.key, torch.bmm(score.transpose(1, 2), q))
        grad_query = torch.cat(grads).index_select(0, ctx.place).view(query.shape)
        return grad_query, grad_key, grad_value, None, None


def _rows(vectors: Tensor, index: Tensor) -> Tensor:
    """Gather vectors (L, H, D) of tokens and heads: (len(index), D)."""
    return vectors.reshape(-1, vectors.shape[-1]).index_select(0, index)


def _add_rows(total: Tensor, index: Tensor, part: Tensor) -> None:
    """Add vectors to the tokens and heads they belong to; total (L, H', D)."""
    total.view(-1, total.shape[-1]).index_add_(0, index, part.reshape(-1, total.shape[-1]))


def _real_only(one: Gather, vectors: Tensor) -> Tensor:
    """Zero what stands for padding among vectors (S * H * Q, D)."""
    groups, queries, _ = one.shape
    shaped = vectors.view(groups, 1, -1, queries, vectors.shape[-1])
    return shaped.mul_(one.real)


def _vectors(one: Gather, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    """Return queries (S * H', H / H' * Q, D) and keys and values (S * H', K, D) of a block."""
    groups, _, keys = one.shape
    batch = groups * key.shape[1]
    return (
        _rows(query, one.query).view(batch, -1, query.shape[2]),
        _rows(key, one.key).view(batch, keys, key.shape[2]),
        _rows(value, one.key).view(batch, keys, value.shape[2]),
    )


def _probabilities(one: Gather, query: Tensor, key: Tensor, scale: float) -> Tensor:
    """Return softmax(scale q k + bias), (S * H', H / H' * Q, K)."""
    groups, queries, keys = one.shape
    score = torch.bmm(query, key.transpose(1, 2))
    score.view(groups, -1, queries, keys).mul_(scale).add_(one.bias)
    return torch.softmax(score, -1)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    blocks: Blocks,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it: query (1, H, L, D) in, (1, L, H, D) out.

    Raises NotImplementedError for capped scores, which a trial on short texts would not tell apart.
    """
    if options.get("softcap") is not None:
        raise NotImplementedError(f"attention scores are capped at {options['softcap']}")
    # Rotations give float32 under autocast, the values came from a matrix product in its dtype.
    q, k, v = (t[0].transpose(0, 1).to(value.dtype) for t in (query, key, value))
    with torch.autocast(value.device.type, enabled=False):
        scale = q.shape[-1] ** -0.5 if scaling is None else scaling
        apply: Callable[..., Tensor] = BlockAttention.apply
        mixed = apply(q, k, v, blocks, scale)
    return mixed.unsqueeze(0), None


AttentionInterface.register(BLOCKS, attend)
