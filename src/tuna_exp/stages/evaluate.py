"""Evaluate: a model answers a benchmark, every answer is scored and kept."""

from typing import cast

from tuna_exp.evaluation.verifiable import VerifiableBenchmark
from tuna_exp.llms.base import LLM
from tuna_exp.plan import Workspace
from tuna_exp.records import Prediction, write_records
from tuna_exp.stages.journal import Journal

PREDICTIONS = "predictions.jsonl"


def evaluate(llm: LLM, benchmark: VerifiableBenchmark, work: Workspace) -> None:
    """Write one Prediction per benchmark item, in the benchmark's order, to `predictions.jsonl`."""
    journal = Journal(work.scratch / PREDICTIONS, [Prediction])
    done = journal.read()
    items, opened = benchmark.items(), llm.open()
    opened.remember(items)
    ordered = sorted(items, key=opened.prompt_length)
    batches = [ordered[i : i + benchmark.batch_size] for i in range(0, len(ordered), benchmark.batch_size)]
    work.bar.start(len(items), "items", sum(map(len, done)))
    for batch in batches[len(done) :]:
        answers = opened.answer(batch, benchmark.decoding(), seed=0)
        predictions = [benchmark.score(i, some[0]) for i, some in zip(batch, answers, strict=True)]
        journal.append(predictions)
        done.append(list(predictions))
        work.bar.advance(len(batch))
    by_id = {p.instruction.id: p for part in done for p in cast(list[Prediction], part)}
    predictions = [by_id[item.id] for item in items]
    write_records(work.folder / PREDICTIONS, predictions)
    work.note(
        items=len(items),
        passed=sum(p.passed for p in predictions),
        mean_score=sum(p.score for p in predictions) / len(predictions),
        generated_tokens=sum(p.tokens for p in predictions),
    )
