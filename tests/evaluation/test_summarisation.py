"""Summarisation: one or more references, the best of them counts, and the file is read strictly."""

import json
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.evaluation.summarisation import Fields, SummarisationBenchmark, rouge_n
from tuna_exp.records import Candidate

FIELDS = Fields("fname", "dialogue", ("summary", "summary1", "summary2"), "split")
ROWS = [
    {"split": "dev", "fname": "d0", "dialogue": "A: Hi.", "summary": "A greets."},
    {
        "split": "test",
        "fname": "t0",
        "dialogue": "B: Bye.",
        "summary1": "B leaves.",
        "summary2": "B goes home.",
    },  # fmt: skip
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dialogues.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def benchmark(path: Path, split: str | None = None) -> SummarisationBenchmark:
    return SummarisationBenchmark("summarisation", str(path), split, FIELDS, "Summarize:", 9, 2)


def test_the_best_reference_counts(file: Path) -> None:
    """ "B goes home." is the second reference; against the first only B is common."""
    made = benchmark(file, "test")
    (item,) = made.items()
    answer = Candidate(text="B goes home.", token_ids=(1,), token_logprobs=(-1.0,))
    said = made.score(item, answer)
    assert said.score == 1.0 and said.passed
    assert item.text == "Summarize:\n\nB: Bye."
    figures = {f.metric: f.interval.value for f in made.figures([said], Bootstrap(0.95, 999, 0))}
    assert figures == {"ROUGE-L": 1.0, "ROUGE-1": 1.0, "ROUGE-2": 1.0}


def test_n_grams_are_the_packages() -> None:
    references, text = ["the cats sat", "a cat was sitting there"], "the cat sits there"
    scorer = RougeScorer(["rouge1", "rouge2"], use_stemmer=True)
    found = scorer.score_multi(references, text)
    assert rouge_n(references, text)["ROUGE-1"] == found["rouge1"].fmeasure
    assert rouge_n(references, text)["ROUGE-2"] == found["rouge2"].fmeasure


def test_a_split_that_is_not_there_is_an_error(file: Path) -> None:
    with pytest.raises(ConfigError, match="no document of it .it has: dev, test"):
        benchmark(file, "train").items()
    assert [item.id for item in benchmark(file).items()] == ["d0", "t0"]


@pytest.mark.parametrize("missing", ["dialogue", "summary", "fname"])
def test_a_row_that_lacks_something_is_named(missing: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({k: v for k, v in ROWS[0].items() if k != missing}) + "\n")
    with pytest.raises(DataError, match=rf"(?s){missing}.*found .*\[.*Cure: correct these records"):
        benchmark(path).items()
