"""Rank: put the responses of every candidate set in order; count what could not be ranked."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from tuna_exp.comparison.json_text import json_text
from tuna_exp.comparison.reliability import Reliability, Seen
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.comparison.verdicts import verdicts, worst_slot
from tuna_exp.efficiency.flops import Work, answering
from tuna_exp.errors import DataError, RefusalError
from tuna_exp.plan import Workspace
from tuna_exp.rankers.base import Outcome, Ranker, Refusal
from tuna_exp.rankers.probabilistic import ProbabilisticRanker
from tuna_exp.rankers.random import RandomRanker
from tuna_exp.rankers.verifier import VerifierRanker
from tuna_exp.records import (
    Candidate,
    CandidateSet,
    RankedExample,
    RankedResponse,
    all_records,
    line_of,
    read_records,
)
from tuna_exp.services.billing import judges
from tuna_exp.stages.journal import Journal
from tuna_exp.stages.sample import CANDIDATES
from tuna_exp.stages.working import ranking_by
from tuna_exp.store import Artifact

RANKING = "ranking.jsonl"
REFUSALS = "refusals.jsonl"
RELIABILITY = "reliability.json"
# Of the artifact's own report. It is the same whatever a comparison is set to, which measures anew:
# the settings of a comparison do not decide a ranking.
_WITHOUT_MODEL = (ProbabilisticRanker, RandomRanker, VerifierRanker)
BOOTSTRAP = Bootstrap(confidence=0.95, resamples=999, seed=0)


def rank(ranker: Ranker, limit: int | None, work: Workspace) -> None:
    """Write one RankedExample per set to `ranking.jsonl`; the refusals and `reliability.json`.

    Responses get likelihood and origin from the candidate that has their text. Only the first
    `limit` sets are ranked where it is given. Whether enough of them got an order is asked of the
    finished ranking (`require_order`): a judge is not paid again for an answer that another share
    of refusals would have let through.
    """
    path = work.inputs["candidates"] / CANDIDATES
    sets = all_records(path, CandidateSet, limit)
    journal: Journal[Outcome] = Journal(work.scratch / RANKING, [RankedExample, Refusal])
    with ranking_by(ranker, work) as session:
        rank_all = partial(session.map, rank_batch)
        outcomes = journal.complete(sets, ranker.batch_size, rank_all, work.bar, "sets")
    write(work, map(with_writers, outcomes, sets))
    work.note(flops=flops_of(ranker, outcomes))


def rank_batch(ranker: Ranker, batch: Sequence[CandidateSet]) -> list[Outcome]:
    """Rank some sets."""
    return ranker.rank(batch)


def flops_of(ranker: Ranker, outcomes: Sequence[Outcome]) -> float | None:
    """Return the operations of a ranking: 0 where nobody was asked and no model reads.

    None where the judges are services, are several, or where a classifier reads.
    """
    asked = [judge for _, judge in judges(ranker)]
    members = [*getattr(ranker, "members", {}).values()] or [ranker]
    if not asked:
        return 0.0 if all(type(m) in _WITHOUT_MODEL for m in members) else None
    return answering(asked[0], map(_read_by_judge, outcomes)) if len(asked) == 1 else None


def _read_by_judge(outcome: Outcome) -> Work:
    """Return what a judge read and wrote about one set, in questions of equal length."""
    usage, questions = outcome.usage, max(len(outcome.judgements), 1)
    tokens = usage.read + usage.generated
    return Work(tokens, tokens**2 / (2 * questions), usage.generated)


def take_over(published: Sequence[RankedExample], work: Workspace) -> None:
    """Write a ranking that was published with its dataset."""
    write(work, published)
    work.note(flops=0)


def mix(work: Workspace) -> None:
    """Write the sets of all input rankings to one `ranking.jsonl`, in the order of their names."""
    folders = [work.inputs[name] for name in sorted(work.inputs)]
    work.bar.start(len(folders), "rankings")
    sets = 0
    with (work.folder / RANKING).open("w", encoding="utf-8") as mixed:
        for folder in folders:
            for line in (folder / RANKING).open(encoding="utf-8"):
                mixed.write(line)
                sets += 1
            work.bar.advance()
    work.note(sets=sets, flops=0)


def with_writers(example: Outcome, candidates: CandidateSet) -> Outcome:
    """Return the example with the likelihood and origin of the candidate that has each text.

    Of several with one text it is the first: they were drawn alike. A refusal has no responses.
    """
    if isinstance(example, Refusal):
        return example
    written: dict[str, Candidate] = {}
    for candidate in candidates.candidates:
        written.setdefault(candidate.text, candidate)
    responses = tuple(
        _written(response, written.get(response.text)) for response in example.responses
    )
    return example.model_copy(update={"responses": responses})


def _written(response: RankedResponse, candidate: Candidate | None) -> RankedResponse:
    if candidate is None:
        return response
    likelihood = candidate.log_likelihood(1.0) if candidate.token_logprobs else None
    return response.model_copy(update={"likelihood": likelihood, "origin": candidate.origin})


@dataclass
class _Tally:
    """What outcomes hold, counted as they are written: they may be more than memory holds."""

    counts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    usd: float = 0.0

    def add(self, outcome: Outcome) -> None:
        usage = outcome.usage
        self.counts.update(sets=1, judge_read_tokens=usage.read, generated_tokens=usage.generated)
        self.usd += usage.usd
        if isinstance(outcome, Refusal):
            self.refusals[outcome.kind] += 1
            return
        size, ordered = len(outcome.responses), outcome.ordered_pairs
        self.counts.update(
            ranked_sets=1,
            ordered_sets=int(ordered > 0),
            ordered_pairs=ordered,
            tied_pairs=size * (size - 1) // 2 - ordered,
        )


_COUNTED = (
    "sets", "ranked_sets", "ordered_sets", "ordered_pairs", "tied_pairs", "judge_read_tokens",
    "generated_tokens",
)  # fmt: skip


def write(work: Workspace, outcomes: Iterable[Outcome]) -> None:
    """Write the files and note how much order there is: a set without any teaches nothing."""
    tally, seen = _Tally(), Seen()
    with (
        (work.folder / RANKING).open("w", encoding="utf-8") as ranking,
        (work.folder / REFUSALS).open("w", encoding="utf-8") as refusals,
    ):
        for outcome in outcomes:
            tally.add(outcome)
            if isinstance(outcome, RankedExample):
                seen.add(outcome)
            (ranking if isinstance(outcome, RankedExample) else refusals).write(line_of(outcome))
    figures = seen.figures(tally.refusals, BOOTSTRAP)
    said = verdicts(figures)
    report = {**asdict(figures), "verdicts": [asdict(verdict) for verdict in said]}
    (work.folder / RELIABILITY).write_text(json_text(report), encoding="utf-8")
    work.note(
        **{name: tally.counts[name] for name in _COUNTED},
        refusals=dict(tally.refusals),
        usd=tally.usd,
        reliability=main_figures(figures),
        warnings=[verdict.text for verdict in said if verdict.severity == "warning"],
    )


def main_figures(figures: Reliability) -> dict[str, float]:
    """Return the figures that a manifest names, those that are known; the rest is in the file."""
    worst = worst_slot(figures)
    named = {
        "slot_furthest_from_chance": worst.won if worst else None,
        "same_verdict_in_other_order": figures.order_pairs,
        "same_verdict_when_repeated": figures.repeat_pairs,
        "intransitive_triads": figures.cycles,
        "longer_wins": figures.longer_wins,
        "tau_with_likelihood": figures.likelihood_tau,
    }
    return {name: round(interval.value, 4) for name, interval in named.items() if interval}


def responses_of(folder: Path) -> Iterator[str]:
    """Yield the texts of all ranked responses of an artifact."""
    for example in read_records(folder / RANKING, RankedExample):
        yield from (response.text for response in example.responses)


def require_order(max_refused: float, ranking: Artifact) -> None:
    """Raise RefusalError or DataError where a finished ranking is not to be learned from.

    The first where more than the share `max_refused` of the sets got no usable order, the second
    where no two responses of any set have an order.
    """
    facts = ranking.facts
    refused = sum(facts["refusals"].values())
    if refused > max_refused * facts["sets"]:
        raise RefusalError(_refusals_told(max_refused, refused, ranking))
    if not facts["ordered_pairs"]:
        raise DataError(
            f"all responses of all {facts['ranked_sets']} ranked sets are equal to the ranker; "
            "there is no order to learn. Cure: more or hotter samples "
            "(sampling.decoding.responses, sampling.decoding.temperature), or another ranker."
        )


def _refusals_told(max_refused: float, refused: int, ranking: Artifact) -> str:
    path = ranking.folder / REFUSALS
    first = next(read_records(path, Refusal))
    raw = first.raw.strip()[:200]
    kinds = Counter(ranking.facts["refusals"]).most_common()
    return (
        f"the ranker gave no usable order for {refused} of {ranking.facts['sets']} sets "
        f"({', '.join(f'{kind}: {n}' for kind, n in kinds)}); allowed is a share of {max_refused}. "
        f"For example '{first.instruction_id}': {raw!r}. All raw replies: {path}. "
        "Cure: a stronger judge, ranker.answer=form|first_token, or a higher max_refused (which "
        "reuses this ranking)."
    )
