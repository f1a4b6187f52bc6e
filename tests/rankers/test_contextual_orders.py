"""The judge asked in several orders, in a form, and again: what it is asked, kept and decided."""

import json
from collections.abc import Callable, Sequence
from string import ascii_uppercase
from typing import Any

import pytest

from tuna_exp.errors import ConfigError
from tuna_exp.llms.decoding import Decoding
from tuna_exp.rankers.base import Refusal
from tuna_exp.rankers.contextual import ContextualRanker, order_form, read_verdict
from tuna_exp.records import Candidate, CandidateSet, Origin, RankedExample, Usage

MakeSet = Callable[..., CandidateSet]
Made = RankedExample | Refusal
DECODING = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=8)
TEXTS = ["4", "3", "2", "1"]


def ranker(judge: Any, answer: Any = "text", orders: int = 1, repeats: int = 0) -> ContextualRanker:
    return ContextualRanker(judge, answer, DECODING, 8, 0, orders, repeats)


def honest(shown: list[str], seed: int) -> str:
    """The larger number is better."""
    best = sorted(range(len(shown)), key=lambda i: -int(shown[i]))
    return "Final order: " + " > ".join(ascii_uppercase[i] for i in best)


def first_shown(shown: list[str], seed: int) -> str:
    """What is shown first is best, whatever it is."""
    return "Final order: " + " > ".join(ascii_uppercase[: len(shown)])


def ranks(made: Made) -> dict[str, int]:
    assert isinstance(made, RankedExample), made
    return {response.text: response.rank for response in made.responses}


def test_an_order_that_survives_is_asked_twice_and_kept(scripted: Any, make_set: MakeSet) -> None:
    judge = scripted(honest)
    made = ranker(judge, orders=4).rank([make_set(TEXTS, name=n) for n in "ab"])
    assert [[task.id for task in call] for call in judge.calls] == [
        ["judge/a", "judge/b"],
        ["judge/a/order-2", "judge/b/order-2"],
    ]
    for one in made:
        assert ranks(one) == {"4": 0, "3": 1, "2": 2, "1": 3}
        assert isinstance(one, RankedExample) and len(one.judgements) == 2
        assert one.usage == Usage(read=20) and one.raw == one.judgements[0].raw


def test_an_order_that_follows_the_presentation_becomes_ties(
    scripted: Any, make_set: MakeSet
) -> None:
    """Four orders of four are a Latin square: each response has each place once."""
    made = ranker(scripted(first_shown), orders=4).rank([make_set(TEXTS)])[0]
    assert set(ranks(made).values()) == {0}
    assert isinstance(made, RankedExample) and len(made.judgements) == 4
    assert len({judgement.shown[0] for judgement in made.judgements}) == 4


def test_only_sets_with_disagreement_are_asked_on(scripted: Any, make_set: MakeSet) -> None:
    def say(shown: list[str], seed: int) -> str:
        return (honest if "4" in shown else first_shown)(shown, seed)

    judge = scripted(say)
    sets = [make_set(TEXTS, name="clear"), make_set(["7", "8", "9"], name="biased")]
    ranker(judge, orders=3).rank(sets)
    assert [[task.id for task in call] for call in judge.calls[2:]] == [["judge/biased/order-3"]]


def test_repeats_are_kept_and_decide_nothing(scripted: Any, make_set: MakeSet) -> None:
    seeds: list[int] = []

    def say(shown: list[str], seed: int) -> str:
        seeds.append(seed)
        return honest(shown, seed) if seed == 0 else first_shown(shown, seed)

    made = ranker(scripted(say), repeats=2).rank([make_set(TEXTS)])[0]
    assert ranks(made) == {"4": 0, "3": 1, "2": 2, "1": 3} and len(set(seeds)) == 3
    assert isinstance(made, RankedExample)
    assert len(made.judgements) == 3 and len({j.shown for j in made.judgements}) == 1


def test_a_reply_that_cannot_be_read_is_kept_and_left_out(scripted: Any, make_set: MakeSet) -> None:
    def say(shown: list[str], seed: int) -> str:
        return honest(shown, seed) if shown[0] in "43" else "No."

    made = ranker(scripted(say), orders=4).rank([make_set(TEXTS)])[0]
    assert ranks(made) == {"4": 0, "3": 1, "2": 2, "1": 3}
    assert isinstance(made, RankedExample)
    # Two that can be read and agree are enough; the fourth order is not asked.
    assert sorted(judgement.refusal for judgement in made.judgements) == ["", "", "no_order"]
    none = ranker(scripted(lambda shown, seed: "No."), orders=2).rank([make_set(TEXTS)])[0]
    assert isinstance(none, Refusal) and (none.kind, len(none.judgements)) == ("no_order", 2)
    assert none.usage == Usage(read=20)


def test_one_reply_of_a_service_is_kept_with_its_origin(scripted: Any, make_set: MakeSet) -> None:
    origin = Origin(request="key", model="m-1", usage=Usage(read=7, generated=5, usd=0.5))
    judge = scripted(lambda shown, seed: Candidate(text=honest(shown, seed), origin=origin))
    made = ranker(judge).rank([make_set(TEXTS)])[0]
    assert made.usage == origin.usage and made.judgements[0].origin == origin
    assert ranker(scripted(honest)).rank([make_set(TEXTS)])[0].judgements == ()


def reply(order: Sequence[Sequence[str]], letters: str = "ABC", **changes: Any) -> str:
    marks = {a: {"correctness": 5, "following": 0, "clarity": 3} for a in letters}
    whole = {"task_type": "closed", "reference": "4", "marks": marks, "order": order} | changes
    return json.dumps(whole)


