"""What a ranking loss is watched by: no gradients, means over where a metric is defined.

Scores, ranks and masks have shape (B, N). A mean is kept as its sum and its count, so that those of
micro-batches and of processes can be added up.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tuna_exp.losses.formulas import advantage, ordered_pairs, rank_gap


@dataclass(frozen=True)
class Mean:
    """A mean to be: `total` over `count` things, both scalars."""

    total: Tensor
    count: Tensor | float

    @classmethod
    def over(cls, values: Tensor) -> "Mean":
        """Return the mean of values of any shape that are not NaN."""
        there = ~values.isnan()
        return cls(values[there].sum(), there.sum())

    @property
    def value(self) -> Tensor:
        """The mean, NaN of nothing."""
        return self.total / self.count


def pair_accuracy(score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> Mean:
    """Return the share of ordered pairs whose better response scores higher, over the pairs."""
    return Mean.over((advantage(score_BN) > 0)[ordered_pairs(rank_BN, mask_BN)].float())


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


def active_hinges(hinge_BNN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> dict[int, Mean]:
    """Return the share of hinges (B, N, N) above 0 for each rank gap present."""
    gap_BNN = rank_gap(rank_BN) * ordered_pairs(rank_BN, mask_BN)
    gaps = [int(gap) for gap in gap_BNN.unique() if gap > 0]
    return {gap: Mean.over((hinge_BNN[gap_BNN == gap] > 0).float()) for gap in gaps}


def best_and_worst(value_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> tuple[Mean, Mean]:
    """Return the mean value of the best-ranked and of the worst-ranked response, over examples.

    Only examples that have an order count; ties share their mean.
    """
    best = (rank_BN == 0) & mask_BN
    worst = (rank_BN == rank_BN.amax(1, keepdim=True)) & mask_BN
    some = ordered_pairs(rank_BN, mask_BN).any(2).any(1)
    return tuple(  # type: ignore[return-value]
        Mean.over(((value_BN * who).sum(1) / who.sum(1).clamp(min=1))[some])
        for who in (best, worst)
    )


def squared_gradients(ranking: Tensor, likelihood: Tensor, logp_T: Tensor) -> tuple[Tensor, Tensor]:
    """Return |dL_rank/dlogp|^2 and |dL_mle/dlogp|^2, two scalars.

    Both losses are scalars made from logp_T, shape (T,). Taken at the token log-probabilities, they
    cost no second pass through the model, and those of micro-batches add up to those of the step.
    """
    squares = []
    for loss in (ranking, likelihood):
        # A term without any token or pair has no path to logp_T; its gradient is zero.
        gradient = (
            torch.autograd.grad(loss, logp_T, retain_graph=True, allow_unused=True)[0]
            if loss.requires_grad
            else None
        )
        squares.append(logp_T.new_zeros(()) if gradient is None else gradient.square().sum())
    return squares[0], squares[1]


def gradient_share(ranking: float, likelihood: float) -> float:
    """Return |dL_rank| / (|dL_rank| + |dL_mle|), in [0, 1], from the squares of both; 0 of none."""
    one, other = ranking**0.5, likelihood**0.5
    return one / (one + other) if one + other else 0.0
