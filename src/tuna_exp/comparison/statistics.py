"""The numbers that the comparison rests on: bootstrap intervals, paired differences, agreement.

Left out: p-values, corrections for many comparisons, tasks and seeds, which are in `paired_tests`.
"""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from tuna_exp.errors import ConfigError, UserError
from tuna_exp.records import Prediction

Array = npt.NDArray[np.float64]
Verdict = Literal["better", "worse", "not told apart"]

# Resampled numbers held at once: 2 arrays of 2 M doubles are 32 MB, however many items there are.
_NUMBERS_AT_ONCE = 2_000_000
_MANY_UNITS = 5_000
# The mean of fewer units cannot leave their range in any resample, which then covers too little.
_LEAST_UNITS = 6
# The share of ordered pairs that a random order gets right.
CHANCE = 0.5
_SAME = 1e-12
# Below 1, where the BCa quantiles would be infinite.
_CERTAIN = 1 - 1e-6


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: `confidence` in (0, 1), number of `resamples`, `seed` of the draws.

    Raises:
        ConfigError: a value with which no interval can be made.
    """

    confidence: float
    resamples: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse what scipy would refuse much later and less plainly."""
        if not 0 < self.confidence < 1:
            raise ConfigError(
                f"comparison.confidence is {self.confidence}; allowed: between 0 and 1, both "
                "excluded. Cure: comparison.confidence=0.95"
            )
        if self.resamples < 100:
            raise ConfigError(
                f"comparison.resamples is {self.resamples}; allowed: 100 or more. "
                "Cure: comparison.resamples=9999"
            )


@dataclass(frozen=True)
class Interval:
    """An estimate over `items` items with its interval; `low`, `high` are NaN where unknown."""

    value: float
    low: float
    high: float
    items: int

    @property
    def known(self) -> bool:
        """Whether there were enough items (two) for an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def excludes(self, value: float) -> bool:
        """Whether the interval is known and lies wholly to one side of `value`."""
        return self.known and not self.low <= value <= self.high


@dataclass(frozen=True)
class Difference:
    """A method's score minus the baseline's over the same items, and what that allows to say.

    `p_value` is of no difference, `adjusted_p` the same corrected for all comparisons of the table
    (Holm), `detectable` the least difference that would have been found in 4 of 5 repetitions: None
    where one was found, or was not asked for. `seeds` is how many runs were paired.
    """

    interval: Interval
    verdict: Verdict
    p_value: float = math.nan
    adjusted_p: float = math.nan
    detectable: float | None = None
    seeds: int = 1


def mean_interval(
    values: Sequence[float], bounds: tuple[float, float], bootstrap: Bootstrap
) -> Interval:
    """Mean x̄ = Σ_i x_i / n with its BCa bootstrap interval over the n items.

    `bounds` are the least and largest value an item can have; they are used where all values are
    equal and resampling would show no spread (see `_unseen`), and close the interval of fewer than
    6 items, which is not BCa (see `ratio_interval`). BCa: Efron (1987), equation 4.1.
    """
    return ratio_interval(values, [1.0] * len(values), bounds, bootstrap)


def paired_difference(
    treatment: Sequence[Prediction], baseline: Sequence[Prediction], bootstrap: Bootstrap
) -> Difference:
    """Mean over the items i of s_i(treatment) − s_i(baseline), matched by instruction id.

    The verdict is "better" or "worse" where the interval excludes 0 and enough items differ to show
    anything (`can_tell`).

    Raises:
        UserError: the two sides do not hold the same instruction ids, each once.
    """
    differences = list(matched_differences(treatment, baseline).values())
    interval = mean_interval(differences, (-1.0, 1.0), bootstrap)
    differing = sum(abs(difference) > _SAME for difference in differences)
    enough = can_tell(differing, bootstrap.confidence)
    return Difference(interval, _verdict(interval) if enough else "not told apart")


def matched_differences(
    treatment: Sequence[Prediction], baseline: Sequence[Prediction]
) -> dict[str, float]:
    """Return s_i(treatment) − s_i(baseline) by instruction id, in the order of the ids.

    Raises:
        UserError: the two sides do not hold the same instruction ids, each once.
    """
    ours, theirs = _by_id(treatment), _by_id(baseline)
    if ours.keys() != theirs.keys():
        raise UserError(_mismatch(set(ours), set(theirs)))
    return {item: ours[item] - theirs[item] for item in sorted(ours)}


def can_tell(units: int, confidence: float) -> bool:
    """Whether so many units, all pointing one way, could show anything.

    2·(1/2)^k <= 1 − confidence, the two-sided sign test; at 0.95 it takes k = 6 units. On fewer
    the bootstrap is too narrow.
    """
    return 2.0 ** (1 - units) <= 1 - confidence


def kendall_tau_b(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's τ_b = (C − D) / sqrt((C + D + T_first)(C + D + T_second)); NaN for a side all tied.

    C and D count concordant and discordant pairs, T_x the pairs tied in x alone.
    """
    if len(set(first)) < 2 or len(set(second)) < 2:
        return math.nan
    return float(stats.kendalltau(first, second, variant="b").statistic)


