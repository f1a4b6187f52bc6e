"""Categories and association: what is right, what is sure."""

import pytest

from tuna_exp.evaluation.lmentry.scoring import score_prediction

SOME = {"num_words": 5, "num_distractors": 4, "category": "fruit"}
NONE = {**SOME, "num_distractors": 5}
ALL = {**SOME, "num_distractors": 0}
ASSOCIATED = {
    "category": "fruit",
    "answer": "plum",
    "answer_index": 1,
    "distractors": ["coat", "shoe", "sock", "hat"],
}
LIST = '"coat", "plum", "shoe", "sock", and "hat"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes", (1, True)),
        ("yes.", (1, True)),
        ("yes yes", (1, True)),
        ("no", (0, True)),  # exactly the opposite
        ("No.", (0, True)),
        ("no no", (0, False)),
        ("", (0, False)),
        ("Yes, the plum is.", (1, False)),  # starts with it as a whole token
        ("yesterday", (0, False)),
        ("I say yes", (0, False)),
        ("the answer is yes", (1, True)),
        ("I say: yes is the answer!", (1, False)),
        ("the answer is no", (0, False)),
    ],
)
def test_any_words_from_category(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("any_words_from_category", SOME, "", text, False) == expected


def test_no_word_of_the_category() -> None:
    assert score_prediction("any_words_from_category", NONE, "", "No", False) == (1, True)
    assert score_prediction("any_words_from_category", NONE, "", "yes", False) == (0, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", (1, True)),
        ("no", (0, True)),
        ("Yes indeed", (1, False)),
        ("indeed, yes", (0, False)),
        ("yes, the list contains only fruit", (1, True)),
        ("Well, yes, the list contains only fruits!", (1, False)),
        ("Well, yes, the list contains only pieces of furniture", (0, False)),
        ("yes, all of these words represent fruit", (1, True)),
        ("So yes, all of those words in the list are types of fruits", (1, False)),
        ("so yes, they all refer to types of fruit", (1, False)),
        ("so yes, all of the words listed represent fruit", (1, False)),
        ("so yes, all of the words listed mean fruit", (0, False)),
        ("answer: yes", (1, True)),
        ("answer: no", (0, False)),
    ],
)
def test_all_words_from_category(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("all_words_from_category", ALL, "", text, False) == expected


def test_not_all_words_of_the_category() -> None:
    assert score_prediction("all_words_from_category", SOME, "", "no", False) == (1, True)
    assert score_prediction("all_words_from_category", SOME, "", "yes", False) == (0, True)


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("items of clothing", "clothes"),
        ("items of clothing", "clothing"),
        ("furniture", "pieces of furniture"),
        ("fruit", "fruits"),
    ],
)
def test_other_names_of_a_category(category: str, name: str) -> None:
    text = f"so yes, they all represent {name}"
    task, there = "all_words_from_category", {**ALL, "category": category}
    assert score_prediction(task, there, "", text, False) == (1, False)
    assert score_prediction(task, {**ALL, "category": "animals"}, "", text, False) == (0, False)


@pytest.mark.parametrize(
    "text",
    [
        "plum",
        "'Plum'.",
        "plum plum",
        "fruit - plum",
        "the word most commonly associated with fruit is plum",
        "the word most related to fruit from the given options is plum",
        f"the word most related to fruit of the words {LIST} is plum",
        "fruit is most associated with plum",
        "plum is the most related to fruit",
        "plum are the word most associated to the word fruit",
        "the word that relates to fruit the most is plum",
        "plum relates to fruit the most",
        "the word most associated with plum is fruit",  # exchanged
        "fruit relates to plum the most",
        "the answer is plum",
        "of the words above, plum relates to fruit the most",
        f"Of the words {LIST}, the answer is plum.",
        "plum relates to fruit the most, from the options given",
        f"plum is the answer of {LIST}",
    ],
)
def test_most_associated_word_right(text: str) -> None:
    assert score_prediction("most_associated_word", ASSOCIATED, "", text, False) == (1, True)


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("coat", True),  # the answer is nowhere a whole token
        ("plums", True),
        ("", True),
        ("plum or coat", False),
        ("coat - plum", False),
        ("plum relates to fruit the least", False),
        ("the word most associated with coat is plum", False),
        ("the word that relates to plum the most is coat", False),
        ("the word most related to fruit from my options is plum", False),
        ("coat is the most related to fruit, not plum", False),
        ("the answer is coat, not plum", False),
    ],
)
def test_most_associated_word_wrong(text: str, certain: bool) -> None:
    assert score_prediction("most_associated_word", ASSOCIATED, "", text, False) == (0, certain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("of the items above, plum relates to fruit the most", (1, False)),  # no such options
        ("of coat, plum, shoe, sock, hat: plum relates to fruit the most", (1, True)),
        ("of coat, shoe, plum, sock, hat: plum relates to fruit the most", (1, False)),  # order
        # Something that is not alphanumeric ends the list, also at the end.
        ("plum relates to fruit the most of coat plum shoe sock hat", (1, False)),
    ],
)
def test_options_around_a_statement(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("most_associated_word", ASSOCIATED, "", text, False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plum", (1, True)),
        ("fruit - plum", (0, False)),  # the answer alone
        ("plum is the least commonly associated with fruit", (1, True)),
        ("fruit relates to plum the least", (1, True)),
        ("the word least associated with fruit is plum", (1, True)),
        ("the word most associated with fruit is plum", (0, False)),
        ("the word that relates to fruit the least is plum", (1, True)),
        ("fruit is least related to plum", (1, True)),
        ("plum is the word least related to fruit", (1, True)),
        ("plum is the word most related to fruit", (0, False)),
        (f"of the words {LIST}, the answer is plum", (1, True)),
        ("the answer is coat or plum", (0, False)),
        ("plum relates to fruit the most", (0, False)),
        ("coat", (0, True)),
    ],
)
def test_least_associated_word(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("least_associated_word", ASSOCIATED, "", text, False) == expected
