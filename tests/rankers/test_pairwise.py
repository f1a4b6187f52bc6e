"""Pairs: what is asked, how verdicts become an order, and what refuses a set."""

import json
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.errors import ConfigError
from tuna_exp.llms.decoding import Decoding
from tuna_exp.rankers.base import Refusal
from tuna_exp.rankers.pairwise import (
    Comparing,
    PairwiseRanker,
    compare_all,
    compare_sorted,
    most_probable,
    read_formed,
    read_words,
)
from tuna_exp.records import CandidateSet, RankedExample, Usage

MakeSet = Callable[..., CandidateSet]
DECODING = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=8)
TEXTS = ["10", "9", "8", "7", "6"]


def ranker(judge: Any, answer: Any = "text", pairs: Any = "all", orders: int = 1) -> PairwiseRanker:
    return PairwiseRanker(judge, answer, DECODING, 4, 0, pairs, orders)


def honest(shown: list[str], seed: int) -> str:
    """The larger number is better."""
    a, b = (int(text) for text in shown)
    return f"Because.\nVerdict: {'A' if a > b else 'B'}"


def ranks(made: RankedExample | Refusal) -> dict[str, int]:
    assert isinstance(made, RankedExample), made
    return {response.text: response.rank for response in made.responses}


@pytest.mark.parametrize("pairs, asked", [("all", 10), ("sorted", 7)])
@pytest.mark.parametrize("orders", [1, 2])
def test_an_honest_judge_gives_the_order(
    pairs: str, asked: int, orders: int, scripted: Any, make_set: MakeSet
) -> None:
    """5 responses: 10 pairs, or 7 comparisons of merge insertion; scores 4, 3, 2, 1, 0."""
    judge = scripted(honest)
    used = ranker(judge, pairs=pairs, orders=orders)
    for made in used.rank([make_set(TEXTS, name=name) for name in "abc"]):
        assert ranks(made) == {text: i for i, text in enumerate(TEXTS)}
        assert isinstance(made, RankedExample)
        assert [response.score for response in made.responses] == [4, 3, 2, 1, 0]
        assert len(made.judgements) <= asked * orders == used.questions(5)
        assert made.usage == Usage(read=10 * len(made.judgements))
    assert max(len(call) for call in judge.calls) <= 4


def test_the_order_of_a_pair_makes_a_tie(scripted: Any, make_set: MakeSet) -> None:
    """A judge that prefers what is shown first says nothing in two orders, and orders in one."""
    biased = scripted(lambda shown, seed: "Verdict: A")
    both = ranker(biased, orders=2).rank([make_set(TEXTS)])[0]
    assert set(ranks(both).values()) == {0}
    assert len(set(ranks(ranker(biased).rank([make_set(TEXTS)])[0]).values())) == 5


def test_circles_tie_and_can_be_counted(scripted: Any, make_set: MakeSet) -> None:
    """Scissors, paper, stone: each beats one. Every pair is a judgement of two texts."""
    beats = {("1", "2"), ("2", "3"), ("3", "1")}
    judge = scripted(lambda shown, seed: f"Verdict: {'A' if tuple(shown) in beats else 'B'}")
    made = ranker(judge).rank([make_set(["1", "2", "3"])])[0]
    assert ranks(made) == {"1": 0, "2": 0, "3": 0}
    assert isinstance(made, RankedExample)
    seen = {tuple(sorted(judgement.shown)) for judgement in made.judgements}
    assert seen == set(combinations(["1", "2", "3"], 2))


def test_an_unreadable_verdict_refuses_the_set_alone(scripted: Any, make_set: MakeSet) -> None:
    def say(shown: list[str], seed: int) -> str:
        return "A, I think." if set(shown) == {"7", "8"} else honest(shown, seed)

    good, bad = ranker(scripted(say)).rank([make_set(["1", "2"]), make_set(["7", "8"])])
    assert ranks(good) == {"2": 0, "1": 1}
    assert isinstance(bad, Refusal) and (bad.kind, bad.raw) == ("no_verdict", "A, I think.")


