"""Words, numbers and spans read from free text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.datasets.verifiable.reading import (
    clean,
    in_words,
    is_loop,
    listed,
    numbers,
    single_word,
    words,
)
from tuna_exp.datasets.verifiable.words import plural


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("34-5 = 29", [34, 5, 29]),
        ("minus: -5", [-5]),
        ("1,000 and 2.5", [1000, 2.5]),
        ("4,5,6", [4, 5, 6]),
        ("one hundred and twenty-one", [121]),
        ("four five", [4, 5]),
        ("The bigger one is 72", [72]),
        ("none", []),
    ],
)
def test_numbers(text: str, found: list[float]) -> None:
    assert numbers(text) == found


@given(st.integers(0, 99))
def test_a_number_in_words_reads_back(number: int) -> None:
    assert numbers(in_words(number)) == [number]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Banana.", "banana"),
        ("The banana", "banana"),
        ("A word that begins with 'b' is 'banana'", "banana"),
        ("Answer: banana", "banana"),
        ("'banana' or 'bread'", None),
        ("banana bread", None),
        ("", None),
    ],
)
def test_single_word(text: str, word: str | None) -> None:
    assert single_word(text) == word


def test_listed_splits_at_commas_lines_and_and() -> None:
    assert listed("1. a cat\n2. brown dog, cow and pig.") == ["cat", "brown dog", "cow", "pig"]


def test_clean_and_words() -> None:
    assert clean(" **“Hi”** `x` ") == '"Hi" x'
    assert words("It's a WELL-KNOWN fact.") == ["it's", "a", "well-known", "fact"]


def test_is_loop() -> None:
    """Two different words of four are below 0.6 * 4 = 2.4."""
    assert is_loop(["a", "b", "a", "b"])
    assert not is_loop(["the", "cat", "and", "the", "dog"])


@pytest.mark.parametrize(
    ("noun", "many"), [("fox", "foxes"), ("cherry", "cherries"), ("donkey", "donkeys")]
)
def test_plural(noun: str, many: str) -> None:
    assert plural(noun) == many
