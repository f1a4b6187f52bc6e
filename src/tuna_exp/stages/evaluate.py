"""Evaluate: a model answers a benchmark, every answer is scored and kept."""

from collections.abc import Sequence
from functools import partial

from tuna_exp.evaluation.verifiable import VerifiableBenchmark
from tuna_exp.llms.base import LLM
from tuna_exp.plan import Workspace
from tuna_exp.records import Instruction, Prediction, write_records
from tuna_exp.stages.journal import Journal

PREDICTIONS = "predictions.jsonl"


def evaluate(llm: LLM, benchmark: VerifiableBenchmark, work: Workspace) -> None:
    """Write one Prediction per benchmark item, in the benchmark's order, to `predictions.jsonl`."""
    items, opened = benchmark.items(), llm.open()
    room = benchmark.decoding().max_new_tokens
    ordered = sorted(items, key=partial(opened.prompt_length, room=room))
    opened.remember(items)

    def answer_batch(number: int, batch: Sequence[Instruction]) -> list[Prediction]:
        answers = opened.answer(batch, benchmark.decoding(), seed=0)
        return [benchmark.score(i, some[0]) for i, some in zip(batch, answers, strict=True)]

    journal = Journal(work.scratch / PREDICTIONS, [Prediction])
    answered = journal.complete(ordered, benchmark.batch_size, answer_batch, work.bar, "items")
    by_id = {prediction.instruction.id: prediction for prediction in answered}
    predictions = [by_id[item.id] for item in items]
    write_records(work.folder / PREDICTIONS, predictions)
    work.note(
        items=len(items),
        passed=sum(p.passed for p in predictions),
        mean_score=sum(p.score for p in predictions) / len(predictions),
        generated_tokens=sum(p.tokens for p in predictions),
    )
