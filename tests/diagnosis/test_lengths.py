"""What does not fit a training: by rule of thumb, and by a real tokenizer."""

from pathlib import Path

from tests.diagnosis.conftest import MakeSet
from tuna_exp.diagnosis.lengths import counted_by, estimated, too_long


def test_four_characters_are_a_token(make_set: MakeSet) -> None:
    """Prompt 8 / 4 = 2; responses 40 / 4 = 10 and 4 / 4 = 1: of a limit of 11 only 12 is over."""
    sets = [make_set("a", ["x" * 40, "y" * 4], instruction="Say it.!")]
    (finding,) = too_long(sets, 11, estimated, "an estimate")
    assert (finding.count, finding.of, finding.severity) == (1, 2, "warning")
    assert "longer than 11 tokens" in finding.message and "the longest 12" in finding.message
    assert "an estimate" in finding.message
    assert list(too_long(sets, 12, estimated, "an estimate")) == []


def test_a_model_counts_as_a_training_does(make_set: MakeSet, tiny_folder: Path) -> None:
    """One token more for the end of the response, and the prompt's format besides the text."""
    (one,) = sets = [make_set("a", ["yes", "no"])]
    count = counted_by(tiny_folder, "chat")
    prompt, response = count(one.example.instruction, "yes")
    assert prompt > len(one.example.instruction.text.split()) and response > 1
    assert list(too_long(sets, prompt + response, count, "")) == []
    (finding,) = too_long(sets, prompt + response - 1, count, "")
    assert finding.count >= 1
