"""The verifiable benchmark: what it asks, what decides it, and how it marks an answer."""

from dataclasses import replace

import pytest

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.datasets.verifiable import VerifiableDataset
from tuna_exp.evaluation.verifiable import VerifiableBenchmark
from tuna_exp.records import Candidate, Instruction, Prediction

BENCHMARK = VerifiableBenchmark(count=40, seed=1, kinds=None, max_new_tokens=32, batch_size=8)


def item_of(kind: str) -> Instruction:
    return replace(BENCHMARK, count=1, kinds=[kind]).items()[0]


def test_items_are_held_out() -> None:
    """Every fourth of 40 is of a kind that is never trained on: 10; none is a training item."""
    items = BENCHMARK.items()
    splits = [item.split for item in items]
    assert (splits.count("held_out"), splits.count("held_out_kind")) == (30, 10)
    trained = {item.text for item in VerifiableDataset(count=1000, seed=1).load()}
    assert not trained & {item.text for item in items}


def test_items_are_the_same_each_time() -> None:
    assert BENCHMARK.items() == BENCHMARK.items()
    assert BENCHMARK.items() != replace(BENCHMARK, seed=2).items()


def test_kinds_filter_the_items() -> None:
    items = replace(BENCHMARK, kinds=["list/*"]).items()
    assert len(items) == 40
    assert {item.kind.partition("/")[0] for item in items} == {"list"}


@pytest.mark.parametrize(
    "change",
    [{"count": 41}, {"seed": 2}, {"kinds": ["list/*"]}, {"max_new_tokens": 31}, {"batch_size": 7}],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_changes_with_what_decides_the_result(change: dict[str, object]) -> None:
    assert replace(BENCHMARK, **change).digest() != BENCHMARK.digest()  # type: ignore[arg-type]


def test_equal_benchmarks_have_equal_digests() -> None:
    assert replace(BENCHMARK).digest() == BENCHMARK.digest()
    assert (
        replace(BENCHMARK, kinds=("list/*",)).digest()
        == replace(BENCHMARK, kinds=["list/*"]).digest()
    )


def test_it_is_answered_greedily_once() -> None:
    decoding = BENCHMARK.decoding()
    assert (decoding.responses, decoding.temperature, decoding.max_new_tokens) == (1, 0.0, 32)


def test_a_right_answer_passes_with_1() -> None:
    item = item_of("word/upper")
    assert item.reference is not None
    answer = Candidate(text=item.reference, token_ids=(4, 5), token_logprobs=(-0.1, -0.2))
    made = BENCHMARK.score(item, answer)
    assert (made.passed, made.score, made.tokens) == (True, 1.0, 2)
    assert (made.instruction, made.text) == (item, item.reference)


def test_a_wrong_answer_fails_with_some_score() -> None:
    """The word with its letters in lower case: right letters, wrong form, 0.4."""
    item = item_of("word/upper")
    made = BENCHMARK.score(item, Candidate(text=(item.reference or "").lower()))
    assert (made.passed, made.score) == (False, 0.4)


@pytest.mark.parametrize("text", ["", "  \n", "..."])
def test_an_empty_answer_scores_0(text: str) -> None:
    made = BENCHMARK.score(item_of("word/upper"), Candidate(text=text))
    assert (made.passed, made.score, made.tokens) == (False, 0.0, 0)


def test_figures_are_means_over_all_splits_and_families() -> None:
    """Every answer of a list task passes with 1, every other fails with 0.5."""
    predictions = [
        Prediction(instruction=i, text="", tokens=1, passed=right, score=1.0 if right else 0.5)
        for i in BENCHMARK.items()
        for right in [i.kind.startswith("list/")]
    ]
    lists = sum(p.passed for p in predictions)
    figures = BENCHMARK.figures(predictions, Bootstrap(0.95, 100, 0))
    found = {(f.metric, f.group): f.interval for f in figures}
    assert figures[0].metric == "score" and figures[0].group == "all"
    assert found["passed", "all"].value == pytest.approx(lists / 40)
    assert found["score", "all"].value == pytest.approx((lists + (40 - lists) / 2) / 40)
    assert found["passed", "list"].value == 1 and found["score", "word"].value == 0.5
    assert found["score", "list"].items == lists
    assert found["score", "held_out"].items + found["score", "held_out_kind"].items == 40
