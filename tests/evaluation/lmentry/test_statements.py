"""What all scorers share: normalising, the simple rule, and answers made to be hard."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.evaluation.lmentry.scoring import SCORERS, score_prediction
from tuna_exp.evaluation.lmentry.statements import (
    Statements,
    fold,
    merely_repeats,
    normalise,
    shared_statements,
    tokens,
    word_form,
)

_CHOICE = {"answer": "kite", "distractor": "book", "answer_index": 0}
# Metadata that any task can read.
METADATA: dict[str, dict[str, Any]] = {
    task: {
        "word": "river", "letter": "e", "word1": "kite", "word2": "book", "query": "bright",
        "category": "fruit", "num_words": 5, "num_distractors": 4, "sentence": "Anna saw a kite",
        **_CHOICE,
    }
    for task in SCORERS
}  # fmt: skip
for _task in ("bigger_number", "smaller_number"):
    METADATA[_task] = {"n1": 41, "n2": 325, "answer": 325, "distractor": 41}
for _task in ("most_associated_word", "least_associated_word"):
    METADATA[_task] = {**METADATA[_task], "distractors": ["coat", "shoe", "sock", "hat"]}
for _task in ("more_letters", "less_letters"):
    METADATA[_task] = {**METADATA[_task], "answer": "more", "distractor": "kites"}

# Words of which statements are made, so that random texts come near to them.
_WORDS = """the word letter sentence number kite book bright river more kites longer e is answer
first comes after before rhymes with and 325 41 three hundred of yes no fruit most related to coat
shoe sock hat starts ends a i " ' . , : - _ é ſ ı ٣ \\ ( [ *"""
_PIECES = st.sampled_from([*_WORDS.split(), "\n", "\0", " "])
_NEAR = st.lists(_PIECES, max_size=25).map(" ".join)


@pytest.mark.parametrize("task", SCORERS)
@given(text=st.one_of(st.text(max_size=200), _NEAR))
def test_any_text_gets_a_verdict(task: str, text: str) -> None:
    for cut in (False, True):
        score, certain = score_prediction(task, METADATA[task], "Write e:", text, cut)
        assert score in (0, 1) and isinstance(certain, bool)


_BOMBS = {
    "quotes": "\"'.," * 2_500,
    "a letter": "e" * 10_000,
    "letters and quotes": "e." * 5_000,
    "accents": "river " + "é" * 10_000 + "\nx",
    "accents in a sentence": "the sentence river " + "é" * 10_000 + " river",
    "new lines": "river\n" * 1_600,
    "the word": "the word " * 1_100,
    "first word": "first word" * 1_000,
    "the sentence": "the sentence is river ab " * 400,
    "sentences": "one sentence starting with river is river ab " * 220 + "\nstarts with river",
    "an answer and quotes": "kite" + "'" * 10_000 + "x",
    "answers and quotes": "kite''''''''' " * 700,
    "options": "of " + "coat kite shoe sock hat " * 400,
    "options and marks": "of coat kite shoe sock hat" + "!" * 10_000 + "x",
    "marks and options": "kite relates to fruit the most" + "'" * 10_000 + "x",
    "spaces": " \t" * 5_000 + "kite",
    "underscores": "kite" + "_" * 10_000 + "more kites",
    "rhyme": "book does not rhyme with bright" + " \t" * 5_000 + "x kite",
    "hyphens": "e-" * 5_000,
    "numbers": "325 is larger than 41 " * 450,
    "NULs": "\0" * 10_000 + "kite",
}


@pytest.mark.parametrize("name", _BOMBS)
def test_no_text_of_10000_characters_takes_long(name: str) -> None:
    """Each of the 25 scorers takes below 0.8 seconds of processor time; busy machines count double.

    What grows with more than the square of the length would take minutes.
    """
    text = _BOMBS[name]
    for task in SCORERS:
        start = time.process_time()
        score_prediction(task, METADATA[task], "", text, False)
        assert time.process_time() - start < 3, task


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  Two   Words\n", "two words"),
        ("snake_case", "snake case"),
        ("a _ b", "a   b"),  # spaces first, then underscores
        ("one\ntwo", "one\ntwo"),
        ("a\t\tb", "a\t\tb"),  # spaces alone
    ],
)
def test_normalise(text: str, normal: str) -> None:
    assert normalise(text, cut=False) == normal


def test_cut_keeps_the_first_sentence_of_the_first_line() -> None:
    assert normalise(" A b. C\nd", cut=True) == "a b"
    assert normalise("a\nb. c", cut=True) == "a"
    assert normalise("", cut=True) == ""


def test_cut_decides_a_score() -> None:
    metadata = {"word": "sea"}
    text = "We swim.\nThe sea is deep."
    assert score_prediction("sentence_containing", metadata, "", text, False).score == 1
    assert score_prediction("sentence_containing", metadata, "", text, True).score == 0


def test_tokens_are_between_word_boundaries() -> None:
    assert tokens("one, x-ray 25 naïve") == ["one", "x", "ray", "25"]


@pytest.mark.parametrize(
    ("text", "repeats"),
    [("kite kite!", True), ("kite book", False), ("!?", False), ("", False), ("é", True)],
)
def test_merely_repeats(text: str, repeats: bool) -> None:
    assert merely_repeats(text, "kite".__eq__) is repeats


def test_the_simple_rule_ignores_case_as_python_does() -> None:
    assert fold("ſıkß") == "sikß"
    metadata = {"query": "win", "answer": "sin", "distractor": "book"}
    assert score_prediction("rhyming_word", metadata, "", "ſin rhymes with win", False).score == 1
    metadata = {"word": "sin", "answer": "s"}
    assert score_prediction("first_letter", metadata, "", "s, as ſin: s", False).score == 0


@pytest.mark.parametrize(
    ("text", "whole", "within"),
    [
        ("kite is the answer", True, True),
        ('the word "kite" is the answer.', True, True),
        ("the answer is 'kite'", True, True),
        ("the correct answer is kite.", True, True),
        ("answer: kite", True, True),
        ("answer: kite..", True, True),  # periods after a word belong to it
        ("answer: kite!", False, True),
        ("my answer: the word kite", False, True),
        ("answer: kites", False, False),
        ("kite is an answer", False, False),
        ("answer kite", False, False),
        ("", False, False),
    ],
)
def test_whole_and_within(text: str, whole: bool, within: bool) -> None:
    statements = Statements(["a"], {"A": word_form("a")}, shared_statements("<A>"))
    assert statements.whole(["kite"], text) is whole
    assert statements.within(["kite"], text) is within


def test_an_argument_is_taken_literally() -> None:
    """The published scorers put it in unescaped: the same for the published data, which has none.

    A sentence of another source may have signs that mean something in an expression.
    """
    metadata = {"sentence": "Who (really) paid $5?", "answer": "Who"}
    text = "who (really) paid $5? begins with who"
    assert score_prediction("first_word", metadata, "", text, False) == (1, True)


def test_a_prediction_cannot_pose_as_an_argument() -> None:
    """NUL ends the arguments in front of a prediction; one in the prediction changes nothing."""
    metadata = {"word1": "kite", "word2": "book", "answer": "book", "distractor": "kite"}
    text = "kite\0kite comes first"
    assert score_prediction("first_alphabetically", metadata, "", text, False) == (0, False)
