"""How far one ranking can be trusted, from what its ranker was shown and said. No truth is needed.

Left out: chance-corrected coefficients (Cohen's kappa, Krippendorff's alpha). They depend on how
often a ranker ties and are hard to read beside a share; agreement with a truth is `ranking_quality`
and agreement between rankers `between_rankers`. What the figures mean is said in `verdicts`.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
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


def _numbers() -> "array[float]":
    return array("d")


@dataclass
class _Parts:
    """Ratios of examples that have what is asked about."""

    totals: "array[float]" = field(default_factory=_numbers)
    counts: "array[float]" = field(default_factory=_numbers)

    def add(self, part: Part) -> None:
        if part[1]:
            self.totals.append(part[0])
            self.counts.append(part[1])

    def interval(self, bootstrap: Bootstrap) -> Interval | None:
        if not self.counts:
            return None
        return ratio_interval(self.totals, self.counts, SHARE, bootstrap)


@dataclass
class _Taus:
    """The examples' τ_b, of those that have one."""

    values: "array[float]" = field(default_factory=_numbers)

    def add(self, tau: float) -> None:
        if tau == tau:
            self.values.append(tau)

    def interval(self, bootstrap: Bootstrap) -> Interval | None:
        return mean_interval(self.values, TAU, bootstrap) if self.values else None


@dataclass
class _Place(_Parts):
    """What was ranked first of those shown at one place, over 1/N; `sizes` counts replies by N."""

    sizes: Counter[int] = field(default_factory=Counter)

    def slot(self, number: int, bootstrap: Bootstrap) -> Slot:
        """The interval is that of the excess over 1/N: sets of different N are taken together."""
        expected = sum(n / size for size, n in self.sizes.items()) / self.sizes.total()
        over = ratio_interval(self.totals, self.counts, (-expected, 1 - expected), bootstrap)
        value, low, high = (expected + side for side in (over.value, over.low, over.high))
        return Slot(number, Interval(value, low, high, over.items), expected)


@dataclass
class Seen:
    """What is kept of examples to tell how far their ranking can be trusted: some numbers of each.

    The examples may be more than memory holds.
    """

    examples: int = 0
    replies: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    places: list[_Place] = field(default_factory=list)
    parts: defaultdict[str, _Parts] = field(default_factory=partial(defaultdict, _Parts))
    taus: defaultdict[str, _Taus] = field(default_factory=partial(defaultdict, _Taus))

    def add(self, example: RankedExample) -> None:
        """Look at an example."""
        self.examples += 1
        self.replies += len(example.judgements)
        self.refused.update(j.refusal for j in example.judgements if j.refusal)
        self._look_at_places([j for j in example.judgements if len(j.scores) > 1])
        orders, repeats = _between(example, _other_order), _between(example, _same_order)
        self.parts["order_pairs"].add(_same_verdicts(orders))
        self.parts["order_sets"].add(_same_orders(orders))
        self.parts["repeat_pairs"].add(_same_verdicts(repeats))
        self.parts["tied_pairs"].add(_tied(example))
        self.parts["unordered_sets"].add((not example.ordered_pairs, 1))
        self.parts["cycles"].add(cycles(example))
        self.parts["longer_wins"].add(_longer_wins(example))
        self.taus["repeat_tau"].add(_replies_tau(repeats))
        self.taus["length_tau"].add(_rank_tau(example.responses, _length))
        self.taus["likelihood_tau"].add(_likelihood_tau(example))

    def _look_at_places(self, replies: Sequence[Judgement]) -> None:
        most = max((len(j.shown) for j in replies), default=0)
        self.places += [_Place() for _ in range(most - len(self.places))]
        for place, seen in enumerate(self.places[:most]):
            fitting = [j for j in replies if len(j.shown) > place]
            seen.add((sum(_excess(j, place) for j in fitting), len(fitting)))
            seen.sizes.update(len(j.shown) for j in fitting)

    def slots(self, bootstrap: Bootstrap) -> tuple[Slot, ...]:
        """Return each place's share of first ranks."""
        return tuple(place.slot(i, bootstrap) for i, place in enumerate(self.places, start=1))

    def figures(self, refused: Mapping[str, int], bootstrap: Bootstrap) -> Reliability:
        """Return the figures; `refused` counts the sets without a usable order by kind."""
        confidence = bootstrap.confidence
        parts = {name: self.parts[name].interval(bootstrap) for name in _SHARES}
        taus = {name: self.taus[name].interval(bootstrap) for name in _TAUS}
        return Reliability(
            sets=self.examples,
            replies=self.replies,
            slots=self.slots(bootstrap),
            **parts,
            **taus,
            refusals=_shares(refused, self.examples + sum(refused.values()), confidence),
            refused_replies=_shares(self.refused, self.replies, confidence),
            confidence=confidence,
        )


_SHARES = (
    "order_pairs", "order_sets", "repeat_pairs", "tied_pairs", "unordered_sets", "cycles",
    "longer_wins",
)  # fmt: skip
_TAUS = ("repeat_tau", "length_tau", "likelihood_tau")


def measure(
    examples: Iterable[RankedExample], refused: Mapping[str, int], bootstrap: Bootstrap
) -> Reliability:
    """Measure a ranking; `refused` counts the sets without a usable order by kind."""
    seen = Seen()
    for example in examples:
        seen.add(example)
    return seen.figures(refused, bootstrap)


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


def _shares(counts: Mapping[str, int], of: int, confidence: float) -> tuple[RefusalShare, ...]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        RefusalShare(kind, count, share_interval(count, of, confidence)) for kind, count in ordered
    )
