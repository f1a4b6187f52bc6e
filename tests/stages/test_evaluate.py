"""Evaluation: predictions in the benchmark's order, whatever happened on the way."""

from collections.abc import Callable
from math import isnan

import pytest

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.evaluation.base import Benchmark
from tuna_exp.evaluation.subset import Subset
from tuna_exp.evaluation.verifiable import VerifiableBenchmark
from tuna_exp.models.student import Student
from tuna_exp.plan import Workspace
from tuna_exp.records import Prediction, read_records, write_records
from tuna_exp.stages.evaluate import PREDICTIONS, evaluate, measure, read_figures
from tuna_exp.unfinished import Notebook

MakeWork = Callable[..., Workspace]
BENCHMARK = VerifiableBenchmark(count=6, seed=1, kinds=None, max_new_tokens=4, batch_size=2)


def test_predictions_are_in_the_order_of_the_benchmark(
    student: Student, make_work: MakeWork
) -> None:
    work = make_work()
    evaluate(student.llm(), BENCHMARK, work)
    predictions = list(read_records(work.folder / PREDICTIONS, Prediction))
    assert [p.instruction for p in predictions] == BENCHMARK.items()
    facts = Notebook(work.folder).facts()
    assert facts["items"] == 6 and facts["passed"] == sum(p.passed for p in predictions)
    assert facts["generated_tokens"] == sum(p.tokens for p in predictions)
    assert facts["mean_score"] == sum(p.score for p in predictions) / 6
    assert facts["of"] == 6 and facts["at_max_tokens"] == sum(p.tokens == 4 for p in predictions)


@pytest.mark.parametrize("benchmark", [BENCHMARK, Subset(BENCHMARK, 5)], ids=["all", "subset"])
def test_a_killed_evaluation_continues_to_the_uninterrupted_one(
    benchmark: Benchmark, student: Student, make_work: MakeWork
) -> None:
    whole = make_work("whole")
    evaluate(student.llm(), benchmark, whole)
    journal = (whole.scratch / PREDICTIONS).read_bytes()
    first = journal.index(b"\n")
    for cut in (0, first, first + 1, first + 9, len(journal)):
        killed = make_work(f"cut-{cut}")
        (killed.scratch / PREDICTIONS).write_bytes(journal[:cut])
        evaluate(student.llm(), benchmark, killed)
        made, expected = (w.folder / PREDICTIONS for w in (killed, whole))
        assert made.read_bytes() == expected.read_bytes()


def test_figures_are_read_as_they_were_measured(make_work: MakeWork) -> None:
    """Of one item there is no interval: unknown is written as null and read as NaN."""
    answered = make_work("answered")
    predictions = [
        Prediction(instruction=i, text="", tokens=1, passed=False, score=0.5)
        for i in BENCHMARK.items()
    ]
    for some in (predictions, predictions[:1]):
        write_records(answered.folder / PREDICTIONS, some)
        work = make_work("figures", predictions=answered.folder)
        measure(BENCHMARK, Bootstrap(0.95, 100, 0), work)
        expected = BENCHMARK.figures(some, Bootstrap(0.95, 100, 0))
        assert repr(read_figures(work.folder)) == repr(expected)
    assert isnan(expected[0].interval.low)
