"""The judge: what it is shown, how its reply becomes an order, and what is refused."""

import re
from collections.abc import Callable
from string import ascii_uppercase
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuna_exp.errors import ConfigError
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.hugging_face import HuggingFaceLLM
from tuna_exp.rankers.asking import judgement
from tuna_exp.rankers.base import Refusal
from tuna_exp.rankers.contextual import (
    ContextualRanker,
    Sitting,
    outcome,
    parse_order,
    prompt,
    question,
)
from tuna_exp.records import (
    Candidate,
    CandidateSet,
    FinishReason,
    Instruction,
    RankedExample,
    Usage,
)

MakeSet = Callable[..., CandidateSet]
DECODING = Decoding(responses=1, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=8)
QUESTION = Instruction(id="q", instruction="Name a colour.")


def ranker(
    judge: HuggingFaceLLM, answer: Literal["text", "first_token"] = "first_token", seed: int = 0
) -> ContextualRanker:
    return ContextualRanker(judge, answer, DECODING, 4, seed, orders=1, repeats=0)


@pytest.mark.parametrize(
    "reply, ranks",
    [
        ("Final order: B > A > C", [1, 0, 2]),
        ("1. closed\n2. Paris\n\nFinal order: C > B > A", [2, 1, 0]),
        ("Final order: A = C > B", [0, 1, 0]),
        ("Final order: A > B = C", [0, 1, 1]),
        ("Final order: A=B=C", [0, 0, 0]),
        ("Final order:B>A>C.", [1, 0, 2]),
        ("  Final order: B > A > C  \r\nThat is all.", [1, 0, 2]),
        ("**Final order:** B > A > C", [1, 0, 2]),
        ("**Final order: B > A > C**", [1, 0, 2]),
        ("Final order: **B > A > C**.", [1, 0, 2]),
        ("A > B\nFinal order: B > A > C", [1, 0, 2]),
    ],
)
def test_replies_that_are_accepted(reply: str, ranks: list[int]) -> None:
    assert parse_order(reply, 3) == ranks


@pytest.mark.parametrize(
    "reply, kind",
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("B is the best.", "no_order"),
        ("B > A > C", "no_order"),
        ("My Final order: B > A > C", "no_order"),
        ("Final order: B > A > C because", "no_order"),
        ("Final order: b > a > c", "no_order"),
        ("Final order: B, A, C", "no_order"),
        ("Final order: B >\nA > C", "no_order"),
        ("Final order:\nB > A > C", "no_order"),
        ("Final order: B > > C", "no_order"),
        ("Final order:", "no_order"),
        ("Final order: A > B > C\nFinal order: A > B > C", "several_orders"),
        ("Final order: B > A > D", "unknown_letter"),
        ("Final order: B > A > C > D", "unknown_letter"),
        ("Final order: B > A > B", "repeated_letter"),
        ("Final order: B > A = B > C", "repeated_letter"),
        ("Final order: B > A", "missing_letter"),
        ("Final order: B", "missing_letter"),
    ],
)
def test_replies_that_are_refused(reply: str, kind: str) -> None:
    assert parse_order(reply, 3) == kind


@given(st.text(), st.integers(1, 26))
@example("Final order: " + "A" * 1000, 3)
@example("\n" * 1000, 3)
def test_no_reply_breaks_the_parser(reply: str, count: int) -> None:
    parsed = parse_order(reply, count)
    assert isinstance(parsed, str) or len(parsed) == count


@given(st.text(alphabet="ABC>=. *\nFinal order:", max_size=60), st.integers(1, 4))
def test_near_misses_do_not_break_the_parser(reply: str, count: int) -> None:
    parsed = parse_order(f"Final order: {reply}", count)
    assert isinstance(parsed, str) or len(parsed) == count


@given(st.lists(st.integers(0, 25), min_size=1, max_size=26))
def test_a_well_formed_order_comes_back(levels: list[int]) -> None:
    """Any ranks without gaps, written as the prompt asks, are read as they were."""
    places = sorted(set(levels))
    ranks = [places.index(level) for level in levels]
    groups = [
        " = ".join(ascii_uppercase[i] for i, rank in enumerate(ranks) if rank == place)
        for place in range(len(places))
    ]
    assert parse_order(f"Some words.\nFinal order: {' > '.join(groups)}", len(ranks)) == ranks


