"""What is told of a training before any model is loaded, with the tiny model's tokenizer."""

from dataclasses import replace
from pathlib import Path

import pytest

from tuna_exp.batching.tokenise import Batching
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.models.prompts import TooLong
from tuna_exp.models.student import Student
from tuna_exp.records import Instruction
from tuna_exp.stages.readiness import check_answers, check_context, check_references

BATCHING = Batching("padded", 8, 4096, max_length=64, on_too_long="error", workers=0)
LONG = Instruction(id="long", instruction="Write.", reference="word " * 100)


def test_a_response_that_is_too_long_is_named(
    student: Student, instructions: list[Instruction]
) -> None:
    batching = replace(BATCHING, max_length=200)
    check_references(student, batching, instructions)
    with pytest.raises(TooLong, match="long: .*the limit is 64.*Cure: batching.max_length"):
        check_references(student, BATCHING, [LONG])
    check_references(student, replace(BATCHING, on_too_long="truncate"), [LONG])


def test_nothing_left_to_train_on(student: Student, instructions: list[Instruction]) -> None:
    """Of several one may be dropped; all may not."""
    drop = replace(BATCHING, max_length=200, on_too_long="drop")
    check_references(student, drop, [LONG.model_copy(update={"reference": "w " * 300}), LONG])
    with pytest.raises(DataError, match="all 1 were dropped.*max_length=64"):
        check_references(student, replace(drop, max_length=64), [LONG])
    with pytest.raises(DataError, match="no instruction has a response.*Cure"):
        check_references(student, drop, [])


def test_examples_longer_than_the_context_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    """The tiny model reads 4096 tokens; a folder that does not say is trusted."""
    check_context(tiny_folder, "key", 4096)
    check_context(tmp_path, "key", 9999)
    with pytest.raises(ConfigError, match="key=4097 is more than the model's.*4096.*Cure"):
        check_context(tiny_folder, "key", 4097)


def test_answers_longer_than_the_context_are_refused(student: Student) -> None:
    check_answers(student, 4096)
    with pytest.raises(ConfigError, match="sampling.decoding.max_new_tokens=5000 is more"):
        check_answers(student, 5000)
