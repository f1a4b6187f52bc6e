"""Evaluate: a model answers a benchmark, every answer is scored and kept; then figures over all.

Two stages: answers cost hours and are kept whatever level the intervals are to have.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import tee
from pathlib import Path
from typing import Any

from tuna_exp.comparison.json_text import json_text
from tuna_exp.comparison.statistics import Bootstrap, Interval
from tuna_exp.efficiency.flops import answering, responses
from tuna_exp.evaluation.base import Benchmark, Figure
from tuna_exp.evaluation.stored import StoredAnswers
from tuna_exp.evaluation.subset import seed_of, whole_size
from tuna_exp.llms.base import LLM, OpenLLM
from tuna_exp.llms.decoding import Decoding
from tuna_exp.plan import Workspace
from tuna_exp.records import Candidate, Instruction, Prediction, read_records, write_records
from tuna_exp.sequences import Picked, ordered_by, turned_back
from tuna_exp.stages.journal import Journal
from tuna_exp.stages.working import answering_by, prompt_lengths

PREDICTIONS = "predictions.jsonl"
FIGURES = "figures.json"
_NUMBERS = ("value", "low", "high")
# Where an answer ends; there are no strings that end one.
STOP = ("end of sequence", "max_new_tokens")


def evaluate(llm: LLM, benchmark: Benchmark, work: Workspace) -> None:
    """Write one Prediction per benchmark item, in the benchmark's order, to `predictions.jsonl`."""
    items, decoding = benchmark.items(), benchmark.decoding()
    room = decoding.max_new_tokens
    journal = Journal(work.scratch / PREDICTIONS, [Prediction])
    with answering_by(llm, items, work) as session:
        lengths = prompt_lengths(session, items, room)
        order = ordered_by(lengths)

        def answer(batches: Iterable[Sequence[Instruction]]) -> Iterator[list[Prediction]]:
            asked, given = tee(batches)
            drawn = session.map(partial(ask, decoding=decoding, seed=seed_of(benchmark)), given)
            for batch, answers in zip(asked, drawn, strict=True):
                note_cost(work, answers)
                yield [benchmark.score(i, said) for i, said in zip(batch, answers, strict=True)]

        size = llm.together(benchmark.batch_size)
        answered = journal.complete(Picked(items, order), size, answer, work.bar, "items")
    predictions = [*Picked(answered, turned_back(order))]
    write_records(work.folder / PREDICTIONS, predictions)
    if isinstance(llm, StoredAnswers):
        work.note(answered_elsewhere=True)
    work.note(
        items=len(items),
        of=whole_size(benchmark),
        passed=sum(p.passed for p in predictions),
        mean_score=sum(p.score for p in predictions) / len(predictions),
        generated_tokens=sum(p.tokens for p in predictions),
        at_max_tokens=sum(p.tokens >= room for p in predictions),
        flops=answering(
            llm,
            (
                responses(int(length), [p.tokens], shared=True)
                for length, p in zip(lengths, predictions, strict=True)
            ),
        ),
    )


def ask(
    opened: OpenLLM, batch: Sequence[Instruction], decoding: Decoding, seed: int
) -> list[Candidate]:
    """Return an answer to each item."""
    return [some[0] for some in opened.answer(batch, decoding, seed)]


def note_cost(work: Workspace, answers: Sequence[Candidate]) -> None:
    """Note what a service took. It answers all items in one batch, so one note is the total."""
    usd = sum(answer.origin.usage.usd for answer in answers if answer.origin)
    if usd:
        work.note(usd=usd)


def measure(benchmark: Benchmark, bootstrap: Bootstrap, work: Workspace) -> None:
    """Write the benchmark's figures over the predictions of the input to `figures.json`."""
    work.bar.start(1, "parts")
    path = work.inputs["predictions"] / PREDICTIONS
    figures = benchmark.figures(list(read_records(path, Prediction)), bootstrap)
    (work.folder / FIGURES).write_text(json_text(figures), encoding="utf-8")
    work.bar.advance()
    work.note(figures=len(figures))


def read_figures(folder: Path) -> list[Figure]:
    """Read what `measure` wrote; an unknown number is NaN again."""
    stored = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
    return [Figure(one["metric"], one["group"], _interval(one["interval"])) for one in stored]


def _interval(stored: Mapping[str, Any]) -> Interval:
    value, low, high = (math.nan if stored[name] is None else stored[name] for name in _NUMBERS)
    return Interval(value, low, high, stored["items"])
