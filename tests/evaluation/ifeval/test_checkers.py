"""Every constraint with an answer that keeps to it and one that does not; strict and loose."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.datasets.reading import MalformedError
from tuna_exp.evaluation.ifeval.checkers import CHECKERS, read_constraint, variants

TWELVE = "One two three. Four five six! Seven, eight nine? Ten eleven twelve."
ENGLISH = "the weather in this town is fine and the people are friendly"
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    # name, arguments, an answer that keeps to it, one that does not
    ("keywords:existence", {"keywords": ["tuna", "sea"]}, "Tunas overseas", "A tuna"),
    (
        "keywords:frequency",
        {"keyword": " fish", "frequency": 2, "relation": "at least"},
        "Fish eat fishes.",
        "A fish.",
    ),
    (
        "keywords:frequency",
        {"keyword": "fish", "frequency": 2, "relation": "less than"},
        "A fish.",
        "Fish eat fish.",
    ),
    ("keywords:forbidden_words", {"forbidden_words": ["net"]}, "Internet", "A Net."),
    (
        "keywords:letter_frequency",
        {"letter": "N", "let_frequency": 3, "let_relation": "at least"},
        "No nun.",
        "No one.",
    ),
    (
        "keywords:letter_frequency",
        {"letter": "!", "let_frequency": 2, "let_relation": "at least"},
        "Go! Now!",
        "Go! Now.",
    ),
    (
        "language:response_language",
        {"language": "de"},
        "Das Wetter ist heute sehr schön und die Leute sind freundlich.",
        ENGLISH,
    ),
    ("language:response_language", {"language": "de"}, "1234", ENGLISH),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 4, "relation": "at least"},
        TWELVE,
        "Dr. No came at 3 p.m. yesterday. He left. He did.",
    ),
    (
        "length_constraints:number_words",
        {"num_words": 12, "relation": "at least"},
        TWELVE,
        TWELVE[:-8],
    ),
    (
        "length_constraints:number_words",
        {"num_words": 12, "relation": "less than"},
        TWELVE[:-8],
        TWELVE,
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        "***\na\n***\nb\n***",
        "a\n***\n***\nb",
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 1}, "a\n\nb", "a\n***\nb"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Net"},
        "a\n\n'\"net's\" fine",
        "a\n\nnets are",
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "a"},
        "a b\n\nc\n\n",
        "\n\na b\n\nc",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] [b c]", "[a] (b)"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\np. s. x", "PS x"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "P.P.S x", "P.S. x"),
    ("detectable_content:postscript", {"postscript_marker": "NB "}, "Bye.\nNB x", "Bye."),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n - b", "* a\n** b"),
    ("detectable_format:constrained_response", {}, "Well. My answer is no. So.", "No."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* *b*", "*a* * *"),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "**a**", "** **"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION ", "num_sections": 2},
        "SECTION 1\na\nSECTION 2\nb",
        "SECTION 1\na\nSection 2\nb",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "{a: 1}"),
    ("detectable_format:title", {}, "<<A tale>>\nOnce", "<< >>\nOnce"),
    ("combination:two_responses", {}, "******\na\n******\nb", "a\n******\na"),
    ("combination:two_responses", {}, "a******b", "a\n******\n******\nb"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Do it. "}, " do it. Done.", "Done. Do it."),
    ("startend:end_checker", {"end_phrase": "The end."}, 'So. the end."', "The end. Bye"),
    ("startend:quotation", {}, ' "So." ', '"So.'),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "I am in the USA.",
        "I am in the Usa.",
    ),
    ("change_case:english_capital", {}, ENGLISH.upper(), ENGLISH.title()),
    ("change_case:english_lowercase", {}, ENGLISH, ENGLISH.capitalize()),
    ("change_case:english_lowercase", {}, f"{ENGLISH}, 3", "das wetter ist heute schön und warm"),
    ("punctuation:no_comma", {}, "One and two.", "One, two."),
]


@pytest.mark.parametrize(
    ("name", "arguments", "right", "wrong"), CASES, ids=[str(i) + c[0] for i, c in enumerate(CASES)]
)
def test_a_constraint_is_kept_and_broken(
    name: str, arguments: dict[str, Any], right: str, wrong: str
) -> None:
    constraint = read_constraint(name, arguments)
    assert constraint.strict(right)
    assert not constraint.strict(wrong)


def test_every_constraint_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(CHECKERS) and len(CHECKERS) == 25


def test_loose_forgives_an_introduction_a_closing_line_and_asterisks() -> None:
    quoted = read_constraint("startend:quotation", {})
    assert not quoted.strict('Sure:\n"So."\nBye') and quoted.loose('Sure:\n"So."\nBye')
    ended = read_constraint("startend:end_checker", {"end_phrase": "the end"})
    assert not ended.strict("It is *the* end") and ended.loose("It is *the* end")
    assert not ended.loose("one\nthe end\ntwo\nthree")


@given(st.text(alphabet="ab*\n ", max_size=30))
def test_eight_variants_the_response_first(text: str) -> None:
    """Each of four cuts, as it is and without asterisks."""
    made = list(variants(text))
    assert len(made) == 8 and made[0] == text
    assert all("*" not in one for one in made[1::2])


@given(st.text(max_size=60), st.sampled_from(CASES))
def test_what_is_strictly_kept_is_loosely_kept(text: str, case: tuple[Any, ...]) -> None:
    constraint = read_constraint(case[0], case[1])
    assert constraint.loose(text) or not constraint.strict(text)


@pytest.mark.parametrize("text", ["", " \n "])
def test_an_empty_response_keeps_to_nothing(text: str) -> None:
    for name, arguments, _, _ in CASES:
        assert not read_constraint(name, arguments).loose(text)


def test_arguments_are_checked_and_nulls_are_none() -> None:
    """The Hub's copy gives every constraint all arguments, most of them null."""
    made = read_constraint("detectable_format:number_bullet_lists", {"num_bullets": 2, "x": None})
    assert made.arguments == {"num_bullets": 2}
    with pytest.raises(MalformedError, match="'keywords:exist' is no constraint.*existence"):
        read_constraint("keywords:exist", {})
    with pytest.raises(MalformedError, match="number_words: num_words: Field required"):
        read_constraint("length_constraints:number_words", {"relation": "at least"})
    with pytest.raises(MalformedError, match="relation: Input should be 'less than' or"):
        read_constraint("length_constraints:number_words", {"num_words": 3, "relation": "about"})
    with pytest.raises(MalformedError, match="title: x: Extra inputs"):
        read_constraint("detectable_format:title", {"x": 1})
