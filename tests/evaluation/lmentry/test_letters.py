"""Words by a letter: what is right, what is sure."""

import pytest

from tuna_exp.evaluation.lmentry.scoring import score_prediction

PROMPT = 'Write a word without the letter "{letter}":\n'


def score(task: str, letter: str, text: str) -> tuple[int, bool]:
    return score_prediction(task, {"letter": letter}, PROMPT.format(letter=letter), text, False)


@pytest.mark.parametrize(
    ("letter", "text", "expected"),
    [
        ("e", "Tree", (1, True)),
        ("e", 'The word "tree".', (1, True)),
        ("e", "tree, bee, me", (1, True)),  # merely repeats answers
        ("x", "x-ray", (1, True)),
        ("a", "a", (1, True)),  # a word by itself
        ("e", "e", (0, False)),  # no word by itself
        ("e", "moon", (0, False)),
        ("e", "tree moon", (0, False)),
        ("e", "", (0, False)),
        ("e", "!?", (0, False)),  # no alphanumeric character
        ("e", 'Tree is a word that contains the letter "e"', (1, True)),
        ("e", "tree has e", (1, True)),
        ("e", "Well, tree is a word which uses e, I think", (1, False)),
        ("e", "moon has e", (0, False)),
        ("e", "the answer is: moon, as tree is the answer", (1, False)),
        ("e", "The correct answer is tree", (1, True)),
        ("e", "answer: tree", (1, True)),
        ("e", "say: tree, moon", (0, False)),
    ],
)
def test_word_containing(letter: str, text: str, expected: tuple[int, bool]) -> None:
    assert score("word_containing", letter, text) == expected


@pytest.mark.parametrize(
    ("letter", "text", "expected"),
    [
        ("e", "moon", (1, True)),
        ("e", "The word 'moon'.", (1, True)),
        ("e", "a", (1, True)),
        ("a", "i.", (1, True)),
        ("e", "tree", (0, True)),  # a single token with the letter
        ("a", "a", (0, True)),
        ("e", "x", (0, False)),  # one letter
        ("e", "moon sun", (0, False)),  # repeating is not enough
        ("e", 'write a word without the letter "e":', (0, True)),  # repeats the prompt
        ("e", 'write a word without the letter "b":', (0, True)),  # with another letter
        ("e", 'write a word without the letter "bb":', (0, False)),
        ("e", "moon doesn't contain e", (1, True)),
        ("e", 'moon is a word which does not use the letter "e"', (1, True)),
        ("e", "tree doesn't contain e", (0, False)),
        ("e", "A word that does not have e is moon", (1, True)),
        ("e", "a word that does have e is moon", (0, False)),
        ("e", "so a word not using e is moon", (1, False)),
        ("e", "a word not using e is tree", (0, False)),
        ("e", "moon is a word without e", (1, True)),
        ("e", "tree is a word without e", (0, False)),
        ("e", "the answer is moon", (0, False)),  # no shared statements
    ],
)
def test_word_not_containing(letter: str, text: str, expected: tuple[int, bool]) -> None:
    assert score("word_not_containing", letter, text) == expected


@pytest.mark.parametrize(
    ("letter", "text", "expected"),
    [
        ("m", "Moon", (1, True)),
        ("e", "e-mail", (1, True)),
        ("a", "a", (1, True)),
        ("m", "m", (0, False)),
        ("m", "sun", (0, True)),  # no token begins with it
        ("m", "", (0, True)),
        ("m", "moon mars", (1, True)),
        ("m", "moon sun", (0, False)),
        ("m", "One possible such word is moon", (1, True)),
        ("m", "moon is a possible answer", (1, True)),
        ("m", "moon is my possible answer", (0, False)),
        ("m", 'Moon begins with the letter "m"', (1, True)),
        ("m", "sun begins with m, says mars", (0, False)),
        ("m", "moon is a word that starts with m", (1, True)),
        ("m", "moon is one word beginning with m", (1, True)),
        ("m", "A word starting with m is moon", (1, True)),
        ("m", "moon is a word whose first letter is m", (1, True)),
        ("m", "moon is a word whose last letter is n", (0, False)),
        ("m", "m is for moon", (1, True)),
        ("m", "m is for sun", (0, False)),
        ("m", "How about moon?", (1, False)),
        ("m", "what about moon?", (0, False)),
        ("m", "May I suggest moon", (1, True)),
        ("m", "may we suggest moon", (0, False)),
        ("m", "the answer is moon", (1, True)),
        ("m", "the answer was moon", (0, False)),
    ],
)
def test_starts_with_letter(letter: str, text: str, expected: tuple[int, bool]) -> None:
    assert score("starts_with_letter", letter, text) == expected


@pytest.mark.parametrize(
    ("letter", "text", "expected"),
    [
        ("n", "Moon", (1, True)),
        ("a", "a", (1, True)),
        ("n", "n", (0, False)),
        ("n", "sea", (0, True)),  # no token ends with it
        ("n", "moon sun", (1, True)),
        ("n", "moon sea", (0, False)),
        ("n", "a possible word is moon", (1, True)),
        ("n", "sun is a possible one", (0, False)),
        ("n", 'moon ends with "n"', (1, True)),
        ("n", "sea ends with n", (0, False)),
        ("n", "moon is one word that ends with n", (1, True)),
        ("n", "moon is a word ending with n", (1, True)),
        ("n", "a word ending with n is moon", (1, True)),
        ("n", "a word ending with n is sea", (0, False)),
        ("n", "may i suggest moon", (1, True)),
        ("n", "may i offer moon", (0, False)),
        ("n", "moon is the answer", (1, True)),
        # The missing comma of the original: neither by itself.
        ("n", "how about moon", (0, False)),
        ("n", "moon is a word whose last letter is n", (0, False)),
        ("n", "moon is a word whose last letter is n how about sun", (0, False)),
        ("n", "moon is a word whose last letter is n.how about sun", (1, True)),
    ],
)
def test_ends_with_letter(letter: str, text: str, expected: tuple[int, bool]) -> None:
    assert score("ends_with_letter", letter, text) == expected
