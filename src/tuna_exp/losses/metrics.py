"""What a ranking loss is watched by: no gradients, averages over where a metric is defined.

Scores, ranks and masks have shape (B, N).
"""

import torch
from torch import Tensor

from tuna_exp.losses.formulas import advantage, ordered_pairs, rank_gap


def pair_accuracy(score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return the share of ordered pairs whose better response scores higher.

    A scalar; NaN without pairs.
    """
    return (advantage(score_BN) > 0)[ordered_pairs(rank_BN, mask_BN)].float().mean()


def kendall_tau(score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return Kendall's tau-b between score and rank, (B,); NaN where either has no order at all.

    tau-b = (concordant - discordant) / sqrt(pairs ordered by rank * pairs ordered by score),
    Kendall 1945.
    """
    present = (mask_BN.unsqueeze(2) & mask_BN.unsqueeze(1)).triu(1)
    by_score = advantage(score_BN).sign() * present
    by_rank = rank_gap(rank_BN).sign() * present
    pairs = (by_score.abs().sum((1, 2)) * by_rank.abs().sum((1, 2))).sqrt()
    return (by_score * by_rank).sum((1, 2)) / pairs


def active_hinges(hinge_BNN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> dict[int, Tensor]:
    """Return the share of hinges (B, N, N) above 0 for each rank gap present, scalars."""
    gap_BNN = rank_gap(rank_BN) * ordered_pairs(rank_BN, mask_BN)
    gaps = [int(gap) for gap in gap_BNN.unique() if gap > 0]
    return {gap: (hinge_BNN[gap_BNN == gap] > 0).float().mean() for gap in gaps}


def best_and_worst(value_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean value of the best-ranked and of the worst-ranked response, two scalars.

    Only examples that have an order count; ties share their mean.
    """
    best = (rank_BN == 0) & mask_BN
    worst = (rank_BN == rank_BN.amax(1, keepdim=True)) & mask_BN
    some = ordered_pairs(rank_BN, mask_BN).any(2).any(1)
    return tuple(  # type: ignore[return-value]
        ((value_BN * who).sum(1) / who.sum(1).clamp(min=1))[some].mean() for who in (best, worst)
    )


def gradient_share(ranking: Tensor, likelihood: Tensor, logp_T: Tensor) -> Tensor:
    """Return |dL_rank/dlogp| / (|dL_rank/dlogp| + |dL_mle/dlogp|), a scalar in [0, 1].

    Both losses are scalars made from logp_T, shape (T,). Taken at the token log-probabilities, it
    costs no second pass through the model.
    """
    norms = []
    for loss in (ranking, likelihood):
        # A term without any token or pair has no path to logp_T; its gradient is zero.
        gradient = (
            torch.autograd.grad(loss, logp_T, retain_graph=True, allow_unused=True)[0]
            if loss.requires_grad
            else None
        )
        norms.append(logp_T.new_zeros(()) if gradient is None else gradient.norm())
    return norms[0] / (norms[0] + norms[1]).clamp(min=torch.finfo(logp_T.dtype).tiny)
