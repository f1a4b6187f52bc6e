"""Evaluate by a harness: it asks the model task by task, every task is kept; then its figures.

A killed evaluation goes on with the task that was under way, which is asked anew from its start;
answers of a service are in its ledger and are not bought again. Left out: keeping parts of a task.
The harness draws a task's few-shot examples in one go.
"""

from functools import partial

from tuna_exp.comparison.json_text import json_text
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.evaluation.base import Benchmark
from tuna_exp.evaluation.lm_eval.benchmark import LmEvalBenchmark, by_task
from tuna_exp.evaluation.lm_eval.samples import Sample
from tuna_exp.evaluation.subset import whole_size
from tuna_exp.llms.base import LLM
from tuna_exp.plan import Workspace
from tuna_exp.records import Instruction, read_records, write_records
from tuna_exp.services import billing
from tuna_exp.stages.evaluate import FIGURES, PREDICTIONS
from tuna_exp.stages.journal import Journal

SAMPLES = "samples.jsonl"


def evaluate_by_harness(
    llm: LLM, harness: LmEvalBenchmark, benchmark: Benchmark, work: Workspace
) -> None:
    """Write one Prediction per item to `predictions.jsonl`, and what the harness logged of it.

    `benchmark` says which of the harness's items are asked. The latter goes to `samples.jsonl`.
    """
    tasks = [*by_task(benchmark.items()).values()]
    journal = Journal(work.scratch / SAMPLES, [Sample])
    done = journal.finished(map(len, tasks))
    work.bar.start(sum(map(len, tasks)), "items", sum(map(len, tasks[:done])))
    if done < len(tasks):
        session = harness.open(llm)
        for items in tasks[done:]:
            journal.append(harness.ask(session, items))
            work.bar.advance(len(items))
        session.close()
    samples = [*journal.records()]
    predictions = [sample.prediction for sample in samples]
    write_records(work.folder / SAMPLES, samples)
    write_records(work.folder / PREDICTIONS, predictions)
    usd = sum(sample.usd for sample in samples)
    work.note(
        items=len(samples),
        of=whole_size(benchmark),
        tasks=len(tasks),
        passed=sum(p.passed for p in predictions),
        mean_score=sum(p.score for p in predictions) / len(predictions),
        generated_tokens=sum(p.tokens for p in predictions),
        **({"usd": usd} if usd else {}),
    )


def measure_by_harness(harness: LmEvalBenchmark, bootstrap: Bootstrap, work: Workspace) -> None:
    """Write the harness's figures over the samples of the input to `figures.json`."""
    work.bar.start(1, "parts")
    samples = list(read_records(work.inputs["predictions"] / SAMPLES, Sample))
    figures = harness.figures_of(samples, bootstrap)
    (work.folder / FIGURES).write_text(json_text(figures), encoding="utf-8")
    work.bar.advance()
    work.note(figures=len(figures))


def bill(llm: LLM, harness: LmEvalBenchmark, items: list[Instruction]) -> billing.Bill:
    """Return what a service will be paid for answers to the harness's own requests."""
    if not llm.usd(1e6, 1e6):
        return billing.Bill()
    one = partial(billing.answering, llm)
    return sum((one(asked, drawn, 0) for asked, drawn in harness.asked(items)), billing.Bill())
