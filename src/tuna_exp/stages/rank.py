"""Rank: put the responses of every candidate set in order; count what could not be ranked."""

from collections import Counter
from collections.abc import Sequence

from tuna_exp.errors import DataError, RefusalError
from tuna_exp.plan import Workspace
from tuna_exp.rankers.base import Outcome, Ranker, Refusal
from tuna_exp.records import CandidateSet, RankedExample, read_records, write_records
from tuna_exp.stages.journal import Journal
from tuna_exp.stages.sample import CANDIDATES

RANKING = "ranking.jsonl"
REFUSALS = "refusals.jsonl"


def rank(ranker: Ranker, max_refused: float, limit: int | None, work: Workspace) -> None:
    """Write one RankedExample per set to `ranking.jsonl` and the refusals beside it.

    Only the first `limit` sets are ranked where it is given. Raises RefusalError where more than
    the share `max_refused` of the sets got no usable order, and DataError where no two responses of
    any set have an order; with `max_refused` 1 neither, which is for rankings only measured.
    """

    def rank_batch(number: int, batch: Sequence[CandidateSet]) -> list[Outcome]:
        return ranker.rank(batch)

    sets = list(read_records(work.inputs["candidates"] / CANDIDATES, CandidateSet))[:limit]
    journal: Journal[Outcome] = Journal(work.scratch / RANKING, [RankedExample, Refusal])
    outcomes = journal.complete(sets, ranker.batch_size, rank_batch, work.bar, "sets")
    ranker.release()
    ranked = [outcome for outcome in outcomes if isinstance(outcome, RankedExample)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    write_records(work.folder / RANKING, ranked)
    write_records(work.folder / REFUSALS, refused)
    note(work, ranked, refused)
    if max_refused < 1:
        require_usable(ranked, refused, max_refused, work)
        require_order(ranked)


def take_over(published: Sequence[RankedExample], work: Workspace) -> None:
    """Write a ranking that was published with its dataset; DataError where it orders nothing."""
    write_records(work.folder / RANKING, published)
    note(work, published, [])
    require_order(published)


def note(work: Workspace, ranked: Sequence[RankedExample], refused: Sequence[Refusal]) -> None:
    """Note how much order there is: a set without any teaches the ranking term nothing."""
    sizes = [len(example.responses) for example in ranked]
    pairs = sum(n * (n - 1) // 2 for n in sizes)
    ordered = sum(example.ordered_pairs for example in ranked)
    work.note(
        sets=len(ranked) + len(refused),
        ranked_sets=len(ranked),
        ordered_sets=sum(example.ordered_pairs > 0 for example in ranked),
        ordered_pairs=ordered,
        tied_pairs=pairs - ordered,
        refusals=dict(Counter(refusal.kind for refusal in refused)),
    )


def require_usable(
    ranked: Sequence[RankedExample],
    refused: Sequence[Refusal],
    max_refused: float,
    work: Workspace,
) -> None:
    """Raise RefusalError where more than the share `max_refused` of the sets got no order."""
    total = len(ranked) + len(refused)
    if len(refused) <= max_refused * total:
        return
    kinds = Counter(refusal.kind for refusal in refused).most_common()
    first = refused[0]
    raise RefusalError(
        f"the ranker gave no usable order for {len(refused)} of {total} sets "
        f"({', '.join(f'{kind}: {n}' for kind, n in kinds)}); allowed is a share of {max_refused}. "
        f"For example '{first.instruction_id}': {first.raw[:200]!r}. All raw replies: "
        f"{work.folder / REFUSALS}. Cure: a stronger judge, ranker.answer=first_token, or a higher "
        "max_refused."
    )


def require_order(ranked: Sequence[RankedExample]) -> None:
    """Raise DataError where no two responses of any set have an order."""
    if not any(example.ordered_pairs for example in ranked):
        raise DataError(
            f"all responses of all {len(ranked)} sets are equal to the ranker; there is no order "
            "to learn. Cure: more or hotter samples (sampling.decoding.responses, "
            "sampling.decoding.temperature), or another ranker."
        )
