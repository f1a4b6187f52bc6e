"""No text from outside brings a parser to anything but a value or words of ours."""

import pytest
from hypothesis import given, settings

from tests.parsers import EXAMPLES, PARSERS, texts, tried


@pytest.mark.parametrize("name", PARSERS)
@given(text=texts())
@settings(max_examples=30)
def test_odd_texts_are_told(name: str, text: str) -> None:
    tried(PARSERS[name], text)


# What fuzzing has found, by parser.
FOUND = [
    ("reply of openai_chat", '{"choices": [], "usage": {"prompt_tokens": 1e999}}'),
    ("reply of openai_chat", "[" * 100_000),
    ("reply of openai_chat", '{"choices": [{"message": {"content": {}}, "finish_reason": "a"}]}'),
    ("judge's form", "[" * 100_000),
    ("study's pairs", EXAMPLES[10].replace(",1,a", ",²,a")),
    ("study's lists", EXAMPLES[11].replace("1,1,2\n", "1,²,2\n")),
    ("study's lists", EXAMPLES[11].replace(",1,a,1,1,2", ",1")),
    ("study's pairs", EXAMPLES[10] + "a" * 140_000),
]


@pytest.mark.parametrize(("name", "text"), FOUND)
def test_what_was_found_once(name: str, text: str) -> None:
    tried(PARSERS[name], text)
