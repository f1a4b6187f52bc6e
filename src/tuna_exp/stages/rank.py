"""Rank: put the responses of every candidate set in order; count what could not be ranked."""

from collections import Counter
from collections.abc import Sequence

from tuna_exp.errors import DataError, RefusalError
from tuna_exp.plan import Workspace
from tuna_exp.rankers.base import Ranker, Refusal
from tuna_exp.records import CandidateSet, RankedExample, Record, read_records, write_records
from tuna_exp.stages.journal import Journal
from tuna_exp.stages.sample import CANDIDATES

RANKING = "ranking.jsonl"
REFUSALS = "refusals.jsonl"


def rank(ranker: Ranker, max_refused: float, limit: int | None, work: Workspace) -> None:
    """Write one RankedExample per set to `ranking.jsonl` and the refusals beside it.

    Only the first `limit` sets are ranked where it is given. Raises RefusalError where more than the
    share `max_refused` of the sets got no usable order, and DataError where no two responses of any set
    have an order; with `max_refused` 1 neither, which is for rankings that are only measured.
    """
    sets = list(read_records(work.inputs["candidates"] / CANDIDATES, CandidateSet))[:limit]
    journal = Journal(work.scratch / RANKING, [RankedExample, Refusal])
    done = journal.read()
    size = ranker.batch_size
    batches = [sets[i : i + size] for i in range(0, len(sets), size)]
    work.bar.start(len(sets), "sets", sum(map(len, done)))
    for batch in batches[len(done) :]:
        outcomes: list[Record] = list(ranker.rank(batch))
        journal.append(outcomes)
        done.append(outcomes)
        work.bar.advance(len(batch))
    outcomes = [outcome for part in done for outcome in part]
    ranked = [outcome for outcome in outcomes if isinstance(outcome, RankedExample)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    write_records(work.folder / RANKING, ranked)
    write_records(work.folder / REFUSALS, refused)
    note(work, ranked, refused)
    if max_refused < 1:
        require_order(ranked, refused, max_refused)


def take_over(published: Sequence[RankedExample], work: Workspace) -> None:
    """Write a ranking that was published with its dataset; raises as `rank` does where it orders nothing."""
    write_records(work.folder / RANKING, published)
    note(work, published, [])
    require_order(published, [], 0.0)


def note(work: Workspace, ranked: Sequence[RankedExample], refused: Sequence[Refusal]) -> None:
    """Note how much order there is: sets that hold no pair with an order teach the ranking term nothing."""
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


def require_order(ranked: Sequence[RankedExample], refused: Sequence[Refusal], max_refused: float) -> None:
    """Raise where the ranking cannot be learned from."""
    total = len(ranked) + len(refused)
    if len(refused) > max_refused * total:
        kinds = ", ".join(f"{kind}: {n}" for kind, n in Counter(r.kind for r in refused).most_common())
        raise RefusalError(
            f"the ranker gave no usable order for {len(refused)} of {total} sets ({kinds}); allowed is a share of "
            f"{max_refused}. For example '{refused[0].instruction_id}': {refused[0].raw[:200]!r}. "
            "Cure: a stronger judge, ranker.answer=first_token, or a higher max_refused."
        )
    if not any(example.ordered_pairs for example in ranked):
        raise DataError(
            f"all responses of all {len(ranked)} sets are equal to the ranker; there is no order to learn. "
            "Cure: more or hotter samples (sampling.decoding.responses, sampling.decoding.temperature), or another ranker."
        )
