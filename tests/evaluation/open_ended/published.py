"""The published Vicuna questions, answers and reviews, where they are beside the checkout."""

import gzip
import json
import os
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.evaluation.open_ended.judging import AnswerPair, Comparison
from tuna_exp.evaluation.open_ended.vicuna import read_scores
from tuna_exp.records import Instruction, Judgement

_CHECKOUT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("TUNA_EXP_SHARED", _CHECKOUT.parent / "shared")) / "data" / "vicuna"
needs_reviews = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the published Vicuna reviews are not at {FOLDER}"
)


def rows(name: str) -> list[dict[str, Any]]:
    opened = gzip.open if name.endswith(".gz") else open
    with opened(FOLDER / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@cache
def reviews() -> dict[str, list[dict[str, Any]]]:
    """The reviews of each pair of models, by their file."""
    by_file = defaultdict(list)
    for row in rows("gpt4_reviews.jsonl.gz"):
        by_file[row["source_file"]].append(row)
    return dict(by_file)


# The text states 10 and 4, the published score is 10 and 2: read by hand, and wrongly.
MISREAD = {
    ("vicuna-13b_20230322-clean-lang/review_bard_vicuna-13b.jsonl", 70),
    ("vicuna-13b_20230322-clean-lang/review_llama-13b_vicuna-13b.jsonl", 70),
}


@cache
def questions() -> dict[int, Instruction]:
    return {
        row["question_id"]: Instruction(
            id=str(row["question_id"]), instruction=row["text"], kind=row["category"]
        )
        for row in rows("questions.jsonl")
    }


@cache
def answers() -> dict[str, str]:
    return {row["answer_id"]: row["text"] for row in rows("answers.jsonl.gz")}


def pair_of(review: dict[str, Any]) -> AnswerPair:
    """The pair of a review: ours is assistant 2, as Vicuna was."""
    ours, other = answers()[review["answer2_id"]], answers()[review["answer1_id"]]
    return AnswerPair(questions()[review["question_id"]], ours, other)


def replayed(review: dict[str, Any]) -> Comparison:
    """The comparison that our parser makes of a review's text."""
    return judged(review, read_scores(review["text"]))


def as_published(review: dict[str, Any]) -> Comparison:
    """The comparison by a review's published scores."""
    return judged(review, tuple(review["score"]))


def judged(review: dict[str, Any], said: tuple[float, ...] | str) -> Comparison:
    pair = pair_of(review)
    told: dict[str, Any] = {"refusal": said} if isinstance(said, str) else {"scores": said}
    judgement = Judgement(shown=(pair.other, pair.answer), raw=review["text"], **told)
    return Comparison.from_judgements(pair, [judgement])
