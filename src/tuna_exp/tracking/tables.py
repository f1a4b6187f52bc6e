"""Tables in W&B: ranked samples, two models' answers side by side, and every answer's score.

Texts are most of a table's bytes, and the client sends each table twice, as a file of the run and
as an artifact. So the tables with texts are short, and the one that is read back has none.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuna_exp.records import Prediction, RankedExample, read_records

if TYPE_CHECKING:
    import wandb

LONGEST_TEXT = 4000
RANKED = ("id", "kind", "instruction", "rank", "score", "likelihood", "response")
SCORES = ("id", "kind", "split", "tokens", "passed", "score")
ANSWERS = ("id", "kind", "split", "instruction", "response", "tokens", "passed", "score")


def ranked_rows(examples: Iterable[RankedExample]) -> list[list[Any]]:
    """Return one row per response, best first; `likelihood` is nats per token by its writer."""
    return [
        [
            example.instruction.id,
            example.instruction.kind,
            example.instruction.text[:LONGEST_TEXT],
            response.rank,
            response.score,
            response.likelihood,
            response.text[:LONGEST_TEXT],
        ]
        for example in examples
        for response in example.responses
    ]


def ranked_table(path: Path, rows: int) -> "wandb.Table":
    """Return the first sets of a ranking, whole sets until there are so many rows."""
    import wandb

    data: list[list[Any]] = []
    for example in read_records(path, RankedExample):
        data += ranked_rows([example])
        if len(data) >= rows:
            break
    return wandb.Table(columns=[*RANKED], data=data)


def answers_table(predictions: Sequence[Prediction], rows: int) -> "wandb.Table":
    """Return a model's first answers with their scores."""
    import wandb

    data = [
        [
            p.instruction.id,
            p.instruction.kind,
            p.instruction.split,
            p.instruction.text[:LONGEST_TEXT],
            p.text[:LONGEST_TEXT],
            p.tokens,
            p.passed,
            p.score,
        ]
        for p in predictions[:rows]
    ]
    return wandb.Table(columns=[*ANSWERS], data=data)


def scores_table(predictions: Sequence[Prediction], rows: int) -> "wandb.Table":
    """Return what a comparison counts of a model's first answers: all but the texts."""
    import wandb

    # The client cuts a run's file of a table there, without a word.
    wandb.Table.MAX_ROWS = max(wandb.Table.MAX_ROWS, rows)
    wandb.Table.MAX_ARTIFACT_ROWS = max(wandb.Table.MAX_ARTIFACT_ROWS, rows)
    data = [
        [p.instruction.id, p.instruction.kind, p.instruction.split, p.tokens, p.passed, p.score]
        for p in predictions[:rows]
    ]
    return wandb.Table(columns=[*SCORES], data=data)


def side_by_side(
    old: tuple[str, Sequence[Prediction]], new: tuple[str, Sequence[Prediction]], rows: int
) -> "wandb.Table":
    """Return two models' answers to the same items, with both scores and what the new one gained.

    Each model is its name with its predictions. Items that only one of them answered are left out.
    """
    import wandb

    (before, earlier), (after, later) = old, new
    by_id = {p.instruction.id: p for p in earlier}
    pairs = ((by_id[p.instruction.id], p) for p in later if p.instruction.id in by_id)
    columns = ["id", "kind", "instruction", "reference"]
    columns += [f"{before} response", f"{after} response", f"{before} score", f"{after} score"]
    data = [
        [
            p.instruction.id,
            p.instruction.kind,
            p.instruction.text[:LONGEST_TEXT],
            (p.instruction.reference or "")[:LONGEST_TEXT],
            o.text[:LONGEST_TEXT],
            p.text[:LONGEST_TEXT],
            o.score,
            p.score,
            p.score - o.score,
        ]
        for o, p in islice(pairs, rows)
    ]
    return wandb.Table(columns=[*columns, "gained"], data=data)