@dataclass(frozen=True)
class PairCounts:
    """Pairs of one set that the truth orders: how many, agreed on, and tied by the ranker."""

    ordered: int
    agreed: int
    tied: int

    @property
    def credit(self) -> float:
        """Agreed pairs plus half of the tied ones: what tossing a coin for ties would expect."""
        return self.agreed + self.tied / 2


def count_pairs(ranker: Sequence[float], truth: Sequence[float]) -> PairCounts:
    """Compare two scorings of one set of responses, higher is better, over truth-ordered pairs."""
    scores = list(zip(ranker, truth, strict=True))
    products = [
        (a_ranker - b_ranker) * (a_truth - b_truth)
        for (a_ranker, a_truth), (b_ranker, b_truth) in combinations(scores, 2)
        if a_truth != b_truth
    ]
    agreed = sum(product > 0 for product in products)
    return PairCounts(len(products), agreed, sum(product == 0 for product in products))


def pair_agreement(sets: Sequence[PairCounts], bootstrap: Bootstrap) -> Interval | None:
    """Share of truth-ordered pairs that the ranker orders the same way, ties counting half.

    A = Σ_s (agreed_s + tied_s / 2) / Σ_s ordered_s; 0.5 is chance. The interval resamples whole
    sets, because the pairs of one set share responses. None where no pair has a true order.
    """
    ordered = [counts for counts in sets if counts.ordered]
    if not ordered:
        return None
    credit = [counts.credit for counts in ordered]
    pairs = [float(counts.ordered) for counts in ordered]
    return ratio_interval(credit, pairs, (0.0, 1.0), bootstrap)


def share_interval(count: int, of: int, confidence: float) -> Interval:
    """Share count / of with its Wilson score interval (Wilson 1927); `of` independent trials."""
    if not of:
        return Interval(math.nan, math.nan, math.nan, 0)
    low, high = stats.binomtest(count, of).proportion_ci(confidence, method="wilson")
    return Interval(count / of, float(low), float(high), of)


