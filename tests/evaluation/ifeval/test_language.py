"""Sentences, words and languages as the published checkers tell them."""

import pytest

from tuna_exp.evaluation.ifeval.language import (
    count_capital_words,
    count_words,
    is_language,
    sentences,
)


def test_abbreviations_end_no_sentence() -> None:
    text = 'Dr. Smith paid $3.50 at 5 p.m. in the U.S. market. "Why?" he asked.'
    assert sentences(text) == [
        "Dr. Smith paid $3.50 at 5 p.m. in the U.S. market.",
        '"Why?"',
        "he asked.",
    ]


def test_punctuation_that_stands_alone_is_a_sentence_as_nltk_counts() -> None:
    assert sentences("Bingo! . . . Really?! ...") == ["Bingo!", ".", ".", ".", "Really?!", "..."]
    assert sentences("Wow!!!") == ["Wow!!", "!"]


def test_words_are_runs_of_letters_and_digits() -> None:
    assert count_words("It's 3.5 m_2: größe.") == 6
    assert count_words("... !") == 0
    assert count_words("हिन्दी") == 3


def test_capital_words_are_whole_words() -> None:
    """NASA, I, U.S and A; "Tuna" and "3" are none."""
    assert count_capital_words("NASA and I saw the U.S. flag. A Tuna 3.") == 4


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("This is an English sentence about the weather.", "en"),
        ("Dies ist ein deutscher Satz über das Wetter.", "de"),
        ("मुझे यह किताब बहुत पसंद है।", "hi"),
    ],
)
def test_languages_are_told_apart_the_same_way_each_time(text: str, code: str) -> None:
    assert [is_language(text, code) for _ in range(5)] == [True] * 5
    assert not is_language(text, "fr")


def test_where_no_language_can_be_told_any_will_do() -> None:
    assert is_language("123 !", "en") and is_language("123 !", "kn")
