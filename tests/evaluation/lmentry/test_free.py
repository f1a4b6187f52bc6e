"""Sentences that hold a word, do not, or start or end with it: what is right, what is sure."""

import pytest

from tuna_exp.evaluation.lmentry.scoring import score_prediction

WORD = {"word": "River"}


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("The river is deep.", 1),  # a whole token, in any case
        ("river!", 1),  # one more character will do, after it
        ("\n(river\n", 1),  # or before it
        ("river", 0),  # nothing else in its line
        ("one\nriver\ntwo", 0),
        ("rivers run", 0),  # no whole token
        ("", 0),
    ],
)
def test_sentence_containing(text: str, score: int) -> None:
    assert score_prediction("sentence_containing", WORD, "", text, False) == (score, True)


@pytest.mark.parametrize(
    ("text", "score", "certain"),
    [
        ("The sea is deep.", 1, True),
        ("Two rivers meet.", 1, False),  # a part of another word
        ("A river runs.", 0, True),
        ("123 !?", 0, True),  # no word
        ("Sea.", 0, False),  # one word is no sentence
        ("Sea 5.", 0, False),
    ],
)
def test_sentence_not_containing(text: str, score: int, certain: bool) -> None:
    made = score_prediction("sentence_not_containing", WORD, "", text, False)
    assert made == (score, certain)


@pytest.mark.parametrize(
    ("text", "score", "certain"),
    [
        ("River banks are green.", 1, True),
        ('"River" is a word', 1, True),  # quotes around it
        ("The word river is short", 1, True),
        ("... river, I said", 1, True),  # "i" is a word
        ("river\nbanks", 1, True),  # what comes between may be a new line
        ("river banks\nare green", 0, False),  # what comes after may not
        ("Banks are green.", 0, True),  # nowhere a whole token
        ("rivers run", 0, True),
        ("river", 0, False),  # no word after it
        ("river x", 0, False),  # "x" is no valid word
        ("the river is deep", 0, False),
        ("The sentence is: river banks. It starts with river", 1, True),
        ("the sentence river banks starts with the word 'river'", 1, True),
        (
            "One sentence starting with river is: river ab is a sentence starting with river",
            1,
            True,
        ),
        ("the sentence river éé is the answerstarts with river", 1, True),
        ("the sentence river é is the answerstarts with river", 1, True),
        ("so the sentence river éé is the answerstarts with river", 1, False),
        # The suffix follows at once: both letters of the valid word are beyond a-z.
        ("the sentence river 日本is a sentence starting with river", 1, True),
        ("the sentence river 日 本is a sentence starting with river", 0, False),  # no two together
        ("the sentence river\n- ééé.starts with river?", 1, False),
        ("a sentence whose first word is river: river banks", 0, False),  # no suffix
        ("so a sentence that starts with river is: river ab starts with river", 1, False),
        ("so one sentence whose first word is river river ab starts with river", 1, False),
        ("so the sentence river ab is a sentence that starts with river", 1, False),
        ("so the sentence river ab is a sentence whose first word is river", 1, False),
        ("so the sentence river ab is a sentence whose last word is river", 0, False),
        ("so the sentence isthe correct answer is river ab starts with river", 1, False),
        ("so my sentence river ab starts with river", 0, False),
        ("hm, the sentence river banks is the answer starts with river", 1, False),
        ("hm, river banks starts with river", 0, False),  # no prefix
    ],
)
def test_starts_with_word(text: str, score: int, certain: bool) -> None:
    assert score_prediction("starts_with_word", WORD, "", text, False) == (score, certain)


@pytest.mark.parametrize(
    ("text", "score", "certain"),
    [
        ("We saw the river.", 1, True),
        ('I said "river"!?', 1, True),
        ("we\nriver", 1, True),
        ("we saw\nthe word river", 1, True),  # the new line is between word and WORD
        ("we saw\nthe river", 0, False),  # here it is before the last valid word
        ("we saw it", 0, True),
        ("river", 0, False),
        ("x river", 0, False),
        ("the river is deep", 0, False),
        ("Here:\nthe sentence is we saw the river.", 1, False),
        ("a sentence ending with river is\nwe saw a river.", 0, False),
        ("so:\none sentence ending with river is we saw a river.", 1, False),
        ("so:\none sentence whose final word is river we saw a river", 1, False),
        ("so:\na sentence whose last word is river is we saw a river", 1, False),
        ("so:\na sentence whose only word is river is we saw a river", 0, False),
        ("so:\na sentence that ends with river we saw a river", 1, False),
        ("so:\nthe sentence: answer: we saw a river", 1, False),
        ("so:\na phrase that ends with river we saw a river", 0, False),
        ("so:\none sentence with it is\nx river", 0, False),
    ],
)
def test_ends_with_word(text: str, score: int, certain: bool) -> None:
    assert score_prediction("ends_with_word", WORD, "", text, False) == (score, certain)
