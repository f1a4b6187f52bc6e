"""How far people agree with each other and with the rankers, in chance-corrected terms too.

Every item is taken apart into comparisons of two of its texts: first better, tie, second better. A
pair has one of them, a list of n texts n(n−1)/2. All that is said of two judges is then a function
of their 3 x 3 table of comparisons, summed over items; intervals resample whole items.

The formulas are written out here because every statistic is needed for thousands of resamples, and
as functions of sums they take all of them at once. The package for alpha is also under a licence
(GPL) that this project cannot depend on. Tests hold them to published values.
Left out: weights for how sure a rater was, and models of rater quality (Dawid and Skene).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from tuna_exp.comparison.statistics import Array, Bootstrap, Interval, sums_interval
from tuna_exp.study.answers import Answers
from tuna_exp.study.key import Item, Key, Kind, Ranks

Codes = npt.NDArray[np.int64]

FIRST, TIE, SECOND, MISSING = 0, 1, 2, -1
_CLASSES = 3
_CELLS = _CLASSES**2
_SIGNED, _SHARE = (-1.0, 1.0), (0.0, 1.0)


@dataclass(frozen=True)
class Together:
    """Two judges, or the mean over all pairs of people: each with its interval over items.

    `agreement` is the share of equal comparisons, `kappa` Cohen's κ, `tau` Kendall's τ_b.
    """

    agreement: Interval
    kappa: Interval
    tau: Interval


@dataclass(frozen=True)
class Pair:
    """Cohen's κ of two raters."""

    first: str
    second: str
    kappa: Interval


@dataclass(frozen=True)
class People:
    """What the raters have in common; `alpha` is Krippendorff's."""

    mean: Together
    alpha: Interval
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Ranker:
    """A ranker against the people's majority, against a person, and its Cohen's κ with each.

    `person` is the mean over raters, which is what the people's mean over pairs compares with: a
    majority is easier to agree with than a person is. `unanswered` counts comparisons with a
    majority that the ranker gave no verdict on: they count as not agreeing, and are left out of κ
    and τ.
    """

    name: str
    majority: Together
    person: Together
    kappas: dict[str, Interval]
    unanswered: int


@dataclass(frozen=True)
class Agreement:
    """All of a study's results. `undecided` comparisons have no majority among the raters."""

    study: str
    kind: Kind
    raters: tuple[str, ...]
    items: int
    comparisons: int
    undecided: int
    people: People | None
    rankers: tuple[Ranker, ...]
    bootstrap: Bootstrap


def measure(key: Key, answers: Sequence[Answers], bootstrap: Bootstrap) -> Agreement:
    """Compare raters and rankers; `people` is None where one rater has nobody to agree with."""
    owners = _owners(key.items)
    people = {a.rater: _codes(key.items, a.ranks) for a in answers}
    majority = majority_of(np.stack(list(people.values())))
    rankers = [
        _ranker(name, _codes(key.items, _verdicts(key, name)), majority, people, owners, bootstrap)
        for name in key.rankers
    ]
    return Agreement(
        study=key.digest,
        kind=key.kind,
        raters=tuple(people),
        items=len(key.items),
        comparisons=len(majority),
        undecided=int((majority == MISSING).sum()),
        people=_people(key, answers, people, owners, bootstrap) if len(people) > 1 else None,
        rankers=tuple(rankers),
        bootstrap=bootstrap,
    )


def majority_of(codes: Codes) -> Codes:
    """The most frequent of the codes of each column, shape (raters, n) to (n,).

    MISSING where two are equally frequent or where nobody said anything.
    """
    votes = np.stack([(codes == code).sum(axis=0) for code in range(_CLASSES)])
    most = votes.max(axis=0)
    clear = (votes == most).sum(axis=0) == 1
    return np.where(clear, votes.argmax(axis=0), MISSING)


def share_agreeing(table: Array) -> Array:
    """Σ_k n_kk / (Σ n + unanswered) of a table of shape (9, ...), or (10, ...) with unanswered."""
    with np.errstate(invalid="ignore"):
        return np.asarray((table[0] + table[4] + table[8]) / table.sum(axis=0))