def ratio_interval(
    totals: Sequence[float],
    counts: Sequence[float],
    bounds: tuple[float, float],
    bootstrap: Bootstrap,
) -> Interval:
    """Σ totals / Σ counts with its BCa bootstrap interval over the n units, each count above 0.

    A unit is what is resampled as a whole, such as all pairs of one set. `bounds` are the least and
    largest ratio that a unit can have. Above 5,000 units and below 6 the interval is that of the
    linearised ratio: for many the two differ by O(1/n) and BCa takes n² steps; for few BCa would
    cover 5 times of 10 (2 units) to 9 (5).
    """
    top, base = np.asarray(totals, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    units = len(top)
    alike = not units or np.ptp(top / base) <= _SAME
    if units > _MANY_UNITS or (1 < units < _LEAST_UNITS and not alike):
        return _linearised(top, base, bounds, bootstrap.confidence)
    both = np.stack([top, base], axis=1)
    return sums_interval(both, lambda sums: sums[0] / sums[1], bounds, bootstrap)


def sums_interval(
    counts: Array,
    value: Callable[[Array], Array],
    bounds: tuple[float, float],
    bootstrap: Bootstrap,
) -> Interval:
    """A statistic of column sums with its BCa bootstrap interval over the n rows of `counts`.

    `counts` has shape (n, m), one row per resampled unit; `value` takes sums of shape (m, ...) and
    returns shape (...). `bounds` are the least and largest value it can have; they are used only
    where leaving out any unit changes nothing (see `_unseen`).
    """
    units, columns = counts.shape
    sums = counts.sum(axis=0)
    estimate = float(value(sums)) if units else math.nan
    if units < 2 or math.isnan(estimate):
        return Interval(estimate, math.nan, math.nan, units)
    if np.ptp(value((sums - counts).T)) <= _SAME:
        return _unseen(estimate, units, bounds, bootstrap.confidence)

    def resampled(*drawn: Array, axis: int = -1) -> Array:
        return value(np.stack([column.sum(axis=axis) for column in drawn]))

    with warnings.catch_warnings():
        # A resample without a value makes the interval unknown, which `Interval` says.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        low, high = stats.bootstrap(
            tuple(counts.T),
            resampled,
            paired=True,
            vectorized=True,
            n_resamples=bootstrap.resamples,
            batch=max(1, 2 * _NUMBERS_AT_ONCE // (units * columns)),
            confidence_level=_expanded(bootstrap.confidence, units),
            method="BCa",
            rng=np.random.default_rng(bootstrap.seed),
        ).confidence_interval
    return Interval(estimate, float(low), float(high), units)


def _linearised(
    totals: Array, counts: Array, bounds: tuple[float, float], confidence: float
) -> Interval:
    """Σ t / Σ c ± t_{n−1} · sqrt(n / (n − 1) · Σ (t − r·c)²) / Σ c within the bounds, r the ratio.

    Cochran (1977), equation 6.10.
    """
    value, units = float(totals.sum() / counts.sum()), len(totals)
    spread = units / (units - 1) * np.sum((totals - value * counts) ** 2)
    error = float(np.sqrt(spread) / counts.sum())
    half = float(stats.t.ppf((1 + confidence) / 2, units - 1)) * error
    low, high = bounds
    return Interval(value, max(value - half, low), min(value + half, high), units)


def _expanded(confidence: float, units: int) -> float:
    """The level at which a bootstrap over few units covers as often as `confidence` says.

    z' = t_{n−1} · sqrt(n / (n − 1)) in place of z: Hesterberg (2015), "What Teachers Should Know
    About the Bootstrap", expanded percentile interval. For 6 units 0.95 becomes 0.995.
    """
    wider = stats.t.ppf((1 + confidence) / 2, units - 1) * math.sqrt(units / (units - 1))
    return min(float(2 * stats.norm.cdf(wider) - 1), _CERTAIN)


def _unseen(value: float, units: int, bounds: tuple[float, float], confidence: float) -> Interval:
    """Interval where all n units are equal: what the sample cannot rule out.

    Units of another value may make up a share p of the population and still be missed by all n with
    probability (1 − p)^n; p = 1 − ((1 − confidence) / 2)^(1/n) is the largest share not ruled out
    (Clopper and Pearson 1934 at n out of n), and each could lie at one of the bounds.
    """
    share = 1 - ((1 - confidence) / 2) ** (1 / units)
    low, high = bounds
    return Interval(value, value - share * (value - low), value + share * (high - value), units)


def _verdict(interval: Interval) -> Verdict:
    if not interval.excludes(0.0):
        return "not told apart"
    return "better" if interval.value > 0 else "worse"


def _by_id(predictions: Sequence[Prediction]) -> dict[str, float]:
    scores = {prediction.instruction.id: prediction.score for prediction in predictions}
    if len(scores) != len(predictions):
        ids = Counter(prediction.instruction.id for prediction in predictions)
        twice, times = ids.most_common(1)[0]
        raise UserError(
            f"instruction id '{twice}' occurs {times} times among {len(predictions)} predictions; "
            "each item may be predicted once. Cure: evaluate again into an empty folder"
        )
    return scores


def _mismatch(ours: set[str], theirs: set[str]) -> str:
    sides = [
        ("the method alone", sorted(ours - theirs)),
        ("the baseline alone", sorted(theirs - ours)),
    ]
    told = "; ".join(f"{len(ids)} in {side}: {', '.join(ids[:5])}" for side, ids in sides if ids)
    return (
        f"the predictions are not on the same items ({told}); a paired difference needs the same "
        "instruction ids on both sides. Cure: evaluate both with the same evaluation settings"
    )
