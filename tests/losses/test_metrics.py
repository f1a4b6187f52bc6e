"""What a ranking loss is watched by."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from tuna_exp.losses import metrics

RANKS = torch.tensor([[0, 1, 2]])
EVERYONE = torch.ones(1, 3, dtype=torch.bool)


def test_pair_accuracy_by_hand() -> None:
    """Scores -1, -0.5, -2 for ranks 0, 1, 2: of three pairs, (0,2) and (1,2) are right."""
    value = metrics.pair_accuracy(torch.tensor([[-1.0, -0.5, -2.0]]), RANKS, EVERYONE)
    assert value.value.item() == pytest.approx(2 / 3)
    assert value.count == 3


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3)), min_size=2, max_size=6))
def test_kendall_tau_is_scipys(pairs: list[tuple[int, int]]) -> None:
    """Our rank grows towards the worse, scipy's variable towards the better, hence the sign."""
    score_BN = torch.tensor([[float(s) for s, _ in pairs]])
    rank_BN = torch.tensor([[r for _, r in pairs]])
    expected = kendalltau([s for s, _ in pairs], [-r for _, r in pairs]).statistic
    value = metrics.kendall_tau(score_BN, rank_BN, rank_BN >= 0).item()
    assert value == pytest.approx(expected, nan_ok=True, abs=1e-6)


def test_active_hinges_per_gap() -> None:
    """Gap 1 has pairs (0,1) active and (1,2) not: 0.5. Gap 2 has (0,2), not active: 0."""
    hinge = torch.zeros(1, 3, 3)
    hinge[0, 0, 1] = 0.4
    shares = metrics.active_hinges(hinge, RANKS, EVERYONE)
    assert {gap: share.value.item() for gap, share in shares.items()} == {1: 0.5, 2: 0.0}


def test_best_and_worst_average_ties() -> None:
    """Ranks 0, 0, 1 with values 2, 4, 7: best (2 + 4) / 2 = 3, worst 7."""
    best, worst = metrics.best_and_worst(
        torch.tensor([[2.0, 4.0, 7.0]]), torch.tensor([[0, 0, 1]]), EVERYONE
    )
    assert (best.value.item(), worst.value.item()) == (3.0, 7.0)


def test_gradient_share_by_hand() -> None:
    """Gradients (3, 0) and (0, 1): 3 / (3 + 1)."""
    logp_T = torch.zeros(2, requires_grad=True)
    squares = metrics.squared_gradients(3 * logp_T[0], logp_T[1], logp_T)
    assert metrics.gradient_share(*map(float, squares)) == pytest.approx(0.75)
    assert metrics.gradient_share(0.0, 0.0) == 0.0
