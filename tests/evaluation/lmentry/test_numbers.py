"""The bigger or smaller of two numbers: what is right, what is sure."""

import pytest

from tuna_exp.evaluation.lmentry.numbers import spelled
from tuna_exp.evaluation.lmentry.scoring import score_prediction

BIGGER = {"n1": 41, "n2": 325, "answer": 325, "distractor": 41, "answer_index": 1}
SMALLER = {**BIGGER, "answer": 41, "distractor": 325, "answer_index": 0}

CASES = [
    ("325", (1, True)),
    ('The number "325".', (1, True)),
    ("325 325", (1, True)),
    ("41", (0, True)),  # one distinct token, not the answer
    ("41, 41", (0, True)),
    ("seven", (0, True)),
    ("", (0, False)),
    ("three hundred and twenty-five", (1, True)),
    ("three hundred and twenty five.", (1, True)),
    ("three hundred twenty five", (0, False)),
    ("3250 it is", (0, False)),  # digits are a whole token
    ("325 is bigger", (1, True)),
    ("325 is larger than forty-one", (1, True)),
    ("325 is smaller", (0, False)),
    ("325 is the larger number", (1, True)),
    ("the bigger number is 325", (1, True)),
    ("the bigger number is 41", (0, False)),
    ("41 is smaller than 325", (1, True)),
    ("41 is the smaller number", (1, True)),
    ("the smaller number is the number 41", (1, True)),
    ("the smaller number is 325", (0, False)),
    ("the answer is 325", (1, True)),
    ("the answer is 41 not 325", (0, False)),
    ("Of the numbers 41 and 325, 325 is bigger.", (1, True)),
    ("from the numbers 41 and 325, the answer is 325", (1, True)),
    ("between the numbers 41 and 325, 325 is larger", (1, True)),
    ("among the numbers 41 and 325, 325 is larger", (1, False)),  # no known prefix
    ("among the numbers 41 and 325, I choose 325", (0, False)),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_bigger_number(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("bigger_number", BIGGER, "", text, False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("41", (1, True)),
        ("325", (0, True)),
        ("forty-one is smaller than 325", (1, True)),
        ("325 is larger than 41", (1, True)),
        ("the larger number is 325", (1, True)),
        ("the larger number is 41", (0, False)),
        ("between the numbers 41 and 325, 41 is the smaller number", (1, True)),
        ("41 is bigger", (0, False)),
        ("of the numbers 41 and 325, 325 is bigger than 41", (1, True)),
        ("of the numbers 41 and 325, 41 is bigger than 325", (0, False)),
        ("325 is the bigger number", (1, True)),
        ("answer: forty one", (1, True)),
    ],
)
def test_smaller_number(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("smaller_number", SMALLER, "", text, False) == expected


def test_numbers_are_spelled_with_hyphens_or_spaces() -> None:
    assert spelled(325)[1:] == ("three hundred and twenty-five", "three hundred and twenty five")
    assert spelled(7) == ("7", "seven", "seven")
