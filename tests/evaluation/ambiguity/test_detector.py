"""The rules: cases that they see and cases that they let pass, and how they do on real texts."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.evaluation.ambiguity.detector import asks, assumes

SHARED = Path(os.environ.get("TUNA_EXP_SHARED", Path(__file__).parents[4] / "shared"))
DATA = SHARED / "data"


@pytest.mark.parametrize(
    "text",
    [
        "Which bank do you mean?",
        "Could you please specify the city?",
        "What is Centichris?",
        "I'd be happy to help! Are you looking for indoor plants, e.g. ferns?",
        "I need more information to answer that.",
        "Please tell me which team you are asking about.",
        "are you looking for indoor plants",
        "which voyager are you interested in",
        "in what year do you want to go",
    ],
)
def test_what_asks(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize(
    "text",
    [
        "Paris is the capital of France.",
        "Paris. Would you like to know more?",
        "Water boils at 100 degrees. Is there anything else I can help with?",
        "He asked who was there. Nobody answered.",
        "Why do leaves fall? Because trees save water in winter.",
        'She said: "Which bank do you mean?" He did not answer.',
        "Dear Sir. I write about a job. Please tell me more about it. Yours. A. Be well. Goodbye.",
        "When in doubt, ask.",
        "What you are looking for is a fern.",
        "",
    ],
)
def test_what_does_not_ask(text: str) -> None:
    assert not asks(text)


@pytest.mark.parametrize(
    "text, said",
    [
        ("Assuming you mean the river bank, it is muddy.", True),
        ("I'll assume that she is the sister.", True),
        ("It depends on the country.", True),
        ("The sentence has two readings.", True),
        ("It could refer to Amanda or to her sister.", True),
        ("The word bank is ambiguous.", True),
        ("She is leaving town.", False),
        ("The assumption of the model is wrong.", False),
        ("Please depend on me.", False),
    ],
)
def test_what_states_a_reading(text: str, said: bool) -> None:
    assert assumes(text) is said


def rows(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


@pytest.mark.parametrize(
    "field, texts, seen",
    [("clarifying_question", 1601, 0.98), ("predict_clarifying_question", 3202, 0.99)],
)
def test_published_questions_are_seen(field: str, texts: int, seen: float) -> None:
    found = [row[field] for row in rows("prompts/clamber.jsonl.gz") if row[field].strip()]
    assert len(found) == texts
    assert sum(map(asks, found)) / texts == pytest.approx(seen, abs=0.005)


def test_questions_without_a_mark_are_seen() -> None:
    """Of the 637 of ClariQ's dev set 3 have one."""
    found = {row["question"] for row in rows("prompts/clariq_dev.jsonl.gz")} - {""}
    assert len(found) == 637
    assert sum(map(asks, found)) / 637 == pytest.approx(0.97, abs=0.005)


def test_answers_to_clear_questions_are_rarely_taken_for_questions() -> None:
    """9 of 640, none of them a letter that the model was asked to write (71, 72)."""
    answers = rows("vicuna/answers.jsonl.gz")
    asking = [row for row in answers if asks(row["text"])]
    assert (len(answers), len(asking)) == (640, 9)
    assert not any(row["question_id"] in (71, 72) for row in asking)
