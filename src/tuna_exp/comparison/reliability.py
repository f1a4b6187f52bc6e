"""How far one ranking can be trusted, from what its ranker was shown and said. No truth is needed.

Left out: chance-corrected coefficients (Cohen's kappa, Krippendorff's alpha). They depend on how
often a ranker ties and are hard to read beside a share; agreement with a truth is `ranking_quality`
and agreement between rankers `between_rankers`. What the figures mean is said in `verdicts`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from tuna_exp.comparison.statistics import (
    Bootstrap,
    Interval,
    kendall_tau_b,
    mean_interval,
    ratio_interval,
    share_interval,
)
from tuna_exp.records import Judgement, RankedExample, RankedResponse

SHARE = (0.0, 1.0)
TAU = (-1.0, 1.0)
# What one example adds to the upper and to the lower side of a ratio.
Part = tuple[float, float]
# By pair of texts: 1 the first is better, -1 the second, 0 they tie.
Order = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Slot:
    """How often the response shown at a place was ranked first, ties for first shared.

    `number` counts from 1. `expected` is the mean of 1/N over the same replies: what a ranker gives
    that does not look at places, where the order shown was drawn at random.
    """

    number: int
    won: Interval
    expected: float


@dataclass(frozen=True)
class RefusalShare:
    """How often a ranker gave no usable order, of one kind."""

    kind: str
    count: int
    share: Interval


@dataclass(frozen=True)
class Reliability:
    """The figures of one ranking; None where nothing was there to measure it on.

    Every interval is over `items` examples, each resampled with all it holds; those of refusals are
    over sets. Pairs are pairs of responses of one set, shares in [0, 1].

    - `order_pairs`, `order_sets`: pairs with the same verdict, and sets of which every pair has it,
      among those asked about in more than one order.
    - `repeat_pairs`, `repeat_tau`: the same share, and Kendall's τ_b, between replies to the very
      same question.
    - `tied_pairs`, `unordered_sets`: of the ranking itself.
    - `cycles`: triads a > b > c > a among those that questions about two responses decided; 1/4 is
      what tossing coins gives.
    - `length_tau`, `longer_wins`: τ_b of the order with the number of characters, and the share of
      ordered pairs of unequal length whose longer response is the better.
    - `likelihood_tau`: τ_b of the order with the likelihood that its writer gives each response.
    """

    sets: int
    replies: int
    slots: tuple[Slot, ...]
    order_pairs: Interval | None
    order_sets: Interval | None
    repeat_pairs: Interval | None
    repeat_tau: Interval | None
    tied_pairs: Interval | None
    unordered_sets: Interval | None
    cycles: Interval | None
    length_tau: Interval | None
    longer_wins: Interval | None
    likelihood_tau: Interval | None
    refusals: tuple[RefusalShare, ...]
    refused_replies: tuple[RefusalShare, ...]
    confidence: float


def measure(
    examples: Sequence[RankedExample], refused: Mapping[str, int], bootstrap: Bootstrap
) -> Reliability:
    """Measure a ranking; `refused` counts the sets without a usable order by kind."""
    orders = [_between(example, _other_order) for example in examples]
    repeats = [_between(example, _same_order) for example in examples]
    judgements = [judgement for example in examples for judgement in example.judgements]
    refused_replies = Counter(j.refusal for j in judgements if j.refusal)
    confidence = bootstrap.confidence
    return Reliability(
        sets=len(examples),
        replies=len(judgements),
        slots=slots(examples, bootstrap),
        order_pairs=_ratio(map(_same_verdicts, orders), bootstrap),
        order_sets=_ratio(map(_same_orders, orders), bootstrap),
        repeat_pairs=_ratio(map(_same_verdicts, repeats), bootstrap),
        repeat_tau=_mean_tau(map(_replies_tau, repeats), bootstrap),
        tied_pairs=_ratio(map(_tied, examples), bootstrap),
        unordered_sets=_ratio(((not e.ordered_pairs, 1) for e in examples), bootstrap),
        cycles=_ratio(map(cycles, examples), bootstrap),
        length_tau=_mean_tau((_rank_tau(e.responses, _length) for e in examples), bootstrap),
        longer_wins=_ratio(map(_longer_wins, examples), bootstrap),
        likelihood_tau=_mean_tau((_likelihood_tau(e) for e in examples), bootstrap),
        refusals=_shares(refused, len(examples) + sum(refused.values()), confidence),
        refused_replies=_shares(refused_replies, len(judgements), confidence),
        confidence=confidence,
    )


def slots(examples: Sequence[RankedExample], bootstrap: Bootstrap) -> tuple[Slot, ...]:
    """Return each place's share of first ranks.

    The interval is that of the excess over 1/N, so that sets of different N can be taken together.
    """
    shown = [[j for j in example.judgements if len(j.scores) > 1] for example in examples]
    most = max((len(j.shown) for some in shown for j in some), default=0)
    return tuple(_slot(place, shown, bootstrap) for place in range(most))


def _slot(place: int, shown: Sequence[Sequence[Judgement]], bootstrap: Bootstrap) -> Slot:
    fitting = [[j for j in some if len(j.shown) > place] for some in shown]
    excess = [(sum(_excess(j, place) for j in some), float(len(some))) for some in fitting if some]
    sizes = [len(j.shown) for some in fitting for j in some]
    expected = sum(1 / size for size in sizes) / len(sizes)
    totals, counts = zip(*excess, strict=True)
    over = ratio_interval(totals, counts, (-expected, 1 - expected), bootstrap)
    value, low, high = (expected + side for side in (over.value, over.low, over.high))
    return Slot(place + 1, Interval(value, low, high, over.items), expected)


def _excess(judgement: Judgement, place: int) -> float:
    best = max(judgement.scores)
    first = [score == best for score in judgement.scores]
    return first[place] / sum(first) - 1 / len(first)


def order_of(judgement: Judgement) -> Order:
    """Return a reply's verdict on every pair of the texts it was shown, by the pair in order."""
    scored = sorted(zip(judgement.shown, judgement.scores, strict=True))
    return {(a, b): (x > y) - (x < y) for (a, x), (b, y) in combinations(scored, 2)}


