"""The prompt, letter by letter."""

import pytest

from tuna_exp.evaluation.superni.prompts import Limit, prompt
from tuna_exp.evaluation.superni.tasks import Example, Task
from tuna_exp.models.loading import load_tokenizer
from tuna_exp.models.tiny import TinyModel

EXAMPLES = (Example(" Is 9 big? ", "no"), Example("Is 10 big", "yes!"), Example("11", "yes"))
TASK = Task("task1_a", "", " Answer the question ", EXAMPLES, ())
ZERO = (
    "Definition: Answer the question.\n\n"
    "Now complete the following example -\nInput: Is 3 big?\nOutput: "
)
TWO = (
    "Definition: Answer the question.\n\n"
    " Positive Example 1 -\nInput: Is 9 big?\n Output: no.\n\n"
    " Positive Example 2 -\nInput: Is 10 big.\n Output: yes!\n\n"
    "Now complete the following example -\nInput: Is 3 big?\nOutput: "
)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(TinyModel().resolve())


@pytest.mark.parametrize(("shots", "text"), [(0, ZERO), (2, TWO)])
def test_layout(shots: int, text: str) -> None:
    assert prompt(TASK, "Is 3 big?\n", shots, None) == text


@pytest.mark.parametrize(
    ("given", "line"),
    [("x", "Input: x."), ("x;", "Input: x;"), (" ", "Input: ."), ("x。", "Input: x。.")],
)
def test_a_period_unless_it_ends_in_ascii_punctuation(given: str, line: str) -> None:
    assert prompt(TASK, given, 0, None).splitlines()[-2] == line


@pytest.mark.parametrize(("room", "shown"), [(0, 2), (-1, 1), (-90, 0)])
def test_examples_are_added_while_they_fit(tokenizer, room: int, shown: int) -> None:
    """The limit is that of two examples plus `room`; one example has more than 1 token."""
    limit = Limit(tokenizer, len(tokenizer(TWO)["input_ids"]) + room)
    assert prompt(TASK, "Is 3 big?", 2, limit).count("Positive Example") == shown


def test_a_long_prompt_is_cut_at_its_end(tokenizer) -> None:
    made = prompt(TASK, "Is 3 big?", 2, Limit(tokenizer, 10))
    assert ZERO.startswith(made)
    assert len(tokenizer(made)["input_ids"]) == 10
