"""What the figures of a ranking mean, in plain sentences, by thresholds that stand here.

A figure is spoken of as wrong where it is beyond its threshold and enough sets were measured to
tell anything (`statistics.can_tell`); its interval is always told. Left out: one mark for all of
it. Which flaw matters depends on what the ranking is for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from tuna_exp.comparison.reliability import Reliability, Slot
from tuna_exp.comparison.statistics import CHANCE, Interval, can_tell

Severity = Literal["error", "warning", "note"]

# Shares and τ from which on a sentence warns. They are conventions, not findings.
SLOT_GAP = 0.05
LEAST_ORDER_PAIRS = 0.8
LEAST_REPEAT_PAIRS = 0.9
MOST_TIED = 0.5
MOST_UNORDERED = 0.2
MOST_CYCLES = 0.05
LONGER_GAP = 0.1
MOST_REFUSED = 0.1
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


@dataclass(frozen=True)
class Verdict:
    """A sentence about a ranking; `figure` names what it is about, `cure` what to do, if known."""

    figure: str
    severity: Severity
    message: str
    cure: str = ""

    @property
    def text(self) -> str:
        """The sentence with its cure."""
        return f"{self.message} Cure: {self.cure}." if self.cure else self.message


def verdicts(figures: Reliability) -> list[Verdict]:
    """Return what there is to say of a ranking, warnings first; never nothing."""
    told = [verdict for say in _SAYINGS for verdict in say(figures)]
    if not any(verdict.severity == "warning" for verdict in told):
        told.append(Verdict("all", "note", _clean(figures)))
    return sorted(told, key=lambda verdict: verdict.severity != "warning")


def share(interval: Interval) -> str:
    """61 % [55, 67]: a share in whole percent with its interval."""
    span = f"{100 * interval.low:.0f}, {100 * interval.high:.0f}" if interval.known else "unknown"
    return f"{100 * interval.value:.0f} % [{span}]"


def tau(interval: Interval | None) -> str:
    """0.31 [0.22, 0.40]: a correlation with its interval."""
    if interval is None:
        return "–"
    span = f"{interval.low:.2f}, {interval.high:.2f}" if interval.known else "unknown"
    return f"{interval.value:.2f} [{span}]"


def worst_slot(figures: Reliability) -> Slot | None:
    """Return the place furthest from what is expected of it."""
    return max(figures.slots, key=lambda s: abs(s.won.value - s.expected), default=None)


def _clean(figures: Reliability) -> str:
    asked = "what its replies show" if figures.replies else "its order (no replies are kept)"
    return f"Nothing is found against it in {asked}, over {figures.sets} sets."


def _slots(figures: Reliability) -> Iterator[Verdict]:
    slot = worst_slot(figures)
    if slot is None or not can_tell(slot.won.items, figures.confidence):
        return
    if abs(slot.won.value - slot.expected) < SLOT_GAP or not slot.won.excludes(slot.expected):
        return
    yield Verdict(
        "slots",
        "warning",
        f"The {ordinal(slot.number)} slot wins {share(slot.won)} of the time, "
        f"{100 * slot.expected:.0f} % expected: position bias.",
        "ranker.orders=2, which asks in both orders, or a stronger judge",
    )


def ordinal(number: int) -> str:
    """Return first, second, ..., 7th."""
    return ORDINALS[number - 1] if number <= len(ORDINALS) else f"{number}th"


def _orders(figures: Reliability) -> Iterator[Verdict]:
    pairs = figures.order_pairs
    if pairs is None:
        if figures.slots:
            told = "No set was asked about in two orders: how far the order shown decides is open."
            yield Verdict("order_pairs", "note", told, "ranker.orders=2")
    elif pairs.value < LEAST_ORDER_PAIRS and can_tell(pairs.items, figures.confidence):
        yield Verdict(
            "order_pairs",
            "warning",
            f"Asked in another order, {share(pairs)} of the pairs keep their verdict "
            f"({100 * LEAST_ORDER_PAIRS:.0f} % wanted): where a response stands decides much.",
            "more ranker.orders, whose mean is taken, or a stronger judge",
        )


def _repeats(figures: Reliability) -> Iterator[Verdict]:
    pairs = figures.repeat_pairs
    if pairs is None or not can_tell(pairs.items, figures.confidence):
        return
    if pairs.value < LEAST_REPEAT_PAIRS:
        yield Verdict(
            "repeat_pairs",
            "warning",
            f"Asked the very same again, {share(pairs)} of the pairs keep their verdict "
            f"({100 * LEAST_REPEAT_PAIRS:.0f} % wanted): the replies are noisy.",
            "ranker.decoding.temperature=0, or more repeats",
        )


def _ties(figures: Reliability) -> Iterator[Verdict]:
    unordered, tied = figures.unordered_sets, figures.tied_pairs
    cure = "more or hotter samples (sampling.decoding), or another ranker"
    if unordered and unordered.value > MOST_UNORDERED:
        told = f"{share(unordered)} of the sets have no order at all and teach nothing."
        yield Verdict("unordered_sets", "warning", told, cure)
    elif tied and tied.value > MOST_TIED:
        told = f"{share(tied)} of the pairs are tied and teach nothing."
        yield Verdict("tied_pairs", "warning", told, cure)


def _cycles(figures: Reliability) -> Iterator[Verdict]:
    found = figures.cycles
    if found is None or not can_tell(found.items, figures.confidence):
        return
    if found.value > MOST_CYCLES:
        told = (
            f"{share(found)} of the decided triads go in a circle (a > b > c > a; 25 % by chance)."
        )
        yield Verdict("cycles", "warning", told, "a stronger judge, or a listwise question")


def _length(figures: Reliability) -> Iterator[Verdict]:
    wins = figures.longer_wins
    if wins is None or not can_tell(wins.items, figures.confidence):
        return
    if abs(wins.value - CHANCE) >= LONGER_GAP and wins.excludes(CHANCE):
        word = "longer" if wins.value > CHANCE else "shorter"
        some = wins if wins.value > CHANCE else _rest(wins)
        yield Verdict(
            "longer_wins",
            "warning",
            f"The {word} response is the better one in {share(some)} of the ordered pairs "
            f"(50 % expected; τ_b with length {tau(figures.length_tau)}): length may carry part "
            "of the order.",
            "compare with a truth, or rank samples of like length",
        )


def _rest(interval: Interval) -> Interval:
    return Interval(1 - interval.value, 1 - interval.high, 1 - interval.low, interval.items)


def _likelihood(figures: Reliability) -> Iterator[Verdict]:
    found = figures.likelihood_tau
    if found is not None and found.excludes(0.0):
        told = (
            f"The order goes {'with' if found.value > 0 else 'against'} the likelihood of the "
            f"model that wrote the responses: τ_b {tau(found)} (1: it is that likelihood)."
        )
        yield Verdict("likelihood_tau", "note", told)


def _refusals(figures: Reliability) -> Iterator[Verdict]:
    for shares, what in ((figures.refusals, "sets"), (figures.refused_replies, "replies")):
        if sum(some.share.value for some in shares) > MOST_REFUSED:
            kinds = ", ".join(f"{some.kind} {share(some.share)}" for some in shares)
            told = f"No usable order for many {what}: {kinds}."
            cure = "a stronger judge, ranker.answer=first_token, or more room to answer"
            yield Verdict("refusals", "warning", told, cure)


_SAYINGS: tuple[Callable[[Reliability], Iterator[Verdict]], ...] = (
    _slots,
    _orders,
    _repeats,
    _cycles,
    _ties,
    _length,
    _likelihood,
    _refusals,
)
