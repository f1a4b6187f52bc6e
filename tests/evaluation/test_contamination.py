"""Benchmark items in training texts: what counts, how often, and which benchmark is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.errors import ConfigError
from tuna_exp.evaluation.contamination import (
    Contaminated,
    Contamination,
    contamination,
    refuse_contaminated,
)
from tuna_exp.records import Instruction

WORDS = st.lists(st.sampled_from(["tuna", "net", "sea", "boat"]), min_size=1, max_size=8).map(
    " ".join
)
TEXTS = st.lists(WORDS, min_size=1, max_size=4)


def items(*texts: str, reference: str | None = None) -> list[Instruction]:
    return [
        Instruction(id=f"item-{i}", instruction=text, reference=reference)
        for i, text in enumerate(texts)
    ]


def found(benchmark: list[Instruction], asked: list[str], said: list[str]) -> Contamination:
    return contamination("exam", benchmark, asked, said, 5)


def test_items_are_counted_by_where_they_stand() -> None:
    """Of 4: one is an instruction, one shares 5 words with a response, one both, one neither."""
    exam = items(
        "Name the largest tuna!",
        "say one two three four five now",
        "six seven eight nine ten",
        "say one two three four",
    )
    made = found(
        exam,
        ["name the largest Tuna", "Six seven eight nine ten."],
        ["Well: one, two, three, four, five.", "six seven eight nine ten eleven"],
    )
    assert (made.in_instructions, made.in_responses, made.either, made.whole) == (2, 2, 3, 2)
    assert (made.items, made.share) == (4, 0.75)
    assert made.examples[0] == Contaminated(item="item-0", words="name the largest tuna")
    assert made.examples[1].words == "one two three four five"


def test_every_item_that_shares_a_text_counts() -> None:
    """Two items with the same words are two; the reference of an item counts too."""
    exam = items("one two three four five a", "one two three four five b", reference="no no no yes")
    assert found(exam, ["one two three four five"], []).either == 2
    assert found(exam, [], ["No, no, no: yes"]).in_responses == 2
    assert found(exam, [], ["no no"]).either == 0


@given(TEXTS, TEXTS, TEXTS)
def test_either_is_between_the_parts_and_their_sum(
    exam: list[str], asked: list[str], said: list[str]
) -> None:
    made = found(items(*exam), asked, said)
    parts = (made.in_instructions, made.in_responses)
    assert max(parts) <= made.either <= min(sum(parts), made.items)
    swapped = found(items(*exam), said, asked)
    assert (swapped.in_responses, swapped.in_instructions, swapped.either) == (*parts, made.either)


@given(TEXTS, TEXTS)
def test_an_item_is_found_as_by_looking_at_every_place(exam: list[str], asked: list[str]) -> None:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    def whole(text: str) -> bool:
        return len(text.split()) >= 4 and text in asked

    expected = [whole(one) or any(runs(one) & runs(text) for text in asked) for one in exam]
    assert found(items(*exam), asked, []).in_instructions == sum(expected)


def test_lmentry_is_refused_unless_it_is_allowed_by_name() -> None:
    exam = items("Which number is bigger, 101 or 723?")
    spoiled = contamination("lmentry", exam, ["which number is bigger, 101 or 723"], [], 13)
    other = contamination("vicuna", exam, ["which number is bigger, 101 or 723"], [], 13)
    clean = contamination("lmentry", exam, ["Which number is bigger?"], [], 13)
    refuse_contaminated([other, clean], [])
    refuse_contaminated([spoiled], ["lmentry"])
    with pytest.raises(ConfigError, match="(?s)lmentry: 1 of 1.*item-0.*Cure.*allow_contaminated"):
        refuse_contaminated([other, spoiled], [])


def test_settings_without_effect_are_refused() -> None:
    with pytest.raises(ConfigError, match="names 'lmentri'.*Did you mean 'lmentry'"):
        refuse_contaminated([], ["lmentri"])
    with pytest.raises(ConfigError, match="run_of_words=0; allowed: 1 or more"):
        contamination("exam", [], [], [], 0)


def test_a_benchmark_without_items_is_clean() -> None:
    assert found([], ["one two three four five"], []).share == 0.0
