"""How far rankers agree with one another on the sets that they all ranked.

Agreement is no proof: a mistake that rankers share looks like quality. Left out: which of two
rankers is right; that takes a truth (`ranking_quality`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from tuna_exp.comparison.reliability import TAU
from tuna_exp.comparison.statistics import Bootstrap, Interval, kendall_tau_b, mean_interval
from tuna_exp.records import RankedExample

# Scores of one set, one row per ranker; higher is better.
Scores = list[list[float]]


@dataclass(frozen=True)
class Agreement:
    """Agreement of `rankings`, by name, on the sets they share.

    `tau` is the mean of Kendall's τ_b over the sets that both of two order. `concordance` is the
    mean of Kendall's W over the sets that at least one orders; m rankers that have nothing to do
    with one another get 1/m on average, equal ones 1.
    """

    rankings: tuple[str, ...]
    sets: int
    tau: Interval | None
    concordance: Interval | None


def agreements(
    rankings: Mapping[str, Sequence[RankedExample]], bootstrap: Bootstrap
) -> list[Agreement]:
    """Return the agreement of every two rankings that share sets, then that of all who do.

    Sets are the same where instruction id and all different texts are: two models that happen to
    write one text alike have not been ranked together.
    """
    found = [_agreement(dict(two), bootstrap) for two in combinations(rankings.items(), 2)]
    known = [agreement for agreement in found if agreement.sets]
    together = dict.fromkeys(name for agreement in known for name in agreement.rankings)
    if len(together) > 2:
        everyone = _agreement({name: rankings[name] for name in together}, bootstrap)
        known += [everyone] if everyone.sets else []
    return known


def kendall_w(scores: Scores) -> float:
    """Kendall's W of m rankers over n responses, corrected for ties; NaN where nobody orders.

    W = 12 S / (m² (n³ − n) − m Σ_j T_j) with S the squared deviations of the n sums of ranks from
    their mean, and T_j = Σ (t³ − t) over ranker j's groups of t tied ones (Kendall and Gibbons
    1990, chapter 6). It is Friedman's χ² / (m (n − 1)), which scipy has for n above 2 only.
    """
    ranks = np.array([stats.rankdata(row) for row in scores])
    m, n = ranks.shape
    sums = ranks.sum(axis=0)
    spread = 12 * float(((sums - sums.mean()) ** 2).sum())
    groups = [np.unique(row, return_counts=True)[1] for row in ranks]
    ties = float(sum((sizes.astype(float) ** 3 - sizes).sum() for sizes in groups))
    whole = m**2 * (n**3 - n) - m * ties
    return spread / whole if whole else float("nan")


def _agreement(rankings: Mapping[str, Sequence[RankedExample]], bootstrap: Bootstrap) -> Agreement:
    shared = list(_shared(list(rankings.values())))
    two = len(rankings) == 2
    taus = [tau for scores in shared if two and (tau := kendall_tau_b(*scores)) == tau]
    ws = [w for scores in shared if (w := kendall_w(scores)) == w]
    return Agreement(
        rankings=tuple(rankings),
        sets=len(shared),
        tau=mean_interval(taus, TAU, bootstrap) if taus else None,
        concordance=mean_interval(ws, (0.0, 1.0), bootstrap) if ws else None,
    )


def _shared(rankings: Sequence[Sequence[RankedExample]]) -> Iterator[Scores]:
    places = [{example.instruction.id: i for i, example in enumerate(r)} for r in rankings]
    for name in places[0]:
        if not all(name in other for other in places):
            continue
        examples = [r[place[name]] for r, place in zip(rankings, places, strict=True)]
        scores = [{r.text: -float(r.rank) for r in example.responses} for example in examples]
        texts = [response.text for response in examples[0].responses]
        if len(texts) > 1 and all(some.keys() == set(texts) for some in scores):
            yield [[some[text] for text in texts] for some in scores]