@pytest.mark.parametrize(
    "said, read",
    [
        (reply([["B"], ["A", "C"]]), (-1.0, 0.0, -1.0)),
        (reply([["A", "B", "C"]]), (0.0, 0.0, 0.0)),
        (f" {reply([['A'], ['B'], ['C']])}\n", (0.0, -1.0, -2.0)),
        (reply([["A"], ["B"]]), "missing_letter"),
        (reply([["A"], ["B"], ["C", "A"]]), "repeated_letter"),
        (reply([["A"], ["B"], ["C"], ["D"]]), "unknown_letter"),
        (reply([["A"], [], ["B", "C"]]), "wrong_schema"),
        (reply([["A", "B", "C"]], letters="AB"), "wrong_schema"),
        (reply([["A", "B", "C"]], letters="ABCD"), "wrong_schema"),
        (reply([["A", "B", "C"]], comment="Fine."), "wrong_schema"),
        (reply([["A", "B", "C"]], task_type="both"), "wrong_schema"),
        (reply([["A", "B", "C"]], reference=4), "wrong_schema"),
        (reply([["A", "B", "C"]]).replace("5", "6"), "wrong_schema"),
        (reply([["A", "B", "C"]]).replace("5", '"5"'), "wrong_schema"),
        ("[]", "wrong_schema"),
        ("B is best.", "not_json"),
        (reply([["A", "B", "C"]])[:-1], "not_json"),
        (f"```json\n{reply([['A', 'B', 'C']])}\n```", "not_json"),
    ],
)
def test_forms_are_read_strictly(said: str, read: tuple[float, ...] | str) -> None:
    assert read_verdict(said, 3) == read


def test_the_form_asks_for_what_is_read(scripted: Any, make_set: MakeSet) -> None:
    """Sets of one size go together, each size bound to a schema of its own."""

    def say(shown: list[str], seed: int) -> str:
        best = sorted(range(len(shown)), key=lambda i: -int(shown[i]))
        letters = ascii_uppercase[: len(shown)]
        return reply([[letters[i]] for i in best], letters)

    judge = scripted(say, "forms", "choices")
    sets = [make_set(TEXTS[:n], name=str(i)) for i, n in enumerate((4, 2, 4))]
    made = ranker(judge, "auto").rank(sets)
    assert [len(call) for call in judge.calls] == [2, 1]
    assert [form.name for form in judge.forms] == ["order_of_4", "order_of_2"]
    assert ranks(made[0]) == {"4": 0, "3": 1, "2": 2, "1": 3} and ranks(made[1])["4"] == 0
    schema = order_form(4).schema
    assert schema["properties"]["marks"]["required"] == list("ABCD")  # type: ignore[index]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "text, reason, kind",
    [
        ('{"task_type": "open", "refe', "length", "cut_short"),
        ('{"task_type": "open", "refe', "stop", "not_json"),
        ("", "stop", "empty"),
        ("I cannot judge this.", "refusal", "declined"),
        ("", "refusal", "declined"),
    ],
)
def test_why_a_form_has_no_order(
    text: str, reason: Any, kind: str, scripted: Any, make_set: MakeSet
) -> None:
    judge = scripted(lambda *_: Candidate(text=text, finish_reason=reason), "forms")
    made = ranker(judge, "form").rank([make_set(TEXTS)])[0]
    assert isinstance(made, Refusal) and (made.kind, made.raw) == (kind, text)


@pytest.mark.parametrize(
    "gives, way",
    [
        (("forms", "choices"), "form"),
        (("choices", "logprobs"), "first_token"),
        (("logprobs",), "text"),
    ],
)
def test_auto_is_the_best_that_a_judge_can(gives: Any, way: str, scripted: Any) -> None:
    made = ranker(scripted(honest, *gives), "auto")
    made.check([])
    assert made.digest()["answer"] == way


@pytest.mark.parametrize(
    "answer, gives, words",
    [
        ("form", ("choices",), "needs a judge that gives forms.*answer=first_token.text"),
        ("first_token", ("forms",), "needs a judge that gives choices.*answer=form.text"),
        ("form", (), "Cure: ranker.answer=text"),
    ],
)
def test_a_judge_is_not_asked_for_what_it_does_not_give(
    answer: str, gives: Any, words: str, scripted: Any
) -> None:
    with pytest.raises(ConfigError, match=words):
        ranker(scripted(honest, *gives), answer).check([])


def test_repeats_of_the_same_probability_are_refused(scripted: Any) -> None:
    with pytest.raises(ConfigError, match="ranker.repeats=1.*the same probability.*Cure"):
        ranker(scripted(honest, "choices"), "first_token", repeats=1).check([])
    with pytest.raises(ConfigError, match="ranker.orders=0"):
        ranker(scripted(honest), orders=0).check([])


def test_letters_asked_in_two_orders_follow_no_letter(
    judge: Any, scripted: Any, make_set: MakeSet
) -> None:
    """A judge that likes the letter A ties all; the tiny model gives a weak order as ever."""
    biased = scripted(lambda shown, options: [-float(i) for i in range(len(options))], "choices")
    made = ranker(biased, "first_token", orders=2).rank([make_set(TEXTS)])[0]
    assert set(ranks(made).values()) == {0}
    real = ranker(judge, "first_token", orders=2).rank([make_set(TEXTS)])[0]
    assert isinstance(real, RankedExample) and len(real.judgements) == 2
    assert all(len(judgement.scores) == 4 for judgement in real.judgements)


def test_how_many_questions_a_set_takes(scripted: Any) -> None:
    assert ranker(scripted(honest), orders=3, repeats=2).questions(4) == 5
