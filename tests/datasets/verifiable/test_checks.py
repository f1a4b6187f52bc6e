"""What passes and what does not, for each checker and over all kinds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuna_exp.datasets.verifiable import PASS_SCORE, generate, verify
from tuna_exp.datasets.verifiable.checks import judge
from tuna_exp.datasets.verifiable.closed_checks import Choice, Number, Quoted, Sequence, Text
from tuna_exp.datasets.verifiable.open_checks import Members, Sentence, Word
from tuna_exp.datasets.verifiable.verdict import Expectation
from tuna_exp.errors import DataError
from tuna_exp.records import Check, Instruction

ITEMS = generate("train", 216, 0) + generate("held_out", 216, 0)
KINDS = sorted({item.kind for item in ITEMS})
CLOSED = sorted(
    {
        item.kind
        for item in ITEMS
        if item.check and item.check.name in {"Number", "Text", "Sequence", "Quoted"}
    }
    - {"number/between"}
)
BIGGER = Number(low=72, high=72)
SUM = Number(low=39, high=39, given=(34, 5))
LONGER = Choice(answers=("elephant",), wrong=("cat",))
LETTER = Choice(answers=("o",), wrong=tuple("bcdefghjklmnpqrstuvwxyz"))
PLURAL = Choice(answers=("cats",), echo=("cat",))
UPPER = Text(text="CAT", cased=True)
REST = Sequence(items=("wrist", "school"))
TWICE = Sequence(items=("cat", "cat"))
STARTS = Word(starts="b")
TWO = Members(category="animal", count=2, barred=("horse",))
SAYS = Sentence(has=("cat",))


@pytest.mark.parametrize(
    ("expects", "response"),
    [
        (BIGGER, "72"),
        (BIGGER, "**72**."),
        (BIGGER, "Seventy-two"),
        (BIGGER, "The larger number is 72."),
        (SUM, "34 + 5 = 39"),
        (LONGER, "ELEPHANT!"),
        (LONGER, "The word 'elephant' is longer."),
        (LETTER, "The first letter of the word “orange” is “O”."),
        (PLURAL, "The plural of cat is cats."),
        (UPPER, "`CAT`"),
        (UPPER, 'The word "cat" in capital letters is "CAT".'),
        (Quoted(word="cat"), "“cat”"),
        (REST, "wrist and school"),
        (REST, "1. wrist\n2. school"),
        (REST, "Here is the new list: wrist, school"),
        (TWICE, "Cat, cat"),
        (STARTS, "A banana."),
        (STARTS, 'A word that begins with "b" is "banana".'),
        (TWO, "Cows and two dogs"),
        (TWO, "- brown bear\n- wolf"),
        (SAYS, "My cat sleeps all day."),
        (SAYS, "Here is a sentence: My cat sleeps all day."),
        (Sentence(starts="anna", ends="home"), "Anna went home."),
        (Sentence(has=("cat",), mark="?"), "Where is the cat?"),
        (Sentence(has=("cat",), lacks="z"), "The cat is here."),
        (Sentence(has=("cat",), count=2), "That cat"),
    ],
)
def test_right_responses_pass(expects: Expectation, response: str) -> None:
    verdict = judge(expects.as_check(), response)
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("expects", "response"),
    [
        (BIGGER, "34"),
        (BIGGER, "72 is bigger than 34"),
        (BIGGER, "72 72 72 72"),
        (BIGGER, "72.5"),
        (LONGER, "cat or elephant"),
        (LONGER, "elephant " * 20),
        (LETTER, "o r a n g e"),
        (LETTER, "a b c d e f g h i j k l m n o p"),
        (PLURAL, "cat"),
        (PLURAL, "cat cats"),
        (PLURAL, "cats, catses, cates, caties"),
        (UPPER, "cat"),
        (UPPER, "cat Cat CAT"),
        (UPPER, "CAT DOG BIRD FISH"),
        (Quoted(word="cat"), "cat"),
        (Quoted(word="cat"), '"cat" "dog"'),
        (REST, "school, wrist"),
        (REST, "lizard, wrist, school"),
        (REST, "wrist, school, lizard"),
        (TWICE, "cat"),
        (TWICE, "cat cat cat"),
        (STARTS, "b"),
        (STARTS, "bbbb"),
        (STARTS, "apple banana cherry"),
        (STARTS, '"banana" or "bread" or "apple"'),
        (TWO, "cow, horse"),
        (TWO, "cow, cow"),
        (TWO, "cow, dog, cat"),
        (TWO, "cow, table"),
        (SAYS, "cat"),
        (SAYS, "cat cat cat cat"),
        (SAYS, "Write a sentence that contains the word cat."),
        (SAYS, "My dog sleeps all day."),
        (Sentence(has=("cat",), mark="?"), "The cat is here."),
        (Sentence(has=("cat",), lacks="z"), "The cat is in the zoo."),
        (Sentence(has=("cat",), count=3), "That cat"),
    ],
)
def test_wrong_responses_fail(expects: Expectation, response: str) -> None:
    verdict = judge(expects.as_check(), response)
    assert not verdict.passed, verdict
    assert verdict.score > 0


def test_scores_put_better_responses_first() -> None:
    said = ["39", "The answer is 39.", "39 or 40", "38", "12", "I am not sure", ""]
    scores = [judge(SUM.as_check(), text).score for text in said]
    assert scores == sorted(set(scores), reverse=True)
    assert scores[0] == 1 and scores[-1] == 0


def test_each_word_around_the_answer_costs_two_hundredths() -> None:
    """Four words around "39": 1 - 4 * 0.02 = 0.92."""
    assert judge(SUM.as_check(), "I think it is 39").score == pytest.approx(0.92)


def test_a_half_right_order_scores_between() -> None:
    """Of two words in "school, wrist" one is in order: 0.05 + 0.45 * 2 * 1 / 4 = 0.275."""
    assert judge(REST.as_check(), "school, wrist").score == pytest.approx(0.275)


def _of(kind: str) -> list[Instruction]:
    return [item for item in ITEMS if item.kind == kind]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_and_nonsense_fail(kind: str) -> None:
    for item in _of(kind):
        for response in ("", " \n ", "...", '"', "?!"):
            assert verify(item, response).score == 0
        for response in ("I do not know what you want", "yes no " * 9, "the " * 24):
            assert not verify(item, response).passed, response


@pytest.mark.parametrize("kind", KINDS)
def test_listing_every_option_fails(kind: str) -> None:
    alphabet, digits = " ".join("abcdefghijklmnopqrstuvwxyz"), " ".join(map(str, range(200)))
    for item in _of(kind):
        said = item.reference or ""
        others = [other.reference or "" for other in _of(kind)][:4]
        for response in (
            f"{said} yes no even odd {alphabet} {digits}",
            ", ".join([said, "zebra", "hammer", "no", "yes", "even", "odd", "7", "8"]),
            " ".join([said] * 12),
            " or ".join([*others, said, "yes", "no"]),
        ):
            assert not verify(item, response).passed, response


@pytest.mark.parametrize("kind", KINDS)
def test_saying_the_task_back_fails(kind: str) -> None:
    for item in _of(kind):
        assert not verify(item, item.text).passed


@pytest.mark.parametrize("kind", CLOSED)
def test_the_answer_to_another_item_rarely_passes(kind: str) -> None:
    """Two counts may agree by chance, so a quarter is allowed."""
    items = _of(kind)
    passed = [verify(a, b.reference or "").passed for a in items for b in items if a is not b]
    assert sum(passed) <= len(passed) / 4


def test_wrong_options_fail_alone_and_beside_the_right_one() -> None:
    for item in ITEMS:
        if item.check and item.check.name == "Choice":
            choice = Choice.model_validate(item.check.arguments)
            for wrong in choice.wrong:
                assert not verify(item, wrong).passed
                assert not verify(item, f"It is {choice.answers[0]} or {wrong}.").passed


def test_a_huge_response_never_passes() -> None:
    for item in ITEMS:
        assert not verify(item, f"{item.reference}{' ' * 1000}but also this").passed


@settings(max_examples=200, deadline=None)
@given(item=st.sampled_from(ITEMS), response=st.text(max_size=200))
def test_any_text_gets_a_verdict(item: Instruction, response: str) -> None:
    verdict = verify(item, response)
    assert 0 <= verdict.score <= 1
    assert verdict.passed == (verdict.score >= PASS_SCORE)
    assert verdict == verify(item, response)


@settings(max_examples=200, deadline=None)
@given(
    item=st.sampled_from(ITEMS),
    pieces=st.lists(
        st.sampled_from([*"a,.:\"'\n-=9*?", "is ", "and ", "yes", "no", "½", "9" * 400, "1.5"])
    ),
)
def test_odd_mixtures_around_the_reference_get_a_verdict(
    item: Instruction, pieces: list[str]
) -> None:
    for response in ("".join(pieces), f"{item.reference}{''.join(pieces)}"):
        assert 0 <= verify(item, response).score <= 1


def test_an_instruction_without_check_is_refused() -> None:
    with pytest.raises(DataError, match="'x' has no check"):
        verify(Instruction(id="x", instruction="Say hello."), "hello")


def test_an_unknown_checker_is_refused_with_the_nearest_name() -> None:
    item = Instruction(id="x", instruction="Say hello.", check=Check(name="Choise"))
    with pytest.raises(DataError, match="Did you mean 'Choice'"):
        verify(item, "hello")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "argument 'category'"),
        ({"category": "animals", "count": 2}, "Did you mean 'animal'"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        judge(Check(name="Members", arguments=arguments), "cat")
