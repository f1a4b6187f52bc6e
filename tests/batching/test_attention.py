"""Attention by blocks: the same values and gradients as a mask over all pairs of a row."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention.flex_attention import create_mask
from torch.nn.functional import scaled_dot_product_attention

from tuna_exp.batching import attention
from tuna_exp.batching.attention import BlockAttention, Blocks, attention_arguments, visible
from tuna_exp.batching.batch import RankedBatch, StepTotals, TokenizedExample
from tuna_exp.batching.layouts import collate

# Prompt and responses of each document, in tokens.
SHAPES = st.lists(
    st.tuples(st.integers(1, 9), st.lists(st.integers(1, 9), min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)
Shape = list[tuple[int, list[int]]]


def batch_of(shape: Shape, layout: str = "shared_prompt") -> RankedBatch:
    made = [
        TokenizedExample(
            "", (1,) * prompt, tuple((1,) * n for n in many), (0,) * len(many), (True,) * len(many)
        )
        for prompt, many in shape
    ]
    return collate(made, layout, StepTotals.of(made))


def vectors(length: int, heads: int) -> Tensor:
    """Return random vectors (L, H, 4) in float64."""
    return torch.randn(length, heads, 4, dtype=torch.float64, requires_grad=True)


def both(batch: RankedBatch) -> list[tuple[Tensor, ...]]:
    """Return result and gradients by blocks and by mask, with 4 query and 2 key heads."""
    length = batch.positions
    inputs = [vectors(length, heads) for heads in (4, 2, 2)]
    weight = torch.randn(length, 4, 4, dtype=torch.float64)
    apply: Any = BlockAttention.apply
    by_blocks = apply(*inputs, Blocks.of(batch), 0.5)
    q, k, v = (t.transpose(0, 1).unsqueeze(0) for t in inputs)
    mask = visible(batch.document_RL, batch.segment_RL)
    by_mask = scaled_dot_product_attention(q, k, v, mask, scale=0.5, enable_gqa=True)[0]
    return [
        (made.detach(), *torch.autograd.grad((made * weight).sum(), inputs))
        for made in (by_blocks, by_mask.transpose(0, 1))
    ]


@pytest.mark.parametrize("layout", ["packed", "shared_prompt"])
@given(shape=SHAPES)
def test_blocks_equal_the_mask(layout: str, shape: Shape) -> None:
    torch.testing.assert_close(*both(batch_of(shape, layout)))


@pytest.mark.parametrize("queries, kept", [(3, 2**23), (256, 0), (2, 0)])
def test_cut_and_recomputed_blocks_equal_the_mask(
    queries: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts cut into pieces of 2 or 3 queries; probabilities computed again in the backward."""
    monkeypatch.setattr(attention, "QUERIES", queries)
    monkeypatch.setattr(attention, "KEPT_SCORES", kept)
    torch.testing.assert_close(*both(batch_of([(7, [5, 1, 8]), (2, [4]), (9, [1])])))


@given(shape=SHAPES)
def test_every_token_is_asked_for_once(shape: Shape) -> None:
    batch = batch_of(shape)
    asked = [block.query_SQ[block.real_SQ] for block in Blocks.of(batch).blocks]
    assert torch.cat(asked).sort().values.tolist() == list(range(batch.positions))


def test_what_sees_what() -> None:
    """Prompt of 2, responses of 2 (one place) and 3 (two places): 5 places.

    The second response (places 3, 4) sees the prompt (0, 1) and itself, not place 2.
    """
    batch = batch_of([(2, [2, 3])])
    assert visible(batch.document_RL, batch.segment_RL)[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 1, 0, 1, 1],
    ]


@given(shape=SHAPES)
def test_flex_attention_gets_the_same_pairs(shape: Shape) -> None:
    """torch's own dense form of the block mask; the kernel itself needs a GPU to train."""
    batch = batch_of(shape)
    blocks = attention_arguments(attention.FLEX, batch)["attention_mask"]
    dense = create_mask(blocks.mask_mod, 1, 1, batch.positions, batch.positions, device="cpu")
    assert torch.equal(dense, visible(batch.document_RL, batch.segment_RL))


def test_one_document_a_row_needs_no_pairs() -> None:
    """Padded rows are causal, with a mask of two dimensions, as flash attention takes it."""
    mask = attention_arguments("sdpa", batch_of([(2, [2, 3])], "padded"))["attention_mask"]
    assert mask.tolist() == [[True, True, True, False], [True] * 4]
