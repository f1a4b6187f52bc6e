"""The Vicuna prompt and how its reviews are read, on every published review."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.open_ended.published import MISREAD, needs_reviews, reviews, rows
from tuna_exp.evaluation.open_ended import vicuna
from tuna_exp.evaluation.open_ended.vicuna import read_scores, vicuna_question
from tuna_exp.records import Instruction

SCORES = st.floats(0, 10).map(lambda x: round(x * 2) / 2)


@needs_reviews
def test_every_published_review_reads_as_its_published_scores() -> None:
    """1,040 reviews, 39 of which reason first; of two of these text and score contradict."""
    some = [(file, review) for file, reviews_ in reviews().items() for review in reviews_]
    read = {(f, r["question_id"]): (read_scores(r["text"]), tuple(r["score"])) for f, r in some}
    assert len(read) == 1040
    differing = {key for key, (said, published) in read.items() if said != published}
    assert differing == MISREAD
    assert {read[key] for key in MISREAD} == {((10.0, 4.0), (10, 2))}


@needs_reviews
def test_prompts_are_the_published_ones() -> None:
    for row in rows("reviewer_prompts.jsonl"):
        kind = row["category"]
        asked = Instruction(id="q", instruction="What?", kind=kind)
        filled = row["prompt_template"].format(
            question="What?", answer_1="one", answer_2="two", prompt=row["defaults"]["prompt"]
        )
        task = vicuna_question(asked, ("one", "two"), "q/0-1").task
        assert task.text == f"{row['system_prompt']}\n\n{filled}"


def test_the_prompt_goes_by_category() -> None:
    def text(kind: str) -> str:
        asked = Instruction(id="q", instruction="What?", kind=kind)
        return vicuna_question(asked, ("one", "two"), "q/0-1").task.text

    assert vicuna.CODING in text("coding") and vicuna.MATHS in text("math")
    assert vicuna.GENERAL in text("fermi") and vicuna.GENERAL in text("")


@given(SCORES, SCORES, st.sampled_from([" ", ",", ", "]), st.text())
def test_a_first_line_of_two_scores_is_read_whatever_follows(
    a: float, b: float, between: str, reasons: str
) -> None:
    assert read_scores(f"{a:g}{between}{b:g}\n{reasons}") == (a, b)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Let us see.\nAssistant 1: 7/10\nAssistant 2: 8.5 (better)", (7.0, 8.5)),
        ("Assistant 1: 3\nNo, wait.\nAssistant 1: 4\nAssistant 2: 5", (4.0, 5.0)),
        ("The points (2, -2) and (10, 4) are apart.\n\n(9, 6)\nBecause.", (9.0, 6.0)),
        ("The points (2, 3) and (10, 4) are apart.", "no_scores"),
        ("From (2, 3) to (10, 4).\nThe output tuple is (10, 1). Assistant 1 is better.", (10, 1)),
        ("In short, the scores are (1, 5) for Assistant 1 and 2.", (1.0, 5.0)),
        ("Assistant 1:\n7 steps.\nAssistant 2:\n3 steps.", "no_scores"),
        ("Assistant 1: 7", "no_scores"),
        ("8 9 7\nThree.", "no_scores"),
        ("80 95\nOf a hundred.", "out_of_range"),
        ("8\n9", "no_scores"),
    ],
)
def test_reviews_that_reason_first_and_those_without_scores(reply: str, said: object) -> None:
    assert read_scores(reply) == said
