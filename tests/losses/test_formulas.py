"""The ranking losses, worked by hand, and what must not change them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tuna_exp.losses import formulas

Trio = tuple[Tensor, Tensor, Tensor]


def trio(scores: list[float], ranks: list[int]) -> Trio:
    """Return scores, ranks and mask of one example, each (1, N)."""
    score_BN = torch.tensor([scores], dtype=torch.float64)
    rank_BN = torch.tensor([ranks])
    return score_BN, rank_BN, rank_BN >= 0


@st.composite
def ranked(draw: st.DrawFn) -> tuple[list[float], list[int]]:
    scores = draw(st.lists(st.floats(-5, 0), min_size=2, max_size=5))
    raw = [draw(st.integers(0, 3)) for _ in scores]
    levels = sorted(set(raw))
    return scores, [levels.index(value) for value in raw]


LOSSES = {
    "tuna": lambda *t: formulas.tuna_sum(*t, 0.1),
    "slic": lambda *t: formulas.slic(*t, 1.0),
    "simpo": lambda *t: formulas.simpo(*t, 2.0, 0.5),
    "listmle": formulas.listmle,
    "dpo": lambda s, r, m: formulas.dpo(s, torch.zeros_like(s), r, m, 0.1),
}


def test_tuna_sum_by_hand() -> None:
    """Scores -1, -0.5, -2 for ranks 0, 1, 2 and m = 0.1.

    (0,1): max(0, -0.5 + 1 + 0.1) = 0.6; (0,2): max(0, -2 + 1 + 0.2) = 0;
    (1,2): max(0, -2 + 0.5 + 0.1) = 0.
    """
    assert formulas.tuna_sum(*trio([-1.0, -0.5, -2.0], [0, 1, 2]), 0.1).item() == pytest.approx(0.6)


def test_gap_mean_by_hand() -> None:
    """The same scores: gap 1 has two pairs, (0.6 + 0) / 2 = 0.3; gap 2 has one, 0. Sum 0.3."""
    pairs_G = torch.tensor([0, 2, 1])
    value = formulas.tuna_gap_mean(*trio([-1.0, -0.5, -2.0], [0, 1, 2]), 0.1, pairs_G)
    assert value.item() == pytest.approx(0.3)


def test_a_tie_is_no_pair() -> None:
    """Ranks 0, 0, 1: only (0,2) and (1,2) count, each with gap 1: 0.2 + 0.7 at m = 0.1.

    Scores -1, -0.5, -0.9: max(0, -0.9 + 1 + 0.1) = 0.2 and max(0, -0.9 + 0.5 + 0.1) = 0.
    """
    assert formulas.tuna_sum(*trio([-1.0, -0.5, -0.9], [0, 0, 1]), 0.1).item() == pytest.approx(0.2)


def test_slic_by_hand() -> None:
    """delta = 1, log P = -3 above -2.5: max(0, 1 + 3 - 2.5) = 1.5."""
    assert formulas.slic(*trio([-3.0, -2.5], [0, 1]), 1.0).item() == pytest.approx(1.5)


def test_simpo_by_hand() -> None:
    """beta = 2, gamma = 0.5, difference 0.25: -log sigmoid(0.5 - 0.5) = log 2."""
    value = formulas.simpo(*trio([-0.5, -0.75], [0, 1]), 2.0, 0.5)
    assert value.item() == pytest.approx(math.log(2))


def test_dpo_by_hand() -> None:
    """beta = 0.1, gains 2 and -3: -log sigmoid(0.1 * 5) = log(1 + e^-0.5)."""
    score_BN, rank_BN, mask_BN = trio([-1.0, -5.0], [0, 1])
    reference_BN = torch.tensor([[-3.0, -2.0]], dtype=torch.float64)
    value = formulas.dpo(score_BN, reference_BN, rank_BN, mask_BN, 0.1)
    assert value.item() == pytest.approx(math.log1p(math.exp(-0.5)))


def test_listmle_by_hand() -> None:
    """Scores -1, -2, -3 for ranks 0, 1, 2.

    t = 0: T = 2, own e^-2; below e^(-2*1) and e^(-3*2): log(1 + 1 + e^-4).
    t = 1: T = 1, own e^-2; below e^-3: log(1 + e^-1).
    """
    expected = math.log(2 + math.exp(-4)) + math.log1p(math.exp(-1))
    assert formulas.listmle(*trio([-1.0, -2.0, -3.0], [0, 1, 2])).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", LOSSES)
@given(example=ranked())
def test_padding_changes_nothing(name: str, example: tuple[list[float], list[int]]) -> None:
    scores, ranks = example
    alone = LOSSES[name](*trio(scores, ranks))
    padded = LOSSES[name](*trio([*scores, 7.0, -9.0], [*ranks, -1, -1]))
    torch.testing.assert_close(alone, padded)


@pytest.mark.parametrize("name", LOSSES)
@given(example=ranked(), data=st.data())
def test_the_order_of_presentation_changes_nothing(
    name: str, example: tuple[list[float], list[int]], data: st.DataObject
) -> None:
    scores, ranks = example
    order = data.draw(st.permutations(range(len(scores))))
    shuffled = LOSSES[name](*trio([scores[i] for i in order], [ranks[i] for i in order]))
    torch.testing.assert_close(LOSSES[name](*trio(scores, ranks)), shuffled)


@pytest.mark.parametrize("name", LOSSES)
@given(example=ranked())
def test_without_order_there_is_nothing_to_learn(
    name: str, example: tuple[list[float], list[int]]
) -> None:
    score_BN, rank_BN, mask_BN = trio(example[0], [0] * len(example[0]))
    score_BN.requires_grad_()
    LOSSES[name](score_BN, rank_BN, mask_BN).sum().backward()
    assert score_BN.grad is not None
    assert score_BN.grad.abs().max() == 0


@pytest.mark.parametrize("name", LOSSES)
@given(example=ranked())
def test_a_step_along_the_gradient_favours_the_better(
    name: str, example: tuple[list[float], list[int]]
) -> None:
    """The gradient is finite; for a loss of score differences it sums to zero over responses."""
    score_BN, rank_BN, mask_BN = trio(*example)
    score_BN.requires_grad_()
    LOSSES[name](score_BN, rank_BN, mask_BN).sum().backward()
    assert score_BN.grad is not None
    assert score_BN.grad.isfinite().all()
    if name != "listmle":  # its weights grow with the gap, so its gradients need not sum to zero
        assert score_BN.grad.sum().abs() < 1e-9
