"""All that is looked at in one ranked dataset, in one place."""

from collections.abc import Iterator
from dataclasses import dataclass

from tuna_exp.comparison.reliability import Reliability, measure
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.comparison.verdicts import share, tau, verdicts
from tuna_exp.datasets.overlap import Index
from tuna_exp.diagnosis.contents import examine
from tuna_exp.diagnosis.findings import Diagnosis, Finding, gravest_first
from tuna_exp.diagnosis.lengths import Count, too_long
from tuna_exp.diagnosis.loading import RankedData
from tuna_exp.diagnosis.overlap import overlaps

# Told here with counts and examples.
_TOLD_ELSEWHERE = {"tied_pairs", "unordered_sets", "refusals", "all"}


@dataclass(frozen=True)
class Lengths:
    """How many tokens a training takes, how they are counted, and that in words."""

    limit: int
    count: Count
    how: str


def diagnose(data: RankedData, lengths: Lengths, index: Index, bootstrap: Bootstrap) -> Diagnosis:
    """Return every finding on a dataset."""
    figures = measure(data.examples, data.refused, bootstrap)
    found = [
        *examine(data, bootstrap.confidence),
        *too_long(data.sets, lengths.limit, lengths.count, lengths.how),
        *_trust(figures),
        *overlaps(data.sets, index),
    ]
    responses = sum(len(one.texts) for one in data.sets)
    return Diagnosis(data.source, data.kind, len(data.sets), responses, gravest_first(found))


def _trust(figures: Reliability) -> Iterator[Finding]:
    told = [verdict for verdict in verdicts(figures) if verdict.figure not in _TOLD_ELSEWHERE]
    for v in told:
        yield Finding(
            v.figure, v.severity, figures.sets, figures.sets, "sets", v.message, cure=v.cure
        )
    wins = figures.longer_wins
    if wins is not None and not any(verdict.figure == "longer_wins" for verdict in told):
        told_length = (
            f"measured: the longer response is the better one in {share(wins)} of the ordered "
            f"pairs, τ_b with length {tau(figures.length_tau)}."
        )
        yield Finding("longer_wins", "note", figures.sets, figures.sets, "sets", told_length)