def cohens_kappa(table: Array) -> Array:
    """κ = (p_o − p_e) / (1 − p_e), p_e = Σ_k p_k· p_·k, of a table of shape (9, ...).

    NaN where both judges always say the same one thing. Cohen (1960).
    """
    square = table[:_CELLS].reshape(_CLASSES, _CLASSES, *table.shape[1:])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = square / square.sum(axis=(0, 1))
        expected = (shares.sum(axis=1) * shares.sum(axis=0)).sum(axis=0)
        observed = shares[0, 0] + shares[1, 1] + shares[2, 2]
        # Rounding makes 1 − p_e a little more or less than 0.
        return np.where(np.isclose(expected, 1.0), np.nan, (observed - expected) / (1.0 - expected))


def kendalls_tau(table: Array) -> Array:
    """τ_b = (C − D) / sqrt((n − T_a)(n − T_b)) of a table of shape (9, ...).

    C comparisons are ordered the same way by both judges, D the other way, T_a are ties of the
    first and T_b of the second among all n. Pooled over items, comparisons within each: for one
    item it is the τ_b of its two rankings. NaN where a judge ties everything. Kendall (1945).
    """
    square = table[:_CELLS].reshape(_CLASSES, _CLASSES, *table.shape[1:])
    same, other = square[0, 0] + square[2, 2], square[0, 2] + square[2, 0]
    total = square.sum(axis=(0, 1))
    untied = (total - square[1].sum(axis=0)) * (total - square[:, 1].sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((same - other) / np.sqrt(untied))


def krippendorffs_alpha(coincidences: Array, ordinal: bool) -> Array:
    """α = 1 − (n − 1) Σ_ck o_ck δ²_ck / Σ_ck n_c n_k δ²_ck, coincidences o of shape (K·K, ...).

    δ² is 1 for unlike nominal values, and for ordinal ones (Σ_{g=c..k} n_g − (n_c + n_k) / 2)²,
    the difference of their mid-ranks. Krippendorff (2011), "Computing Krippendorff's
    Alpha-Reliability". NaN where all values are alike.
    """
    values = round(len(coincidences) ** 0.5)
    pairs = coincidences.reshape(values, values, *coincidences.shape[1:])
    counts = pairs.sum(axis=1)
    if ordinal:
        middles = counts.cumsum(axis=0) - counts / 2
        distance = (middles[:, None] - middles[None, :]) ** 2
    else:
        unlike = 1.0 - np.eye(values)
        distance = unlike.reshape(values, values, *[1] * (pairs.ndim - 2))
    observed = (pairs * distance).sum(axis=(0, 1))
    expected = (counts[:, None] * counts[None, :] * distance).sum(axis=(0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1.0 - (counts.sum(axis=0) - 1.0) * observed / expected)


def coincidences(counts: Array) -> Array:
    """Coincidences o_ck of one unit whose values occur `counts` times, shape (K,) to (K·K,).

    (n_c n_k − [c = k] n_c) / (m − 1) with m = Σ n; nothing where fewer than two said anything.
    """
    said = counts.sum()
    if said < 2:
        return np.zeros(len(counts) ** 2)
    pairs = (np.outer(counts, counts) - np.diag(counts)) / (said - 1)
    return np.asarray(pairs.ravel())


def _owners(items: Sequence[Item]) -> Codes:
    """Number of the item that each comparison belongs to."""
    numbers = [n for n, item in enumerate(items) for _ in combinations(item.texts, 2)]
    return np.array(numbers, dtype=np.int64)


def _codes(items: Sequence[Item], ranks: Mapping[str, Ranks]) -> Codes:
    """What a judge says on every comparison of every item."""
    said: list[int] = []
    for item in items:
        own = ranks.get(item.id)
        for a, b in combinations(range(len(item.texts)), 2):
            said.append(MISSING if own is None else TIE + (own[a] > own[b]) - (own[a] < own[b]))
    return np.array(said, dtype=np.int64)


def _verdicts(key: Key, ranker: str) -> dict[str, Ranks]:
    said = {item.id: item.verdicts.get(ranker) for item in key.items}
    return {item: ranks for item, ranks in said.items() if ranks is not None}


def _tables(first: Codes, second: Codes, owners: Codes) -> Array:
    """3 x 3 tables of two judges by item, shape (items, 9); row is the first's verdict."""
    tables = np.zeros((int(owners.max()) + 1, _CELLS))
    both = (first != MISSING) & (second != MISSING)
    np.add.at(tables, (owners[both], _CLASSES * first[both] + second[both]), 1.0)
    return tables


def _together(tables: Array, bootstrap: Bootstrap) -> Together:
    """What two judges have in common; tables of shape (items, 9 or 10)."""
    rows = tables[tables.any(axis=1)]
    answered = tables[tables[:, :_CELLS].any(axis=1)]
    return Together(
        sums_interval(rows, share_agreeing, _SHARE, bootstrap),
        sums_interval(answered, cohens_kappa, _SIGNED, bootstrap),
        sums_interval(answered, kendalls_tau, _SIGNED, bootstrap),
    )


def _kappa(tables: Array, bootstrap: Bootstrap) -> Interval:
    return sums_interval(tables[tables.any(axis=1)], cohens_kappa, _SIGNED, bootstrap)


def _ranker(
    name: str,
    said: Codes,
    majority: Codes,
    people: Mapping[str, Codes],
    owners: Codes,
    bootstrap: Bootstrap,
) -> Ranker:
    against = {rater: _against(said, codes, owners) for rater, codes in people.items()}
    return Ranker(
        name,
        _together(_against(said, majority, owners), bootstrap),
        _mean_together([t for t in against.values() if t.any()], bootstrap),
        {rater: _kappa(tables[:, :_CELLS], bootstrap) for rater, tables in against.items()},
        int(((said == MISSING) & (majority != MISSING)).sum()),
    )


def _against(said: Codes, judge: Codes, owners: Codes) -> Array:
    """Tables of a ranker and who judges it, with what it left unanswered, shape (items, 10)."""
    silent = (said == MISSING) & (judge != MISSING)
    unanswered = np.bincount(owners[silent], minlength=int(owners.max()) + 1)
    return np.column_stack([_tables(said, judge, owners), unanswered])


def _people(
    key: Key,
    answers: Sequence[Answers],
    people: Mapping[str, Codes],
    owners: Codes,
    bootstrap: Bootstrap,
) -> People | None:
    """Agreement of the people; None where no two of them answered the same item."""
    pairs = {(a, b): _tables(people[a], people[b], owners) for a, b in combinations(people, 2)}
    met = {names: tables for names, tables in pairs.items() if tables.any()}
    if not met:
        return None
    return People(
        _mean_together(list(met.values()), bootstrap),
        _alpha(key, answers, people, owners, bootstrap),
        tuple(Pair(*names, _kappa(tables, bootstrap)) for names, tables in met.items()),
    )


def _mean_together(tables: Sequence[Array], bootstrap: Bootstrap) -> Together:
    """Unweighted means over pairs of judges, each pair with tables of shape (items, 9 or 10)."""
    side = np.column_stack(tables)
    rows = side[side.any(axis=1)]

    def mean_of(sums: Array, statistic: str) -> Array:
        by_pair = np.moveaxis(sums.reshape(len(tables), -1, *sums.shape[1:]), 0, 1)
        return np.asarray(_STATISTICS[statistic](by_pair).mean(axis=0))

    return Together(
        sums_interval(rows, lambda sums: mean_of(sums, "agreement"), _SHARE, bootstrap),
        sums_interval(rows, lambda sums: mean_of(sums, "kappa"), _SIGNED, bootstrap),
        sums_interval(rows, lambda sums: mean_of(sums, "tau"), _SIGNED, bootstrap),
    )


_STATISTICS = {"agreement": share_agreeing, "kappa": cohens_kappa, "tau": kendalls_tau}


def _alpha(
    key: Key,
    answers: Sequence[Answers],
    people: Mapping[str, Codes],
    owners: Codes,
    bootstrap: Bootstrap,
) -> Interval:
    """Nominal α of the verdicts on pairs; ordinal α of the ranks of a list's responses."""
    if key.kind == "pairs":
        codes = np.stack(list(people.values()))
        votes = np.stack([(codes == code).sum(axis=0) for code in range(_CLASSES)], axis=1)
        rows = np.stack([coincidences(row) for row in votes.astype(np.float64)])
    else:
        rows = np.stack([_rank_coincidences(key, item, answers) for item in key.items])
    rows = rows[rows.any(axis=1)]
    ordinal = key.kind == "lists"
    return sums_interval(rows, lambda o: krippendorffs_alpha(o, ordinal), _SIGNED, bootstrap)


def _rank_coincidences(key: Key, item: Item, answers: Sequence[Answers]) -> Array:
    """Coincidences of the ranks that raters gave to each text of one item, summed."""
    values = max(len(other.texts) for other in key.items)
    counts = np.zeros((len(item.texts), values))
    for said in answers:
        for text, rank in enumerate(said.ranks.get(item.id, ())):
            counts[text, rank] += 1.0
    return np.asarray(sum(coincidences(row) for row in counts))