def made_of(texts: list[str], reply: Candidate) -> RankedExample | Refusal:
    """What becomes of one reply in words to a prompt of 50 tokens."""
    said = judgement(question(QUESTION, texts, "text"), reply, Usage(read=50))
    return outcome(Sitting(QUESTION, texts, [list(range(len(texts)))], [said]))


def replied(text: str, cut: bool = False) -> Candidate:
    """A reply of three tokens."""
    reason: FinishReason = "length" if cut else "stop"
    return Candidate(
        text=text, token_ids=(1, 2, 3), token_logprobs=(-1.0,) * 3, finish_reason=reason
    )


def test_an_order_becomes_ranks_and_keeps_the_reply() -> None:
    """Shown A: red, B: blue, C: green; the judge ties blue and green below red."""
    reply = "Final order: A > B = C"
    made = made_of(["red", "blue", "green"], replied(reply))
    assert made.usage == Usage(read=50, generated=3)
    assert isinstance(made, RankedExample) and made.raw == reply
    assert {r.text: r.rank for r in made.responses} == {"red": 0, "blue": 1, "green": 1}


@pytest.mark.parametrize(
    "reply, cut, kind",
    [
        ("1. Type: open", True, "cut_short"),
        ("1. Type: open", False, "no_order"),
        ("Final order: A", True, "cut_short"),
        ("Final order: A", False, "missing_letter"),
        ("Final order: A > A", True, "repeated_letter"),
    ],
)
def test_a_reply_cut_at_its_limit_is_told_from_a_wrong_one(
    reply: str, cut: bool, kind: str
) -> None:
    made = made_of(["red", "blue"], replied(reply, cut))
    usage = Usage(read=50, generated=3)
    assert made == Refusal(instruction_id="q", kind=kind, raw=reply, usage=usage)


def test_the_judge_sees_task_and_every_response() -> None:
    asked = QUESTION.model_copy(update={"input": "Only {braces} and warm ones."})
    words = prompt(asked, ["red", "blue {x}"], "text").text
    for part in ("Name a colour.\n\nOnly {braces}", "Response A\nred", "Response B\nblue {x}"):
        assert part in words
    assert parse_order(words, 2) == [1, 0]  # the form that it is shown is one that is read


def test_first_token_gives_every_set_a_full_order(judge: HuggingFaceLLM, make_set: MakeSet) -> None:
    sets = [make_set(list("wxyz")[: 2 + i], name=str(i)) for i in range(3)]
    for candidates, made in zip(sets, ranker(judge).rank(sets), strict=True):
        assert isinstance(made, RankedExample) and made.instruction == candidates.instruction
        assert [r.rank for r in made.responses] == list(range(len(candidates.candidates)))
        assert made.raw is not None and made.raw.startswith("A:")


def test_text_refusals_are_counted_and_keep_the_reply(
    judge: HuggingFaceLLM, make_set: MakeSet
) -> None:
    """The tiny model knows no form: 8 tokens of anything, cut at the limit."""
    made = ranker(judge, "text").rank([make_set(["x", "y"], name=str(i)) for i in range(3)])
    assert [type(m) for m in made] == [Refusal] * 3
    assert {m.kind for m in made if isinstance(m, Refusal)} == {"cut_short"}
    assert len({m.raw for m in made}) == 3


def test_duplicates_are_shown_once(judge: HuggingFaceLLM, make_set: MakeSet) -> None:
    made = ranker(judge).rank([make_set(["x", "y", "x", "y"])])[0]
    assert isinstance(made, RankedExample)
    assert sorted(r.text for r in made.responses) == ["x", "y"]


def test_one_different_response_needs_no_judge(judge: HuggingFaceLLM, make_set: MakeSet) -> None:
    sets = [make_set(["x", "x"], name="same"), make_set(["x", "y"], name="two")]
    same, two = ranker(judge).rank(sets)
    assert isinstance(same, RankedExample) and isinstance(two, RankedExample)
    assert (same.instruction.id, same.raw, same.ordered_pairs) == ("same", None, 0)
    assert (two.instruction.id, two.ordered_pairs) == ("two", 1)


