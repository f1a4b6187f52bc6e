"""Which word has more or fewer letters: what is right, what is sure, and the garbled "more"."""

import pytest

from tuna_exp.evaluation.lmentry.scoring import score_prediction

LONGER = {"word1": "sun", "word2": "garden", "answer": "garden", "distractor": "sun"}
SHORTER = {**LONGER, "answer": "sun", "distractor": "garden"}

# What names the longer of the two.
CLAIMS = [
    "garden has more letters",
    "garden has more letters than sun",
    "garden has 3 more letters",
    "Garden has three more letters than the word 'sun'.",
    "the word that has more letters is garden",
    "garden is the word that has more letters",
    "garden is longer",
    "garden is longer than sun",
    "garden is longer than sun by three letters",
    "the longer word is garden",
    "the word that is longer is garden",
    "garden is the word that is longer",
]
# The same, said of the shorter.
REVERSED = [
    "sun has fewer letters",
    "sun has less letters than garden",
    "sun has 3 fewer letters than garden",
    "the word that has less letters is sun",
    "sun is the word that has fewer letters",
    "sun is shorter",
    "sun is shorter than garden by 3 letters",
    "the shorter word is sun",
    "the word that is shorter is sun",
    "sun is the word that is shorter",
]


def exchanged(text: str) -> str:
    """The two words exchanged."""
    return text.lower().replace("sun", "SUN").replace("garden", "sun").replace("SUN", "garden")


def longer(text: str) -> tuple[int, bool]:
    return score_prediction("more_letters", LONGER, "", text, False)


def shorter(text: str) -> tuple[int, bool]:
    return score_prediction("less_letters", SHORTER, "", text, False)


@pytest.mark.parametrize(
    "text", ["garden", "The word garden.", "garden garden", *CLAIMS, *REVERSED]
)
def test_more_letters_right(text: str) -> None:
    assert longer(text) == (1, True)


@pytest.mark.parametrize("text", ["sun", "'sun'", *map(exchanged, CLAIMS)])
def test_more_letters_wrong(text: str) -> None:
    """The wrong word by itself, or in a claim: sure."""
    assert longer(text) == (0, True)


@pytest.mark.parametrize("text", ["sun", "sun sun", *REVERSED, *CLAIMS])
def test_less_letters_right(text: str) -> None:
    assert shorter(text) == (1, True)


@pytest.mark.parametrize("text", ["garden", *map(exchanged, REVERSED)])
def test_less_letters_wrong(text: str) -> None:
    assert shorter(text) == (0, True)


@pytest.mark.parametrize("text", map(exchanged, REVERSED))
def test_a_reversed_claim_of_the_wrong_word_is_not_found(text: str) -> None:
    assert longer(text) == (0, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("garden has 2 more letters", (0, True)),
        ("garden has a single more letter than sun", (0, True)),
        ("garden is longer by four letters", (0, True)),
        ("garden is longer than sun by 13 letters, I think", (0, True)),
        ("garden is longer by three letters", (1, False)),  # right, but no statement as a whole
        ("the word garden is longer by 4 letters", (1, False)),  # looked for without "the word"
        ("so garden is longer by 4 letters", (1, False)),  # and only at the start
        ("sun is longer by 3 letters", (0, True)),
    ],
)
def test_a_wrong_difference(text: str, expected: tuple[int, bool]) -> None:
    """garden has 6 letters and sun 3: 3 more."""
    assert longer(text) == expected


def test_a_wrong_difference_of_the_shorter() -> None:
    assert shorter("sun has 2 fewer letters") == (0, True)
    assert shorter("sun is shorter by 2 letters") == (0, True)
    assert shorter("sun has 3 fewer letters") == (1, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Of the words sun and garden, garden is longer", (1, True)),
        ('from the words "sun" and "garden", the answer is "garden"', (1, True)),
        ("in the words sun and garden, garden is longer", (1, False)),
        ("of the words sun and garden, sun is longer", (0, False)),
        ("answer: garden", (1, True)),
        ("answer: sun", (0, False)),
        ("", (0, False)),
    ],
)
def test_prefixes_and_shared_statements(text: str, expected: tuple[int, bool]) -> None:
    assert longer(text) == expected


def test_more_in_an_argument_is_garbled_as_published() -> None:
    """In the original the reversal replaces "more" in the words too.

    With the answer "anymore" each statement that names it is taken to speak of more letters, so
    the exchanged one, which says the wrong thing, counts too; not so with another answer.
    """
    words = {"word1": "anymore", "word2": "sun", "answer": "anymore", "distractor": "sun"}
    assert score_prediction("more_letters", words, "", "well, sun is longer", False) == (1, False)
    assert longer("well, sun is longer") == (0, False)
    said = "sun is longer than anyless"
    assert score_prediction("more_letters", words, "", said, False) == (1, True)
    shorter_words = {**words, "answer": "sun", "distractor": "anymore"}
    text = "well, anymore is shorter"
    assert score_prediction("less_letters", shorter_words, "", text, False) == (0, False)
