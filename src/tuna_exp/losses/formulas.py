"""Ranking losses as pure functions: scores in, one loss per example out.

Every function takes `score_BN` (B, N), the score of each response under the student; `rank_BN`
(B, N), 0 for the best, ties equal; and `mask_BN` (B, N), true where a response is. Only pairs whose
ranks differ count, so neither padding nor the order of ties changes a value.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def ordered_pairs(rank_BN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return a mask (B, N, N), true at [b, i, j] where response i is ranked above response j."""
    present = mask_BN.unsqueeze(2) & mask_BN.unsqueeze(1)
    return present & (rank_BN.unsqueeze(2) < rank_BN.unsqueeze(1))


def advantage(score_BN: Tensor) -> Tensor:
    """Return score_i - score_j at [b, i, j], shape (B, N, N)."""
    return score_BN.unsqueeze(2) - score_BN.unsqueeze(1)


def rank_gap(rank_BN: Tensor) -> Tensor:
    """Return how many places j stands below i at [b, i, j], shape (B, N, N)."""
    return rank_BN.unsqueeze(1) - rank_BN.unsqueeze(2)


def pair_hinge(score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor, margin: float) -> Tensor:
    """Return max(0, v_j - v_i + m (j - i)) of every ordered pair, else 0, shape (B, N, N).

    Tuna (Li et al., EMNLP 2023), equation 4; j - i is the difference of ranks: ties take no place.
    """
    # An integer gap times a margin would be float32 whatever the scores are.
    margin_BNN = margin * rank_gap(rank_BN).to(score_BN.dtype)
    hinge = F.relu(margin_BNN - advantage(score_BN))
    return hinge * ordered_pairs(rank_BN, mask_BN)


def tuna_sum(score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor, margin: float) -> Tensor:
    """Return the paper's sum of hinges over all pairs, shape (B,) (Tuna, equation 4)."""
    return pair_hinge(score_BN, rank_BN, mask_BN, margin).sum((1, 2))


def tuna_gap_mean(
    score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor, margin: float, pairs_G: Tensor
) -> Tensor:
    """Return the released code's value, a scalar: the sum over rank gaps of each gap's mean hinge.

    pairs_G (G,) counts the pairs of each gap over the whole step, so that the shares of the step's
    micro-batches add up to the value of the big batch.
    """
    gap_BNN = rank_gap(rank_BN).clamp(0, len(pairs_G) - 1)
    count_BNN = pairs_G.clamp(min=1)[gap_BNN]
    return (pair_hinge(score_BN, rank_BN, mask_BN, margin) / count_BNN).sum()


def mean_over_pairs(loss_BNN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> Tensor:
    """Average a pair loss (B, N, N) over each example's ordered pairs: (B,), 0 without any."""
    pairs_BNN = ordered_pairs(rank_BN, mask_BN)
    return (loss_BNN * pairs_BNN).sum((1, 2)) / pairs_BNN.sum((1, 2)).clamp(min=1)


def slic(score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor, delta: float) -> Tensor:
    """Return the mean of max(0, delta - log P_i + log P_j), shape (B,).

    SLiC-HF, arXiv 2305.10425, eq. 1.
    """
    return mean_over_pairs(F.relu(delta - advantage(score_BN)), rank_BN, mask_BN)


def simpo(score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor, beta: float, gamma: float) -> Tensor:
    """Return the mean of -log sigmoid(beta (v_i - v_j) - gamma), shape (B,).

    SimPO, arXiv 2405.14734, eq. 6.
    """
    return mean_over_pairs(-F.logsigmoid(beta * advantage(score_BN) - gamma), rank_BN, mask_BN)


def dpo(
    score_BN: Tensor, reference_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor, beta: float
) -> Tensor:
    """Return the mean of -log sigmoid(beta (h_i - h_j)) with h = log P - log P_ref, shape (B,).

    score_BN and reference_BN (B, N) are summed log-probabilities (arXiv 2305.18290, eq. 7).
    """
    gain_BN = score_BN - reference_BN
    return mean_over_pairs(-F.logsigmoid(beta * advantage(gain_BN)), rank_BN, mask_BN)


def listmle(score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return PRO's listwise loss, shape (B,) (Song et al., arXiv 2306.17492, eq. 7).

    Each response t must stand out from those ranked below it: the sum over t of
    -log( e^{s_t T_t} / (e^{s_t T_t} + sum_{i below t} e^{s_i T_t^i}) ), T_t^i the rank gap (our
    rewards are ranks) and T_t the largest of them. A response with none below it adds 0.
    """
    below_BNN = ordered_pairs(rank_BN, mask_BN)
    gap_BNN = rank_gap(rank_BN) * below_BNN
    own_BN = score_BN * gap_BNN.amax(2)
    others_BNN = (score_BN.unsqueeze(1) * gap_BNN).masked_fill(~below_BNN, float("-inf"))
    everyone_BNN = torch.cat([own_BN.unsqueeze(2), others_BNN], 2)
    return (everyone_BNN.logsumexp(2) - own_BN).mul(mask_BN).sum(1)
