"""First, last, after, before: what is right, what is sure."""

import pytest

from tuna_exp.evaluation.lmentry.scoring import score_prediction

SAID = "Anna saw a green bird"
FIRST = {"sentence": SAID, "answer": "Anna"}
LAST = {"sentence": SAID, "answer": "bird"}
AFTER = {"sentence": SAID, "query": "saw", "answer": "a"}
BEFORE = {"sentence": SAID, "query": "saw", "answer": "Anna"}
LETTER = {"word": "cloud", "answer": "c"}
LAST_LETTER = {"word": "cloud", "answer": "d"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna", (1, True)),
        ('the word "anna".', (1, True)),
        ("anna anna", (1, True)),
        ("saw", (0, True)),  # the answer is nowhere a whole token
        ("annas", (0, True)),
        ("anna saw", (0, False)),
        ("The first word is Anna", (1, True)),
        ("the last word is anna", (0, False)),
        (f'The first word of the sentence "{SAID}" is "Anna"', (1, True)),
        ("the first word in the sentence is anna", (1, True)),
        ("the first word in my sentence is anna", (0, False)),
        ("anna is the first word", (1, True)),
        ("anna is the first word of the sentence.", (1, True)),
        ("anna is the first word in a sentence", (1, False)),
        (f"'{SAID}' begins with anna", (1, True)),
        ("the sentence begins with anna", (1, True)),
        ("anna saw begins with anna", (0, False)),
        ("in the sentence the first word is anna", (1, True)),
        (f"In {SAID} anna is the first word", (1, True)),
        ("in it anna is the first word", (1, False)),
        ("answer: anna", (1, True)),
        ("answer: saw (anna)", (0, False)),
        # The separator was lower-cased by mistake: letters, then what is no letter.
        ("first word: anna", (0, False)),
        ('first words"anna"', (1, True)),
    ],
)
def test_first_word(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("first_word", FIRST, "", text, False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bird", (1, True)),
        ("anna", (0, True)),
        ("The last word is bird", (1, True)),
        ("the first word is bird", (0, False)),
        ("bird is the last word in the sentence", (1, True)),
        ("bird is the last word there", (1, False)),
        ("bird is the first word there", (0, False)),
        (f"the last word of '{SAID}' is bird", (1, True)),
        ("the last word of it is bird", (0, False)),
        (f"in {SAID} the last word is bird", (1, True)),
        ("the last word is bird in the sentence", (1, True)),
        ("the correct answer is bird", (1, True)),
        ("the correct answer is near bird", (0, False)),
        (f"{SAID} ends with bird", (1, True)),
        (f"{SAID} begins with bird", (0, False)),
        ('first words"bird"', (1, True)),  # a slip of the original
        ('last words"bird"', (0, False)),
    ],
)
def test_last_word(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("last_word", LAST, "", text, False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C", (1, True)),
        ('The letter "c".', (1, True)),
        ("c c", (1, True)),
        ("cloud", (0, True)),  # the letter is nowhere a whole token
        ("d", (0, True)),
        ("c or d", (0, False)),
        ("the first letter is c", (1, True)),
        ("the last letter is c", (0, False)),
        ('the first letter of the word "cloud" is "c"', (1, True)),
        ("the first letter of rain is c", (0, False)),
        ("c is the first letter in cloud", (1, True)),
        ("c is the first letter in rain", (0, False)),
        ("cloud begins with c", (1, True)),
        ("cloud starts with the letter c", (1, True)),
        ("cloud ends with c", (0, False)),
        ("The letter that cloud starts with is c", (1, True)),
        ("the letter that cloud ends with is c", (0, False)),
        ("c is the starting letter of cloud", (1, True)),
        ("c is the final letter of cloud", (0, False)),
        ("cloud: c", (1, True)),
        ("rain: c", (0, False)),
        ("first letter: c", (1, True)),
        ("a letter: c", (0, False)),
        ("so c is the answer", (1, False)),
    ],
)
def test_first_letter(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("first_letter", LETTER, "", text, False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("d", (1, True)),
        ("c", (0, True)),
        ("cloud ends with d", (1, True)),
        ("cloud starts with d", (0, False)),
        ("the last letter in cloud is d", (1, True)),
        ("the last letter in rain is d", (0, False)),
        ("the last letter is d", (1, True)),
        ("the first letter is d", (0, False)),
        ("d is the last letter of cloud", (1, True)),
        ("d is the last letter of rain", (0, False)),
        ("cloud: d", (1, True)),
        ("rain: d", (0, False)),
        ("d is the answer", (1, True)),
        ("d is an answer", (0, False)),
        ("d is the final letter of cloud", (1, True)),
        ("d is the starting letter of cloud", (0, False)),
        ("the letter that cloud ends with is d", (1, True)),
        ("the letter that cloud starts with is d", (0, False)),
        ("last letter: d", (1, True)),
        ("first letter: d", (0, False)),
    ],
)
def test_last_letter(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("last_letter", LAST_LETTER, "", text, False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", (1, True)),
        ("saw", (0, True)),  # the answer is nowhere
        ("Anna saw a green bird!", (0, True)),  # the sentence itself, without punctuation
        ("anna saw a bird", (0, False)),
        ("a comes after saw", (1, True)),
        ("a comes right after saw", (1, True)),
        ("saw comes after a", (0, False)),
        ("a is the word that comes immediately after saw", (1, True)),
        ("a immediately succeeds saw", (1, True)),
        ("a is the word that succeeds saw", (1, True)),
        ("a precedes saw", (0, False)),
        ("a follows saw", (1, True)),
        ("saw follows a", (0, False)),
        ("the word that comes after saw is a", (1, True)),
        (f"the word that comes after saw in the sentence '{SAID}' is a", (1, True)),
        ("the word that immediately follows saw is a", (1, True)),
        ("the word that succeeds 'saw' is 'a'", (1, True)),
        ("the word that precedes saw is a", (0, False)),
        ("saw is succeeded by a", (1, True)),
        ("saw is followed by a", (1, True)),
        ("a is followed by saw", (0, False)),
        ("saw comes right before a", (1, True)),  # exchanged
        ("saw is the word that comes before a", (1, True)),
        ("the word that comes before a in the sentence is saw", (1, True)),
        ("the word that comes before saw is a", (0, False)),
        ("in the sentence a follows saw", (1, True)),
        ("a follows saw in the sentence", (1, True)),
        ("a follows saw in my sentence", (1, False)),
        ("the correct answer is a", (1, True)),
    ],
)
def test_word_after(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("word_after", AFTER, "", text, False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna", (1, True)),
        ("a", (0, True)),
        (SAID, (0, True)),
        ("anna comes immediately before saw", (1, True)),
        ("anna comes after saw", (0, False)),
        ("anna is the word that comes right before saw", (1, True)),
        ("anna immediately precedes saw", (1, True)),
        ("anna is the word that precedes saw", (1, True)),
        ("anna succeeds saw", (0, False)),
        ("anna is followed by saw", (1, True)),
        ("saw is followed by anna", (0, False)),
        ("the word that comes before saw in the sentence is anna", (1, True)),
        ("the word that precedes saw is anna", (1, True)),
        ("the word that follows anna is saw", (1, True)),
        ("the word that follows saw is anna", (0, False)),
        ("anna is succeeded by saw", (1, True)),
        ("saw follows anna", (1, True)),
        ("saw comes right after anna", (1, True)),  # exchanged
        ("the word that comes after anna is saw", (1, True)),
        ("the word that comes after saw is anna", (0, False)),
        ("in the sentence anna precedes saw", (1, True)),
        ("anna precedes saw of the sentence", (1, True)),
        ("anna precedes saw of it", (1, False)),
        ("the answer is anna", (1, True)),
        ("the answer is not anna", (0, False)),
    ],
)
def test_word_before(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("word_before", BEFORE, "", text, False) == expected
