"""The ranking loss as a Lightning callback: swap the callback, swap the loss.

A new loss is a class with `per_example` and a YAML in `conf/ranking_loss/`. The callback computes
its share of the step's loss when the objective asks, and measures how ranking goes. What it
measures is added up over the step and logged by the objective.
"""

from dataclasses import dataclass
from typing import Literal

import lightning as L
from torch import Tensor

from tuna_exp.batching.batch import RankedBatch, StepTotals
from tuna_exp.errors import ConfigError
from tuna_exp.losses import formulas, metrics
from tuna_exp.losses.likelihood import normalised
from tuna_exp.losses.metrics import Mean


@dataclass
class Ranked:
    """What a ranking loss sees of a micro-batch.

    score_BN (B, N) has a gradient; rank_BN, mask_BN (B, N); reference_BN (B, N) or None; `totals`
    are those of the step.
    """

    score_BN: Tensor
    rank_BN: Tensor
    mask_BN: Tensor
    reference_BN: Tensor | None
    totals: StepTotals

    @property
    def trio(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, ranks and mask, each (B, N), in the order that every formula takes them."""
        return self.score_BN, self.rank_BN, self.mask_BN


class RankingLoss(L.Callback):
    """Base of all ranking losses.

    `length_exponent` is beta of the score it compares (1: mean log-probability, 0: sum);
    `needs_reference` asks for log-probabilities under the model that training starts from.
    """

    needs_reference = False

    def __init__(self, length_exponent: float) -> None:
        self.length_exponent = length_exponent

    def per_example(self, ranked: Ranked) -> Tensor:
        """Return the loss of each example, shape (B,)."""
        raise NotImplementedError(
            f"{type(self).__name__} must define per_example(ranked) -> Tensor of shape (B,)"
        )

    def loss(self, ranked: Ranked) -> Tensor:
        """Return this micro-batch's share of the step's mean over examples, a scalar."""
        return self.per_example(ranked).sum() / ranked.totals.examples

    def score(self, logp_C: Tensor, batch: RankedBatch) -> Ranked:
        """Arrange summed log-probabilities (C,) as the normalised scores that are compared."""
        score_C = normalised(logp_C, batch.length_C, self.length_exponent)
        reference_C = batch.reference_C
        reference_BN = None if reference_C is None else batch.pad(reference_C.to(score_C.dtype))
        return Ranked(batch.pad(score_C), batch.rank_BN, batch.mask_BN, reference_BN, batch.totals)

    def measure(
        self, ranked: Ranked, logp_C: Tensor, batch: RankedBatch
    ) -> dict[str, Mean | Tensor]:
        """Return pair accuracy, Kendall's tau, margin, likelihoods and lengths of a micro-batch.

        logp_C (C,) are summed log-probabilities; nothing here has a gradient. A mean is told as its
        sum and its count; a plain scalar counts once for each micro-batch.
        """
        where = (ranked.rank_BN, ranked.mask_BN)
        length_best, length_worst = metrics.best_and_worst(
            batch.pad(batch.length_C).float(), *where
        )
        mean_logp_C = normalised(logp_C, batch.length_C, 1.0)
        best, worst = metrics.best_and_worst(batch.pad(mean_logp_C), *where)
        return {
            "pair_accuracy": metrics.pair_accuracy(*ranked.trio),
            "kendall_tau": Mean.over(metrics.kendall_tau(*ranked.trio)),
            "margin": Mean(best.total - worst.total, best.count),
            "logp_best": best,
            "length_best": length_best,
            "length_worst": length_worst,
        }


class Tuna(RankingLoss):
    """Hinges over all pairs with a margin that grows with the rank gap (Tuna, equation 4).

    reduction="sum" adds all pairs of an example up, as the paper writes it; "gap_mean" averages the
    hinge within each rank gap of the step and adds the gaps up, as the released code computes it.
    """

    def __init__(
        self, reduction: Literal["sum", "gap_mean"], margin: float, length_exponent: float
    ) -> None:
        super().__init__(length_exponent)
        if reduction not in ("sum", "gap_mean"):
            raise ConfigError(
                f"ranking_loss.reduction={reduction!r}; "
                "allowed are 'sum' (paper) and 'gap_mean' (release)."
            )
        self.reduction = reduction
        self.margin = margin

    def per_example(self, ranked: Ranked) -> Tensor:
        """Return the sum of hinges, shape (B,)."""
        return formulas.tuna_sum(*ranked.trio, self.margin)

    def loss(self, ranked: Ranked) -> Tensor:
        """Return this micro-batch's share, a scalar."""
        if self.reduction == "gap_mean":
            return formulas.tuna_gap_mean(*ranked.trio, self.margin, ranked.totals.pairs_G)
        return super().loss(ranked)

    def measure(
        self, ranked: Ranked, logp_C: Tensor, batch: RankedBatch
    ) -> dict[str, Mean | Tensor]:
        """Add the share of active hinges per rank gap to what every loss has; logp_C (C,)."""
        hinge_BNN = formulas.pair_hinge(*ranked.trio, self.margin)
        shares = metrics.active_hinges(hinge_BNN, ranked.rank_BN, ranked.mask_BN)
        active: dict[str, Mean | Tensor] = {
            f"active_hinges/gap_{gap}": share for gap, share in shares.items()
        }
        return super().measure(ranked, logp_C, batch) | active


class RRHF(Tuna):
    """RRHF (Yuan et al., arXiv 2304.05302, eq. 3): a hinge without a margin, summed over pairs."""

    def __init__(self, length_exponent: float) -> None:
        super().__init__("sum", 0.0, length_exponent)


class SLiC(RankingLoss):
    """SLiC-HF calibration over all pairs: a hinge of fixed width on sequence log-probabilities."""

    def __init__(self, delta: float, length_exponent: float) -> None:
        super().__init__(length_exponent)
        self.delta = delta

    def per_example(self, ranked: Ranked) -> Tensor:
        """Return the mean over pairs, shape (B,)."""
        return formulas.slic(*ranked.trio, self.delta)


class ListMLE(RankingLoss):
    """PRO's listwise likelihood: each response against all those ranked below it."""

    def per_example(self, ranked: Ranked) -> Tensor:
        """Return the listwise loss, shape (B,)."""
        return formulas.listmle(*ranked.trio)


class SimPO(RankingLoss):
    """SimPO over all pairs: mean log-probabilities, a target margin, no reference model."""

    def __init__(self, beta: float, gamma: float, length_exponent: float) -> None:
        super().__init__(length_exponent)
        self.beta = beta
        self.gamma = gamma

    def per_example(self, ranked: Ranked) -> Tensor:
        """Return the mean over pairs, shape (B,)."""
        return formulas.simpo(*ranked.trio, self.beta, self.gamma)


class DPO(RankingLoss):
    """DPO over all pairs, against the model that training starts from."""

    needs_reference = True

    def __init__(self, beta: float) -> None:
        super().__init__(length_exponent=0.0)
        self.beta = beta

    def per_example(self, ranked: Ranked) -> Tensor:
        """Return the mean over pairs, shape (B,); ValueError without a reference_BN."""
        if ranked.reference_BN is None:
            raise ValueError(
                f"reference_BN is {ranked.reference_BN}; "
                "DPO needs each response's reference log-probability"
            )
        return formulas.dpo(
            ranked.score_BN, ranked.reference_BN, ranked.rank_BN, ranked.mask_BN, self.beta
        )


class NoRanking(RankingLoss):
    """No ranking term, only its metrics: the control that spends the same likelihood term."""

    def per_example(self, ranked: Ranked) -> Tensor:
        """Return zeros, shape (B,)."""
        return ranked.score_BN.sum(1) * 0.0
