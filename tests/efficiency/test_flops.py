"""Operations by hand, and against torch's own counter on the tiny model."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from tuna_exp.efficiency.flops import (
    ModelShape,
    Work,
    answering,
    forward,
    responses,
    training,
)
from tuna_exp.models.loading import load_model

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=6)


def test_a_forward_pass_by_hand() -> None:
    """2 · 100 · 3 + 4 · 2 · 8 · 6 + 2 · 50 · 1 = 600 + 384 + 100."""
    assert forward(ModelShape(2, 8, 100, 50), Work(3, 6, 1)) == 1084


@pytest.mark.parametrize("trained, times", [(1.0, 3.0), (0.0, 2.0)])
def test_a_backward_pass_costs_twice_or_once(trained: float, times: float) -> None:
    shape, work = ModelShape(2, 8, 100, 50), Work(3, 6, 1)
    attention = forward(shape, Work(pairs=6))
    weights = forward(shape, work) - attention
    made = training(shape, [work, work], trained)
    assert made == pytest.approx(2 * (3 * attention + times * weights))


@given(st.integers(1, 100), LENGTHS)
def test_sharing_a_prompt_saves_reading_it_again(prompt: int, lengths: list[int]) -> None:
    """Apart, a response is a sequence of its own; together the prompt is read once."""
    apart, shared = (responses(prompt, lengths, how) for how in (False, True))
    assert apart.tokens - shared.tokens == prompt * (len(lengths) - 1)
    assert apart.pairs == sum((prompt + n) * (prompt + n + 1) / 2 for n in lengths)
    assert apart.predicted == shared.predicted == sum(lengths)


def test_torch_counts_the_same_matrix_products(tiny_folder: Path) -> None:
    """All of attention is counted there, the half above the diagonal too, and no embedding."""
    model, tokens = load_model(tiny_folder), 24
    model.set_attn_implementation("eager")  # whose products the counter sees on a CPU too
    ids = torch.randint(5, 100, (1, tokens))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(ids)
    shape = ModelShape.of_folder(tiny_folder)
    assert shape is not None
    ours = forward(shape, Work(tokens, tokens**2, tokens))
    assert counter.get_total_flops() == pytest.approx(ours, rel=0.02)


def test_weights_that_are_not_here_are_unknown(tmp_path: Path) -> None:
    assert ModelShape.of_folder(tmp_path) is None
    assert answering(object(), [Work(1, 1, 1)]) is None
