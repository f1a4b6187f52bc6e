"""One of two words by alphabet, rhyme or sound: what is right, what is sure."""

import pytest

from tuna_exp.evaluation.lmentry.scoring import score_prediction

ALPHABET = {"word1": "river", "word2": "cloud", "answer": "cloud", "distractor": "river"}
RHYME = {"query": "bright", "answer": "kite", "distractor": "book"}
SOUND = {"query": "flour", "answer": "flower", "distractor": "table"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cloud", (1, True)),
        ('The word "cloud".', (1, True)),
        ("Cloud does.", (1, True)),
        ("cloud cloud", (1, True)),
        ("river", (0, True)),  # exactly one a-z token, not the answer
        ("123 river!", (0, True)),
        ("river does", (0, False)),
        ("é", (1, True)),  # no token at all: kept as published
        ("", (0, False)),
        ("cloud comes first", (1, True)),
        ("cloud comes third", (0, False)),
        ("river is second", (1, True)),
        ("cloud is second", (0, False)),
        ("river comes after", (1, True)),
        ("cloud comes after river", (0, False)),
        ("cloud is before river", (1, True)),
        ("river is before cloud", (0, False)),
        ("river comes after cloud", (1, True)),
        ("the answer is cloud", (1, True)),
        ("the answer is river", (0, False)),
        ("Alphabetically, cloud comes first", (1, True)),
        ("in an alphabetical order, cloud comes first", (1, True)),
        ("in alphabetical order, cloud is first.", (1, True)),
        ('Of the words "river" and "cloud", cloud comes first alphabetically', (1, True)),
        ("of the words river and cloud, cloud comes first in the dictionary", (1, True)),
        ("cloud comes first in alphabetical order", (1, True)),
        ("cloud comes first in an alphabetical order", (1, True)),
        ("cloud comes first in my book", (1, False)),
        ("hm, of the words cloud and river, cloud comes first", (1, False)),
    ],
)
def test_first_alphabetically(text: str, expected: tuple[int, bool]) -> None:
    assert score_prediction("first_alphabetically", ALPHABET, "", text, False) == expected


@pytest.mark.parametrize(
    "text",
    [
        "kite",
        "The word 'kite'.",
        "kite kite",
        "bright rhymes with kite",
        "Bright rhymes with kite and not with book.",
        "bright is a rhyme of kite",
        "bright is the rhyme of kite and not of book",
        "bright and kite rhyme",
        "bright and kite are rhymes",
        "bright and kite are words that rhyme",
        "the rhyme of bright is kite",
        "a rhyme of bright is kite and not book",
        "a word rhyming with bright is kite",
        "the word that rhymes with bright is kite",
        "bright and kite both rhyme with each other, while book doesn't rhyme with either word",
        "bright and kite rhyme, and book does not rhyme with either",
        "kite rhymes with bright",  # exchanged
        "kite and bright are rhymes",
        "the word that rhymes with kite is bright",
        "book doesn't rhyme with bright",
        "book does not rhyme with bright\nkite does rhyme with bright",
        "bright doesn't rhyme with book",
        "bright does not rhyme with book bright rhymes with kite",
        "kite rhymes with bright\nbook does not rhyme with bright",
    ],
)
def test_rhyming_word_right(text: str) -> None:
    assert score_prediction("rhyming_word", RHYME, "", text, False) == (1, True)


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("book", True),  # exactly one a-z token, not the answer
        ("bright", True),
        ("", False),
        ("kite or book", False),
        ("well, bright rhymes with kite", False),  # whole predictions only
        ("bright rhymes with kite, I think", False),
        ("the answer is kite", False),  # no shared statements
        ("bright rhymes with book", False),
        ("bright and book rhyme", False),
        ("kite does not rhyme with bright", False),
        ("book rhymes with bright and not with kite", False),
        ("bright and kite rhyme, while book rhymes with either", False),
        ("a word that rhymes with bright is book", False),
        ("bright doesn't rhyme with kite", False),
    ],
)
def test_rhyming_word_wrong(text: str, certain: bool) -> None:
    assert score_prediction("rhyming_word", RHYME, "", text, False) == (0, certain)


@pytest.mark.parametrize(
    "text",
    [
        "flower",
        "'Flower'.",
        "flour sounds like flower",
        "flour sounds similar to flower",
        "flour sounds like flower but not like table",
        "flour sounds like flower., and not similar to table",
        "flour sounds like flower and table does not",
        "flour and flower sound alike",
        "flour sounds more like flower",
        "flour sounds more like flower than table",
        "flour sounds more similar to flower than like table does.",
        "flour sounds most like flower",
        "flour is a homophone of flower",
        "flour and flower are homophones",
        "flower and flour are homophones of each other",
        "the homophone of flour is the word flower",
        "flower sounds like flour",
    ],
)
def test_homophones_right(text: str) -> None:
    assert score_prediction("homophones", SOUND, "", text, False) == (1, True)


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("table", True),  # the answer is nowhere
        ("flowers", True),
        ("", True),
        ("flower or table", False),
        ("so flour sounds like flower", False),  # whole predictions only
        ("the answer is flower", False),
        ("flour sounds like table, not flower", False),
        ("flour sounds more like table than flower", False),
        ("flour sounds least like flower", False),
        ("flower is a homophone of table", False),
        ("the homophone of flower is table", False),
        ("table and flower sound alike", False),
        ("flour sounds like flower but table does", False),
    ],
)
def test_homophones_wrong(text: str, certain: bool) -> None:
    assert score_prediction("homophones", SOUND, "", text, False) == (0, certain)