def cycles(example: RankedExample) -> Part:
    """Return how many decided triads of an example go round in a circle, and how many there are.

    A pair's verdict is the sum of those of all replies about these two alone; at 0 it is open.
    """
    net: Counter[tuple[str, str]] = Counter()
    for judgement in example.judgements:
        if len(judgement.scores) == 2:
            net.update(order_of(judgement))
    texts = sorted({text for pair in net for text in pair})
    round_, decided = 0, 0
    for a, b, c in combinations(texts, 3):
        verdicts = [_sign(net[a, b]), _sign(net[b, c]), -_sign(net[a, c])]
        decided += all(verdicts)
        round_ += abs(sum(verdicts)) == 3
    return round_, decided


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


Replies = tuple[Judgement, Judgement]


def _between(example: RankedExample, wanted: Callable[[Replies], bool]) -> list[list[Replies]]:
    """Return, for each set of texts asked about more than once, the wanted twos of its replies."""
    groups: dict[tuple[str, ...], list[Judgement]] = {}
    for judgement in example.judgements:
        if len(judgement.scores) > 1:
            groups.setdefault(tuple(sorted(judgement.shown)), []).append(judgement)
    found = [[two for two in combinations(some, 2) if wanted(two)] for some in groups.values()]
    return [twos for twos in found if twos]


def _other_order(two: Replies) -> bool:
    return two[0].shown != two[1].shown


def _same_order(two: Replies) -> bool:
    return two[0].shown == two[1].shown


def _same_verdicts(groups: Sequence[Sequence[Replies]]) -> Part:
    orders = [(order_of(one), order_of(other)) for some in groups for one, other in some]
    same = [one[pair] == other[pair] for one, other in orders for pair in one]
    return sum(same), len(same)


def _same_orders(groups: Sequence[Sequence[Replies]]) -> Part:
    same = [all(order_of(one) == order_of(other) for one, other in some) for some in groups]
    return sum(same), len(same)


def _replies_tau(groups: Sequence[Sequence[Replies]]) -> float:
    """Mean τ_b of the twos in which both replies order something."""
    taus = [kendall_tau_b(one.scores, other.scores) for some in groups for one, other in some]
    known = [tau for tau in taus if tau == tau]
    return sum(known) / len(known) if known else float("nan")


def _tied(example: RankedExample) -> Part:
    pairs = len(example.responses) * (len(example.responses) - 1) // 2
    return pairs - example.ordered_pairs, pairs


def _length(response: RankedResponse) -> float:
    return len(response.text)


def _likelihood(response: RankedResponse) -> float:
    return response.likelihood if response.likelihood is not None else float("nan")


def _likelihood_tau(example: RankedExample) -> float:
    known = [r for r in example.responses if r.likelihood is not None]
    return _rank_tau(known, _likelihood)


def _rank_tau(
    responses: Sequence[RankedResponse], value: Callable[[RankedResponse], float]
) -> float:
    return kendall_tau_b([-r.rank for r in responses], list(map(value, responses)))


def _longer_wins(example: RankedExample) -> Part:
    pairs = [
        (len(better.text), len(worse.text))
        for better, worse in _ordered(example)
        if len(better.text) != len(worse.text)
    ]
    return sum(better > worse for better, worse in pairs), len(pairs)


def _ordered(example: RankedExample) -> Iterator[tuple[RankedResponse, RankedResponse]]:
    return (
        (better, worse)
        for better, worse in combinations(example.responses, 2)
        if better.rank < worse.rank
    )


def _ratio(parts: Iterable[Part], bootstrap: Bootstrap) -> Interval | None:
    kept = [part for part in parts if part[1]]
    if not kept:
        return None
    totals, counts = zip(*kept, strict=True)
    return ratio_interval(totals, counts, SHARE, bootstrap)


def _mean_tau(taus: Iterable[float], bootstrap: Bootstrap) -> Interval | None:
    known = [tau for tau in taus if tau == tau]
    return mean_interval(known, TAU, bootstrap) if known else None


def _shares(counts: Mapping[str, int], of: int, confidence: float) -> tuple[RefusalShare, ...]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        RefusalShare(kind, count, share_interval(count, of, confidence)) for kind, count in ordered
    )
