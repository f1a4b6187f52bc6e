"""Tests between methods over the same items: items in tasks, several seeds, many comparisons.

Two questions are kept apart. The bootstrap asks what other seeds, tasks and items would have given
and draws all three anew. The permutation test asks whether these items could look like this if the
two methods were the same. Left out: models with random effects, which need a package of their own
and assume a normal distribution that scores of right and wrong do not have.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import stats

from tuna_exp.comparison.statistics import (
    Array,
    Bootstrap,
    Interval,
    matched_differences,
    mean_interval,
)
from tuna_exp.errors import UserError
from tuna_exp.records import Instruction, Prediction

Unit = Literal["task", "item"]
POWER = 0.8  # by convention: Cohen (1988), section 2.4
_NUMBERS_AT_ONCE = 2_000_000
_SAME = 1e-12


@dataclass(frozen=True)
class SeedScores:
    """Scores of the same items in S runs that differ by seed, or differences of such scores.

    `values_SI` has shape (S, I): S seeds, I items; `tasks` names the task of each item.
    """

    values_SI: Array
    tasks: tuple[str, ...]

    @property
    def mean(self) -> float:
        """Mean over seeds and items, so that a task weighs as much as it has items."""
        return float(self.values_SI.mean())

    @cached_property
    def members(self) -> list[Array]:
        """Return for each task the values of its items, shape (S, items of the task)."""
        names = np.asarray(self.tasks)
        return [self.values_SI[:, names == name] for name in dict.fromkeys(self.tasks)]


@dataclass(frozen=True)
class Resampled:
    """A mean with what its resamples tell: interval, standard error, degrees of freedom, p-value.

    `p_value` is two-sided, of the true mean being 0. Standard error and p-value are NaN where all
    values are the same and nothing is known of their spread.
    """

    interval: Interval
    standard_error: float
    freedom: float
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """A method against a baseline, as one of all comparisons of a table.

    `p_value` is that of `difference_p`, `adjusted_p` Holm's, `detectable` the smallest difference
    that would have been found in 4 of 5 repetitions: None where a difference was found, NaN where
    all items gave the same and nothing is known, or where none can be found (`_reachable`).
    """

    name: str
    difference: Resampled
    p_value: float
    adjusted_p: float
    significant: bool
    detectable: float | None


def seed_differences(
    treatment: Sequence[Sequence[Prediction]],
    baseline: Sequence[Sequence[Prediction]],
    task_of: Callable[[Instruction], str],
) -> SeedScores:
    """Return the method's scores minus the baseline's, matched by seed and instruction id.

    Each side is one list of predictions per seed, in the same order of seeds; a baseline of one run
    stands for every seed.

    Raises:
        UserError: the numbers of seeds differ, or the items of any two runs.
    """
    if len(baseline) not in (1, len(treatment)) or not treatment:
        raise UserError(
            f"the method has {len(treatment)} seeds and the baseline {len(baseline)}; a paired "
            "test needs the same seeds on both sides, or one run of the baseline. Cure: run both "
            "with the same seeds"
        )
    others = list(baseline) * (len(treatment) // len(baseline))
    runs = [matched_differences(a, b) for a, b in zip(treatment, others, strict=True)]
    for predictions in treatment[1:]:
        matched_differences(treatment[0], predictions)  # the same items, or an error that says so
    tasks = {p.instruction.id: task_of(p.instruction) for p in treatment[0]}
    values_SI = np.array([list(run.values()) for run in runs])
    return SeedScores(values_SI, tuple(tasks[item] for item in runs[0]))


def hierarchical_bootstrap(
    scores: SeedScores, bounds: tuple[float, float], bootstrap: Bootstrap
) -> Resampled:
    """Resample seeds, then tasks, then the items of each drawn task, all with replacement.

    A drawn item is seen in all drawn seeds, because every seed answered the same items: seeds and
    items are crossed (Owen 2007, "The pigeonhole bootstrap"), and drawing items anew in every seed
    would make S seeds look like S times as many items. Few seeds have two corrections, without
    which 3 seeds cover 8 times of 10 instead of 9.5: their deviations are stretched by
    sqrt(S / (S − 1)) (Rao and Wu 1988), and the percentile interval around the mean by t / z with
    the degrees of freedom of `_freedom`, which serves few tasks too; with them 2 seeds cover 8.9
    times of 10 where seeds differ more than tasks, and 3 cover 9.2. With items drawn inside tasks
    the interval is wider than needed where tasks are all alike (Davison and Hinkley 1997, section
    3.8). `bounds` are the least and largest value of an item; they close the interval, and make it
    where all items are equal and resampling would show no spread.
    """
    mean, items = scores.mean, scores.values_SI.shape[1]
    if items < 2 or np.ptp(scores.values_SI) <= _SAME:
        interval = mean_interval(list(scores.values_SI.mean(axis=0)), bounds, bootstrap)
        return Resampled(interval, math.nan, math.nan, math.nan)
    drawn_B = _resample(scores, bootstrap)
    error, freedom = float(drawn_B.std(ddof=1)), _freedom(scores, float(drawn_B.var(ddof=1)))
    outside = (1 - bootstrap.confidence) / 2
    stretch = stats.t.ppf(1 - outside, freedom) / stats.norm.ppf(1 - outside)
    ends = mean + stretch * (np.quantile(drawn_B, [outside, 1 - outside]) - mean)
    low, high = np.clip(ends, *bounds)
    p_value = float(2 * stats.t.sf(abs(mean) / error, freedom))
    return Resampled(Interval(mean, float(low), float(high), items), error, freedom, p_value)


def permutation_p(differences: SeedScores, unit: Unit, bootstrap: Bootstrap) -> float:
    """Return the two-sided p-value of the mean difference under random exchange of the methods.

    If the methods are the same, a unit's difference is as likely with either sign (Fisher 1935,
    section 21). By "task" all items of a task are exchanged together, which holds for other tasks
    of the kind; by "item" each is exchanged alone, which holds for other items of these tasks.
    Seeds are averaged first: other seeds are the bootstrap's question. All 2^units exchanges are
    made where they are no more than `bootstrap.resamples`, else so many random ones.
    """
    mean_I = differences.values_SI.mean(axis=0)
    sums = [task.mean(axis=0).sum() for task in differences.members]
    units = mean_I if unit == "item" else np.array(sums)
    if len(units) < 2 or not np.any(np.abs(units) > _SAME):
        return 1.0
    test = stats.permutation_test(
        (units,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=bootstrap.resamples,
        batch=max(1, _NUMBERS_AT_ONCE // len(units)),
        rng=np.random.default_rng(bootstrap.seed),
    )
    return float(test.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number by Holm's step-down procedure, in their order.

    With p_(1) <= ... <= p_(m): adjusted p_(i) = max over j <= i of min(1, (m − j + 1) · p_(j)).
    Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure". statsmodels has it too,
    but would be here for these four lines alone.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    adjusted = np.empty_like(p)
    adjusted[order] = stepped
    return [float(value) for value in adjusted]


def difference_p(
    differences: SeedScores, resampled: Resampled, unit: Unit, bootstrap: Bootstrap
) -> float:
    """Return the p-value of a comparison: the permutation test's where there is one seed.

    Several seeds are there to tell luck of training from the method, and the permutation test is
    blind to it: then it is the larger of the two p-values, that both have to be small (Berger
    1982, intersection-union test).
    """
    p_value = permutation_p(differences, unit, bootstrap)
    if len(differences.values_SI) == 1 or math.isnan(resampled.p_value):
        return p_value
    return max(p_value, resampled.p_value)


def detectable_difference(resampled: Resampled, level: float) -> float:
    """Return the least true difference that a two-sided test finds with probability `POWER`.

    δ = (t_{1 − level/2} + t_{0.8}) · SE (Bloom 1995, "Minimum Detectable Effects"); at level 0.05
    and many tasks it is 2.80 standard errors. Those are the bootstrap's, so that it is rather too
    large than too small; of 6 or 7 tasks it is found 7 times of 10. NaN at level 0.
    """
    if not level:
        return math.nan
    t = stats.t.ppf([1 - level / 2, POWER], resampled.freedom)
    return float(t.sum()) * resampled.standard_error


def compare_all(
    differences: Mapping[str, SeedScores],
    bounds: tuple[float, float],
    unit: Unit,
    bootstrap: Bootstrap,
) -> list[Comparison]:
    """Test every comparison of a table at a family-wise error of 1 − confidence.

    A comparison that shows nothing had to pass the level at which Holm's procedure stopped,
    (1 − confidence) / (m − rejected); its detectable difference is for what the permutation test
    can reach of that level.
    """
    resampled = [hierarchical_bootstrap(s, bounds, bootstrap) for s in differences.values()]
    raw = [
        difference_p(scores, drawn, unit, bootstrap)
        for scores, drawn in zip(differences.values(), resampled, strict=True)
    ]
    adjusted, error = holm(raw), 1 - bootstrap.confidence
    found = [p <= error for p in adjusted]
    level = error / max(len(found) - sum(found), 1)

    def detectable(scores: SeedScores, drawn: Resampled) -> float:
        units = len(scores.tasks) if unit == "item" else len(scores.members)
        return detectable_difference(drawn, _reachable(level, units, bootstrap.resamples))

    return [
        Comparison(name, drawn, p, q, real, None if real else detectable(scores, drawn))
        for (name, scores), drawn, p, q, real in zip(
            differences.items(), resampled, raw, adjusted, found, strict=True
        )
    ]


def _reachable(level: float, units: int, resamples: int) -> float:
    """Return the largest p-value up to `level` that the permutation test of so many units can have.

    Its p-values are multiples of 2 / 2^units where it makes all exchanges, else of
    2 / (resamples + 1): 6 units never give less than 0.031, so of four comparisons at 0.05 / 4
    none can show anything.
    """
    step = 2.0 ** (1 - units) if units <= math.log2(resamples) else 2 / (resamples + 1)
    return math.floor(level / step + _SAME) * step


def _freedom(scores: SeedScores, variance: float) -> float:
    """Degrees of freedom of the resamples' variance (Satterthwaite 1946).

    V² / (V_s² / (S − 1) + V_t² / (T − 1)), with V_s the part of the seeds, V_t the rest and T the
    number of tasks, or of items in a single task.
    """
    seeds, items = scores.values_SI.shape
    units = len(scores.members) if len(scores.members) > 1 else items
    of_seeds = float(scores.values_SI.mean(axis=1).var(ddof=1)) / seeds if seeds > 1 else 0.0
    of_seeds = min(of_seeds, variance)
    parts = (variance - of_seeds) ** 2 / (units - 1) + of_seeds**2 / max(seeds - 1, 1)
    return float(variance**2 / parts)


def _resample(scores: SeedScores, bootstrap: Bootstrap) -> Array:
    """Return the mean of each of the B resamples, shape (B,)."""
    # A stream of its own for the seeds: equal seeds then give what one of them gives alone.
    rng, rng_of_seeds = np.random.default_rng(bootstrap.seed).spawn(2)
    resamples = bootstrap.resamples
    seeds, tasks = len(scores.values_SI), len(scores.members)
    weights_BS = rng_of_seeds.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    weights_BS = 1 / seeds + (weights_BS - 1 / seeds) * math.sqrt(seeds / max(seeds - 1, 1))
    times_BT = rng.multinomial(tasks, np.full(tasks, 1 / tasks), size=resamples)
    sums_BS = np.zeros((resamples, seeds))
    for task, values_SN in enumerate(scores.members):
        rows_K = np.repeat(np.arange(resamples), times_BT[:, task])
        sums_KS = _drawn_sums(values_SN, len(rows_K), rng)
        for seed in range(seeds):
            sums_BS[:, seed] += np.bincount(rows_K, sums_KS[:, seed], minlength=resamples)
    sizes_T = np.array([members.shape[1] for members in scores.members])
    means_B: Array = (sums_BS * weights_BS).sum(axis=1) / (times_BT @ sizes_T)
    return means_B


def _drawn_sums(values_SN: Array, draws: int, rng: np.random.Generator) -> Array:
    """Return sums over N items drawn with replacement of N, for each draw and seed."""
    seeds, items = values_SN.shape
    patterns_SU, count_U = np.unique(values_SN, axis=1, return_counts=True)
    if 4 * len(count_U) <= items:  # right or wrong: drawing how many is drawing which, and faster
        sums: Array = rng.multinomial(items, count_U / items, size=draws) @ patterns_SU.T
        return sums
    sums_KS, at_once = np.empty((draws, seeds)), max(1, _NUMBERS_AT_ONCE // (items * seeds))
    for first in range(0, draws, at_once):
        some = min(at_once, draws - first)
        index_KN = rng.integers(items, size=(some, items))
        sums_KS[first : first + some] = values_SN[:, index_KN].sum(axis=2).T
    return sums_KS