def shown(made: RankedExample | Refusal) -> dict[str, float | None]:
    assert isinstance(made, RankedExample)
    return {response.text: response.score for response in made.responses}


def test_the_order_of_presentation_is_seeded(judge: HuggingFaceLLM, make_set: MakeSet) -> None:
    """The scores belong to letters, so they tell which text stood where."""
    sets = [make_set(list("uvwxyz"))]
    first, again, other = (shown(ranker(judge, seed=seed).rank(sets)[0]) for seed in (0, 0, 1))
    assert first == again != other


def test_the_order_of_sampling_does_not_leak_into_the_presentation(
    judge: HuggingFaceLLM, make_set: MakeSet
) -> None:
    """The first sampled of two responses is shown first in about half of 200 sets."""
    texts = ["x", "y"]
    firsts = 0
    for i in range(200):
        words = ranker(judge).present(make_set(texts, name=str(i)))
        firsts += words[0] == "x"
    assert 60 < firsts < 140


@pytest.mark.parametrize("answer", ["text", "first_token"])
def test_a_set_that_cannot_be_put_to_the_judge_is_refused_and_the_others_are_not(
    answer: Literal["text", "first_token"], judge: HuggingFaceLLM, make_set: MakeSet
) -> None:
    """The tiny model reads 4096 tokens; the sets beside those refused are judged as ever."""
    many, long = [str(i) for i in range(27)], ["x", "word " * 5000]
    sets = [make_set(["x", "y"], name=name) for name in ("first", "last")]
    asked = [sets[0], make_set(many, name="many"), make_set(long, name="long"), sets[1]]
    made = ranker(judge, answer).rank(asked)
    assert [type(m) for m in made[1:3]] == [Refusal] * 2
    reasons = {m.kind: m.raw for m in made if isinstance(m, Refusal) and m.usage == Usage()}
    assert list(reasons) == ["too_many", "too_long"]
    assert re.search("27 different responses to 'many'.*26.*Cure", reasons["too_many"])
    assert re.search("'judge/long' has a prompt of .* context of 4096.*Cure", reasons["too_long"])
    assert [made[0], made[3]] == ranker(judge, answer).rank(sets)


def test_what_the_judge_reads_and_writes_is_counted(
    judge: HuggingFaceLLM, make_set: MakeSet
) -> None:
    """Prompts in both forms; the answer, and nothing where only a letter's probability is read."""
    asked = make_set(["x", "y"])
    encode = judge.open().encoder.prompt_ids
    question = prompt(asked.instruction, ["x", "y"], "text")
    written = judge.open().answer([question], DECODING, 0)[0][0].token_ids
    assert 0 < len(written) <= DECODING.max_new_tokens
    for answer, generated in (("text", len(written)), ("first_token", 0)):
        made = ranker(judge, answer).rank([asked])[0]  # type: ignore[arg-type]
        task = prompt(asked.instruction, ["x", "y"], answer)
        assert made.usage == Usage(read=len(encode(task)), generated=generated)


def test_settings_that_cannot_work_are_refused(judge: HuggingFaceLLM) -> None:
    with pytest.raises(ConfigError, match="ranker.answer='letters'.*'auto', 'form', 'first_token'"):
        ranker(judge, "letters").check([])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="ranker.batch_size=0"):
        ContextualRanker(judge, "text", DECODING, 0, 0, 1, 0).check([])


def test_digest_holds_judge_seed_and_what_the_judge_is_asked(judge: HuggingFaceLLM) -> None:
    text, letter = ranker(judge, "text").digest(), ranker(judge).digest()
    assert text != letter and ranker(judge, seed=1).digest() != letter
    hotter = ContextualRanker(judge, "text", Decoding(1, 0.5, 1.0, 0, 8), 4, 0, 1, 0)
    assert hotter.digest() != text
    hotter = ContextualRanker(judge, "first_token", Decoding(1, 0.5, 1.0, 0, 8), 4, 0, 1, 0)
    assert hotter.digest() == letter


def test_a_released_judge_is_loaded_again(judge: HuggingFaceLLM, make_set: MakeSet) -> None:
    used = ranker(judge)
    first = used.rank([make_set(["x", "y"])])
    used.release()
    used.release()
    assert used.rank([make_set(["x", "y"])]) == first
