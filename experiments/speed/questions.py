"""Sixty-four open questions whose answers differ in length: what sampling is measured on."""

from tuna_exp.records import Instruction

_FORMS = (
    "What is {}?",
    "Explain how {} works.",
    "Give three facts about {}.",
    "Write one sentence about {}.",
    "Write a short poem about {}.",
    "Name a word that goes with {}.",
    "Tell a child why {} matters. Use simple words, give one example from daily life and keep a "
    "friendly tone.",
    "I am preparing a talk for my colleagues, who know little of the subject and have ten minutes "
    "before lunch. List the points that a talk about {} should make, in a sensible order.",
)
_SUBJECTS = (
    "bread",
    "the moon",
    "a bicycle",
    "the heart",
    "a library",
    "electricity",
    "the sea",
    "music",
)


def questions(count: int) -> list[Instruction]:
    """Return the first questions, at most 64."""
    texts = [form.format(subject) for subject in _SUBJECTS for form in _FORMS]
    return [Instruction(id=f"q{i}", instruction=text) for i, text in enumerate(texts[:count])]
