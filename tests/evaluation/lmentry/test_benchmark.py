"""LMentry as a benchmark: items, digest, scores and figures, end to end on a small one."""

from dataclasses import replace
from pathlib import Path

import pytest

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import DataError
from tuna_exp.evaluation.lmentry.benchmark import LMentryBenchmark
from tuna_exp.records import Candidate, Check, Instruction, Prediction


@pytest.fixture
def benchmark(packed: Path) -> LMentryBenchmark:
    return LMentryBenchmark("lmentry", str(packed), None, False, max_new_tokens=16, batch_size=4)


@pytest.mark.parametrize(
    "change", [{"per_template": 1}, {"cut": True}, {"max_new_tokens": 9}, {"batch_size": 2}]
)
def test_the_digest_changes_with_what_decides_the_result(
    benchmark: LMentryBenchmark, change: dict[str, object]
) -> None:
    assert replace(benchmark, **change).digest() != benchmark.digest()  # type: ignore[arg-type]


def test_the_digest_does_not_change_with_the_place(
    benchmark: LMentryBenchmark, folder: Path
) -> None:
    assert replace(benchmark, path=str(folder)).digest() == benchmark.digest()


def test_it_is_made_without_reading() -> None:
    benchmark = LMentryBenchmark("mine", "nowhere", None, False, 16, 4)
    assert benchmark.name == "mine"
    with pytest.raises(DataError, match="nowhere"):
        benchmark.items()


def test_it_is_answered_greedily_once(benchmark: LMentryBenchmark) -> None:
    decoding = benchmark.decoding()
    assert (decoding.responses, decoding.temperature, decoding.max_new_tokens) == (1, 0.0, 16)


def test_an_answer_is_scored_by_its_task(benchmark: LMentryBenchmark) -> None:
    item = next(i for i in benchmark.items() if i.id == "rhyming_word_orthographically_similar/1")
    answer = Candidate(text="Kite.", token_ids=(4, 5), token_logprobs=(-0.1, -0.2))
    made = benchmark.score(item, answer)
    assert (made.passed, made.score, made.tokens) == (True, 1.0, 2)
    assert (made.instruction, made.text) == (item, "Kite.")
    wrong = benchmark.score(item, Candidate(text="sun"))
    assert (wrong.passed, wrong.score) == (False, 0.0)


def test_cut_is_for_models_that_do_not_stop(benchmark: LMentryBenchmark) -> None:
    item = next(i for i in benchmark.items() if i.id == "more_letters/1")
    running_on = Candidate(text="kite. Which word is shorter?\nsun")
    assert not benchmark.score(item, running_on).passed
    assert replace(benchmark, cut=True).score(item, running_on).passed


def test_an_item_of_another_benchmark_is_refused(benchmark: LMentryBenchmark) -> None:
    other = Instruction(id="x", instruction="?", check=Check(name="word/upper"))
    for item in (other, other.model_copy(update={"check": None})):
        with pytest.raises(DataError, match="allowed: lmentry/<task>"):
            benchmark.score(item, Candidate(text="x"))


def test_figures_from_predictions_that_were_stored(benchmark: LMentryBenchmark) -> None:
    """Always "yes": right for any_words (1 of 2 tuples) and all_words (the other half), else 0.

    "yes" has no token that starts or ends with e or n, and contains e: word_containing 1 of 2 for
    e, none for n; word_not_containing 1 of 2 for n. sentence_not_containing: one word, no. So
    accuracy is 4 x 0.5 / 25 = 0.08.
    """
    scored = [benchmark.score(item, Candidate(text="yes")) for item in benchmark.items()]
    stored = [Prediction.model_validate_json(one.model_dump_json()) for one in scored]
    made = benchmark.figures(stored, Bootstrap(0.95, 200, 1))
    assert made[0].metric == "LMentry score (246 of 110,703 prompts)"
    assert made[1].interval.value == pytest.approx(0.08)
    by_task = {f.group: f.interval.value for f in made if f.metric == "accuracy"}
    assert by_task["any_words_from_category"] == by_task["word_containing"] == 0.5
    assert by_task["first_word"] == 0.0
