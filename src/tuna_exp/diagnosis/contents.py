"""What is wrong with the sets themselves: repeats, empty texts, sets without order, their sizes.

Texts are the same here where they differ in case and white space only. Left out: near duplicates
by meaning or edit distance; they need a model or a threshold of taste.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tuna_exp.comparison.statistics import share_interval
from tuna_exp.comparison.verdicts import MOST_REFUSED, MOST_UNORDERED, Severity, share
from tuna_exp.diagnosis.findings import Finding, quote
from tuna_exp.diagnosis.loading import RankedData, RankedSet

_ORDER_CURE = "more or hotter samples (sampling.decoding), or another ranker"


def normalised(text: str) -> str:
    """Return a text without differences of case and white space."""
    return " ".join(text.casefold().split())


def examine(data: RankedData, confidence: float) -> Iterator[Finding]:
    """Yield what is found; the intervals of shares have this confidence."""
    yield from _repeated_sets(data.sets)
    yield from _repeated_instructions(data.sets)
    yield from _repeated_responses(data.sets)
    yield from _empty_responses(data.sets)
    yield from _missing_references(data.sets)
    yield from _order(data.sets, confidence)
    yield from _sizes(data.sets)
    yield from _refusals(data, confidence)


def _repeated_sets(sets: Sequence[RankedSet]) -> Iterator[Finding]:
    """Repeats of instruction and responses together; those in another order contradict."""
    first: dict[tuple[str, ...], RankedSet] = {}
    same, contrary = list[RankedSet](), list[RankedSet]()
    for one in sets:
        texts = sorted(map(normalised, one.texts))
        earlier = first.setdefault((normalised(one.example.instruction.text), *texts), one)
        if earlier is not one:
            (same if _ranks(earlier) == _ranks(one) else contrary).append(one)
    yield from _sets(
        "contradicting_sets",
        "error",
        contrary,
        sets,
        "repeat an earlier set in another order: they teach opposite things.",
        "keep one of each, or rank them again",
    )
    yield from _sets(
        "repeated_sets",
        "warning",
        same,
        sets,
        "repeat an earlier set, order included: they count twice in training.",
        "keep one of each",
    )


def _ranks(one: RankedSet) -> dict[str, int]:
    return {normalised(response.text): response.rank for response in one.example.responses}


def _repeated_instructions(sets: Sequence[RankedSet]) -> Iterator[Finding]:
    counts = Counter(normalised(one.example.instruction.text) for one in sets)
    seen: set[str] = set()
    repeats = []
    for one in sets:
        text = normalised(one.example.instruction.text)
        if text in seen:
            repeats.append(one)
        seen.add(text)
    often = max(counts.values(), default=0)
    yield from _sets(
        "repeated_instructions",
        "warning",
        repeats,
        sets,
        f"have the instruction of an earlier set (the most frequent one comes {often} times): "
        "split into training and test they leak.",
        "keep one of each, or split by instruction",
    )


def _repeated_responses(sets: Sequence[RankedSet]) -> Iterator[Finding]:
    found = [one for one in sets if len(set(map(normalised, one.texts))) < len(one.texts)]
    yield from _sets(
        "repeated_responses",
        "warning",
        found,
        sets,
        "hold the same response more than once: fewer pairs than they seem to have.",
        "hotter samples, or sampling.diversity, which draws such sets again",
    )


def _empty_responses(sets: Sequence[RankedSet]) -> Iterator[Finding]:
    found = [one for one in sets if not all(text.strip() for text in one.texts)]
    best = [one for one in found if not one.example.responses[0].text.strip()]
    yield from _sets(
        "empty_best_response",
        "error",
        best,
        sets,
        "rank an empty response best: they teach to say nothing.",
        "leave these sets out",
    )
    yield from _sets(
        "empty_responses",
        "warning",
        [one for one in found if one not in best],
        sets,
        "hold an empty response.",
        "leave the response out, or let the model say at least something",
    )


def _missing_references(sets: Sequence[RankedSet]) -> Iterator[Finding]:
    found = [one for one in sets if not (one.example.instruction.reference or "").strip()]
    yield from _sets(
        "missing_references",
        "note",
        found,
        sets,
        "have no response of the dataset's own (a label): SFT and objective.mle_on=reference "
        "cannot use them.",
        "objective.mle_on=best, or name the field with --field output=NAME",
    )


def _order(sets: Sequence[RankedSet], confidence: float) -> Iterator[Finding]:
    single = [one for one in sets if len(one.example.responses) == 1]
    tied = [one for one in sets if not one.example.ordered_pairs and one not in single]
    yield from _sets(
        "single_response",
        "warning",
        single,
        sets,
        "have one response, so nothing to compare.",
        _ORDER_CURE,
    )
    unordered = len(single) + len(tied)
    known = share_interval(unordered, len(sets), confidence)
    none = unordered == len(sets)
    grave: Severity = "error" if none else "warning" if known.value > MOST_UNORDERED else "note"
    yield from _sets(
        "sets_without_order",
        grave,
        [*tied, *single],
        sets,
        f"have no order at all ({share(known)}) and teach nothing.",
        _ORDER_CURE,
    )
    pairs = sum(map(_pairs, sets))
    ordered = sum(one.example.ordered_pairs for one in sets)
    if pairs > ordered:
        example = next(o for o in sets if o.example.ordered_pairs < _pairs(o))
        yield Finding(
            "ties", "note", pairs - ordered, pairs, "pairs", "are tied.", _quoted(example)
        )


def _pairs(one: RankedSet) -> int:
    return len(one.example.responses) * (len(one.example.responses) - 1) // 2


def _sizes(sets: Sequence[RankedSet]) -> Iterator[Finding]:
    counts = Counter(len(one.example.responses) for one in sets)
    told = ", ".join(f"{n} responses: {counts[n]} sets" for n in sorted(counts, reverse=True))
    yield Finding("sizes", "note", len(sets), len(sets), "sets", f"by different responses: {told}.")


def _refusals(data: RankedData, confidence: float) -> Iterator[Finding]:
    asked = len(data.sets) + sum(data.refused.values())
    for kind, count in sorted(data.refused.items(), key=lambda item: -item[1]):
        known = share_interval(count, asked, confidence)
        yield Finding(
            f"refused_{kind}",
            "warning" if known.value > MOST_REFUSED else "note",
            count,
            asked,
            "sets",
            f"got no usable order ({share(known)}), kind {kind}.",
            cure="a stronger judge, or ranker.answer=first_token",
        )


def _sets(
    name: str,
    severity: Severity,
    found: Iterable[RankedSet],
    sets: Sequence[RankedSet],
    message: str,
    cure: str,
) -> Iterator[Finding]:
    """Yield a finding about whole sets, if there are any."""
    listed = list(found)
    if listed:
        yield Finding(
            name, severity, len(listed), len(sets), "sets", message, _quoted(listed[0]), cure
        )


def _quoted(one: RankedSet) -> str:
    return quote(one.example.instruction.id, one.example.instruction.text)
