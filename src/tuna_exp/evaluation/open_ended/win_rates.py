"""Figures of pairwise comparisons: win rate, as it is and at equal length, and relative score.

Comparisons without a preference (no reply could be read) are in no figure; `tally` counts them.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from tuna_exp.comparison.statistics import (
    Array,
    Bootstrap,
    Interval,
    mean_interval,
    sums_interval,
)
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.open_ended.judging import LOSS, TIE, WIN, Comparison
from tuna_exp.evaluation.open_ended.vicuna import HIGHEST

# Variance of the prior on the effect of length, in logits²: wide, but it keeps the effect finite
# where the longer answer always wins.
LENGTH_VARIANCE = 25.0
_LEAST_RELATIVE = 0.0
_CONTROLLED = "length-controlled win rate"
# Of fewer pairs the effect of length is a guess, and a win rate without it an extrapolation.
_LEAST_CONTROLLED = 20


@dataclass(frozen=True)
class Tally:
    """How often an answer won, tied and lost, and kinds of refusals with how often each came."""

    wins: int
    ties: int
    losses: int
    refusals: Mapping[str, int]


def tally(comparisons: Sequence[Comparison]) -> Tally:
    """Count outcomes."""
    counts = Counter(comparison.preference for comparison in comparisons)
    refusals = Counter(c.refusal for c in comparisons if c.preference is None)
    return Tally(counts[WIN], counts[TIE], counts[LOSS], dict(refusals))


def comparison_figures(comparisons: Sequence[Comparison], bootstrap: Bootstrap) -> list[Figure]:
    """Return the figures over all comparisons, the win rate first, then of each category.

    The relative score is there where judgements carry scores of the Vicuna scheme; a category of
    fewer than 20 pairs has no length-controlled win rate.
    """
    judged = [comparison for comparison in comparisons if comparison.preference is not None]
    kinds = sorted({comparison.instruction.kind for comparison in judged} - {""})
    groups = {"all": judged} | {
        kind: [c for c in judged if c.instruction.kind == kind] for kind in kinds
    }
    return [
        Figure(metric, group, figure(some, bootstrap))
        for metric, figure in _metrics(judged).items()
        for group, some in groups.items()
        if metric != _CONTROLLED or group == "all" or len(some) >= _LEAST_CONTROLLED
    ]


def _metrics(
    judged: Sequence[Comparison],
) -> dict[str, Callable[[Sequence[Comparison], Bootstrap], Interval]]:
    scored = any(min(comparison.scores or (0.0, 0.0)) > 0 for comparison in judged)
    return {
        "win rate": win_rate,
        _CONTROLLED: length_controlled,
        **({"relative score": relative_score} if scored else {}),
    }


def win_rate(judged: Sequence[Comparison], bootstrap: Bootstrap) -> Interval:
    """(wins + ties / 2) / n with its interval over the n comparisons, all with a preference."""
    return mean_interval(_preferences(judged).tolist(), (0.0, 1.0), bootstrap)


def relative_score(judged: Sequence[Comparison], bootstrap: Bootstrap) -> Interval:
    """Σ score of the answers / Σ score of the others: the "% of ChatGPT's quality" of Vicuna.

    Chiang et al. 2023, "Vicuna: An Open-Source Chatbot", table 2; scores are means over the orders.
    """
    scores = [comparison.scores for comparison in judged]
    both = np.asarray([pair for pair in scores if pair is not None], dtype=np.float64)
    if not len(both) or not both[:, 1].sum():
        return Interval(math.nan, math.nan, math.nan, len(both))
    return sums_interval(
        both, lambda sums: sums[0] / sums[1], (_LEAST_RELATIVE, HIGHEST), bootstrap
    )


def length_controlled(judged: Sequence[Comparison], bootstrap: Bootstrap) -> Interval:
    """Win rate had both answers the same length: logistic(θ) of AlpacaEval 2's model.

    P(win_i) = logistic(θ + φ·tanh(d_i / s)), d_i the length of the answer less that of the other in
    characters, s the standard deviation of d (ddof 1); a tie counts as half a win. Dubois et al.
    2024, "Length-Controlled AlpacaEval" (arXiv 2404.04475), equation 2, as in alpaca_eval's
    `metrics/glm_winrate.py`. Of that are left out the difficulty of an instruction, which they
    estimated once from their leaderboard for their 805 prompts, the copies of their baseline made
    shorter and longer, and their choice of an L1 penalty by cross-validation: φ has a normal prior
    of variance `LENGTH_VARIANCE` instead and θ none. So values are not those of their leaderboard,
    and where one side is nearly always longer they are an extrapolation that moves far.

    The interval is that of θ by the sandwich variance A⁻¹BA⁻¹ (White 1982), taken through the
    logistic. Where all preferences are equal or no lengths differ it is the plain win rate.
    """
    wins = _preferences(judged)
    differences = np.asarray([len(c.answer) - len(c.other) for c in judged], dtype=np.float64)
    if len(wins) < 3 or not np.ptp(wins) or not np.ptp(differences):
        return win_rate(judged, bootstrap)
    design_NF = np.stack(
        [np.ones(len(wins)), np.tanh(differences / differences.std(ddof=1))], axis=1
    )
    theta, error = _fit(design_NF, wins)
    half = float(stats.norm.ppf((1 + bootstrap.confidence) / 2)) * error
    value, low, high = (float(special.expit(x)) for x in (theta, theta - half, theta + half))
    return Interval(value, low, high, len(wins))


def _fit(design_NF: Array, wins: Array) -> tuple[float, float]:
    """Return θ and its standard error; the F = 2 columns of `design_NF` are 1 and the length."""
    precision_2 = np.array([0.0, 1 / LENGTH_VARIANCE])

    def loss(beta: Array) -> tuple[float, Array]:
        logits = design_NF @ beta
        value = np.sum(np.logaddexp(0, logits) - wins * logits) + beta**2 @ precision_2 / 2
        return float(value), design_NF.T @ (special.expit(logits) - wins) + precision_2 * beta

    def curvature(beta: Array) -> Array:
        chance = special.expit(design_NF @ beta)
        weighted = design_NF * (chance * (1 - chance))[:, None]
        return np.asarray(weighted.T @ design_NF + np.diag(precision_2))

    found = optimize.minimize(loss, np.zeros(2), jac=True, hess=curvature, method="trust-exact")
    residuals = special.expit(design_NF @ found.x) - wins
    inverse = np.linalg.inv(curvature(found.x))
    spread = (design_NF * (residuals**2)[:, None]).T @ design_NF
    return float(found.x[0]), math.sqrt((inverse @ spread @ inverse)[0, 0])


def _preferences(judged: Sequence[Comparison]) -> Array:
    return np.asarray([comparison.preference for comparison in judged], dtype=np.float64)
