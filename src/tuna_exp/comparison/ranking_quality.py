"""How good a ranking is: its order against the order by true scores, where a check can tell.

Left out: agreement between two rankers. A shared mistake would look like quality.
"""

from collections.abc import Callable, Mapping, Sequence

from tuna_exp.comparison.results import RankingResult
from tuna_exp.comparison.statistics import (
    Bootstrap,
    Interval,
    count_pairs,
    kendall_tau_b,
    mean_interval,
    pair_agreement,
)
from tuna_exp.records import Instruction, RankedExample

Truth = Callable[[Instruction, str], float]


def assess(
    name: str,
    ranker: str,
    examples: Sequence[RankedExample],
    truth: Truth,
    refusals: Mapping[str, int],
    bootstrap: Bootstrap,
) -> RankingResult:
    """Measure one ranking against `truth(instruction, text)`, higher is better.

    `agreement` is `statistics.pair_agreement`; `tau` the mean of Kendall's τ_b over the sets in
    which both sides have an order; `pairs` counts truth-ordered pairs, `ties` those of them
    that the ranker ties.
    """
    scored = [_scores(example, truth) for example in examples]
    counts = [count_pairs(*scores) for scores in scored]
    taus = [tau for scores in scored if (tau := kendall_tau_b(*scores)) == tau]
    return RankingResult(
        name=name,
        ranker=ranker,
        agreement=pair_agreement(counts, bootstrap),
        ordered_sets=sum(example.ordered_pairs > 0 for example in examples),
        sets=len(examples),
        pairs=sum(count.ordered for count in counts),
        refusals=dict(refusals),
        ties=sum(count.tied for count in counts),
        tau=mean_interval(taus, (-1.0, 1.0), bootstrap) if taus else None,
    )


def agreement(
    examples: Sequence[RankedExample], truth: Truth, bootstrap: Bootstrap
) -> Interval | None:
    """Share of truth-ordered pairs ranked the same way, ties half; None without any such pair."""
    return pair_agreement(
        [count_pairs(*_scores(example, truth)) for example in examples], bootstrap
    )


def _scores(example: RankedExample, truth: Truth) -> tuple[list[float], list[float]]:
    """The ranker's and the truth's score of each response, both higher is better."""
    ranker = [-float(response.rank) for response in example.responses]
    return ranker, [truth(example.instruction, response.text) for response in example.responses]