def test_one_of_two_verdicts_is_enough(scripted: Any, make_set: MakeSet) -> None:
    judge = scripted(lambda shown, seed: "Verdict: A" if shown[0] == "8" else "?")
    made = ranker(judge, orders=2).rank([make_set(["7", "8"])])[0]
    assert ranks(made) == {"8": 0, "7": 1}
    assert isinstance(made, RankedExample)
    assert sorted(judgement.refusal for judgement in made.judgements) == ["", "no_verdict"]


def test_one_different_response_needs_no_judge(scripted: Any, make_set: MakeSet) -> None:
    judge = scripted(honest)
    for pairs in ("all", "sorted"):
        assert ranks(ranker(judge, pairs=pairs).rank([make_set(["1", "1"])])[0]) == {"1": 0}
    assert judge.calls == []


def scored(comparing: Comparing, values: list[int]) -> list[float]:
    """Run a comparison to its scores; the larger value is better."""
    try:
        pairs = next(comparing)
        while True:
            said = [(values[a] > values[b]) - (values[a] < values[b]) for a, b in pairs]
            pairs = comparing.send(said)
    except StopIteration as done:
        scores: list[float] = done.value
        return scores


@given(st.lists(st.integers(0, 4), min_size=1, max_size=9))
def test_sorting_and_all_pairs_score_alike(values: list[int]) -> None:
    count = len(values)
    assert scored(compare_sorted(count), values) == scored(compare_all(count), values)


@pytest.mark.parametrize(
    "reply, said",
    [
        ("Verdict: A", (0.0, -1.0)),
        ("B is right.\n**Verdict:** B.", (-1.0, 0.0)),
        ("Verdict: tie\n", (0.0, 0.0)),
        ("A", "no_verdict"),
        ("Verdict: C", "no_verdict"),
        ("Verdict: A or B", "no_verdict"),
        ("Verdict: A\nVerdict: B", "several_verdicts"),
    ],
)
def test_words_are_read_strictly(reply: str, said: Any) -> None:
    assert read_words(reply) == said


@pytest.mark.parametrize(
    "reply, said",
    [
        ({"reasons": "", "verdict": "B"}, (-1.0, 0.0)),
        ({"reasons": "", "verdict": "tie"}, (0.0, 0.0)),
        ({"reasons": "", "verdict": "C"}, "wrong_schema"),
        ({"verdict": "A"}, "wrong_schema"),
    ],
)
def test_forms_are_read_strictly(reply: dict[str, str], said: Any) -> None:
    assert read_formed(json.dumps(reply)) == said
    assert read_formed(json.dumps(reply)[:-1]) == "not_json"


def test_the_most_probable_letter_decides() -> None:
    assert most_probable([-1.0, -2.0, -3.0]) == (0.0, -1.0)
    assert most_probable([-2.0, -1.0, -3.0]) == (-1.0, 0.0)
    assert most_probable([-2.0, -3.0, -1.0]) == (0.0, 0.0)


def test_a_real_model_gives_letters(judge: Any, make_set: MakeSet) -> None:
    made = ranker(judge, "auto", orders=2).rank([make_set(["x", "y", "z"])])[0]
    assert isinstance(made, RankedExample) and len(made.judgements) == 6
    assert all(judgement.raw.startswith("A:-") for judgement in made.judgements)


def test_settings_that_cannot_work_are_refused(scripted: Any) -> None:
    with pytest.raises(ConfigError, match="ranker.pairs='some'.*'all' and 'sorted'"):
        ranker(scripted(honest), pairs="some").check([])
    with pytest.raises(ConfigError, match="needs a judge that gives forms"):
        ranker(scripted(honest), "form").check([])
    decisive = [
        ranker(scripted(honest), pairs=p, orders=o) for p in ("all", "sorted") for o in (1, 2)
    ]
    assert len({json.dumps(one.digest()) for one in decisive}) == 4
