"""Our ROUGE-L against the package's, to the last bit, and by hand."""

import gzip
import json
import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from tuna_exp.evaluation.rouge import rouge_l

SHARED = Path(os.environ.get("TUNA_EXP_SHARED", Path(__file__).parents[3] / "shared")) / "data"
PUBLISHED = RougeScorer(["rougeL"], use_stemmer=True)
# Few words, so that texts have much in common; some that the stemmer changes, to the same stem too.
WORDS = st.sampled_from(
    ["the", "cats", "cat", "running", "runs", "generalizations", "a", "42", "dying", "Ünïcode",
     "it's", "news", "İstanbul", "K", "_", "x_y", "sky", "skies", "\u2028"]
)  # fmt: skip
TEXTS = st.one_of(st.lists(WORDS, max_size=30).map(" ".join), st.text(max_size=60))


def published(references: list[str], text: str) -> float:
    return float(PUBLISHED.score_multi(references, text)["rougeL"].fmeasure)


def real_answers() -> list[str]:
    path = SHARED / "vicuna" / "answers.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside this checkout")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def test_by_hand() -> None:
    """the cat sat / the cat was sitting: L = 2 (the cat), P = 2/4, R = 2/3, F = 2/3.5 = 4/7."""
    assert rouge_l(["The cat sat."], "the cat was sitting") == pytest.approx(4 / 7)


def test_the_best_reference_counts() -> None:
    assert rouge_l(["no", "yes it is"], "Yes, it is!") == 1.0


@pytest.mark.parametrize("text", ["", "  ", "?!", "日本"])
def test_a_text_without_a_token_scores_0(text: str) -> None:
    assert rouge_l(["yes"], text) == rouge_l([text], "yes") == rouge_l([text], text) == 0.0


@settings(max_examples=1000)
@given(st.lists(TEXTS, min_size=1, max_size=3), TEXTS)
def test_made_texts_score_as_the_package_says(references: list[str], text: str) -> None:
    assert rouge_l(references, text) == published(references, text)


@pytest.mark.parametrize("pairs", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_pairs_of_real_answers_score_as_the_package_says(pairs: int) -> None:
    """Answers of eight models, cut to 300 characters because the package is slow."""
    draw, texts = random.Random(0), [text[:300] for text in real_answers()]
    for _ in range(pairs):
        pair = draw.sample(texts, 2)
        assert rouge_l(pair[:1], pair[1]) == published(pair[:1], pair[1])


def test_a_whole_test_set_takes_seconds() -> None:
    """11,810 pairs of up to 128 tokens (600 characters); 30 s is what may be, 1 s is usual."""
    draw, texts = random.Random(1), [text[:600] for text in real_answers()]
    pairs = [draw.sample(texts, 2) for _ in range(11_810)]
    start = time.process_time()
    for reference, text in pairs:
        rouge_l([reference], text)
    assert time.process_time() - start < 30
