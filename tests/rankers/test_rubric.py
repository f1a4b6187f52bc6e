"""Scores by criterion: how they are read and weighed, and what refuses a set."""

import json
from collections.abc import Callable
from math import log
from typing import Any

import pytest

from tuna_exp.errors import ConfigError
from tuna_exp.llms.decoding import Decoding
from tuna_exp.rankers.base import Refusal
from tuna_exp.rankers.rubric import RubricRanker, expected_score, read_formed, read_words
from tuna_exp.records import Candidate, CandidateSet, RankedExample, Usage

MakeSet = Callable[..., CandidateSet]
DECODING = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=8)
CRITERIA = [
    {"name": "right", "question": "Is it right?", "weight": 3.0},
    {"name": "short", "question": "Is it short?", "weight": 1.0},
]


def ranker(judge: Any, answer: Any = "text", criteria: Any = CRITERIA) -> RubricRanker:
    return RubricRanker(judge, answer, DECODING, 4, 0, criteria)


class Marking:
    """A judge's replies one after the other: first response right, short; second right, short."""

    def __init__(self, *replies: str) -> None:
        self.replies = iter(replies)

    def __call__(self, shown: list[str], seed: int) -> str:
        return next(self.replies)


def test_scores_are_weighed_by_hand(scripted: Any, make_set: MakeSet) -> None:
    """x: (3 * 8 + 4) / 4 = 7; y: (3 * 6 + 10) / 4 = 7; z: (3 * 10 + 1) / 4 = 7.75."""
    said = [f"Score: {n}" for n in (8, 4, 6, 10, 10, 1)]
    judge = scripted(Marking(*said))
    made = ranker(judge).rank([make_set(["x", "y", "z"])])[0]
    assert isinstance(made, RankedExample)
    scores = {r.text: (r.rank, r.score) for r in made.responses}
    assert scores == {"z": (0, 7.75), "x": (1, 7.0), "y": (1, 7.0)}
    assert [(j.shown, j.scores) for j in made.judgements[:2]] == [
        (("x",), (8.0,)),
        (("x",), (4.0,)),
    ]
    assert made.usage == Usage(read=60) and [len(call) for call in judge.calls] == [4, 2]
    assert (
        "Is it short?" in judge.calls[0][1].text and "### Response\nx\n" in judge.calls[0][1].text
    )


def test_one_score_that_cannot_be_read_refuses_the_set(scripted: Any, make_set: MakeSet) -> None:
    said = Marking(*["Score: 5"] * 3, "Score: 11", *["Score: 5"] * 4)
    bad, good = ranker(scripted(said)).rank([make_set(["x", "y"]), make_set(["v", "w"])])
    assert isinstance(bad, Refusal) and (bad.kind, bad.raw) == ("out_of_range", "Score: 11")
    assert len(bad.judgements) == 4 and isinstance(good, RankedExample)


def test_one_different_response_needs_no_judge(scripted: Any, make_set: MakeSet) -> None:
    judge = scripted(Marking())
    assert isinstance(ranker(judge).rank([make_set(["x", "x"])])[0], RankedExample)
    assert judge.calls == []


@pytest.mark.parametrize(
    "reply, said",
    [
        ("Score: 7", (7.0,)),
        ("It is fine.\n**Score: 10**", (10.0,)),
        ("Score: 0", "out_of_range"),
        ("Score: 11", "out_of_range"),
        ("Score: 7.5", "no_score"),
        ("Score: 7/10", "no_score"),
        ("Score: -7", "no_score"),
        ("7", "no_score"),
        ("Score: 7\nScore: 8", "several_scores"),
    ],
)
def test_words_are_read_strictly(reply: str, said: Any) -> None:
    assert read_words(reply) == said


@pytest.mark.parametrize(
    "score, said",
    [(1, (1.0,)), (10, (10.0,)), (0, "wrong_schema"), (11, "wrong_schema"), ("7", "wrong_schema")],
)
def test_forms_are_read_strictly(score: object, said: Any) -> None:
    assert read_formed(json.dumps({"reasons": "", "score": score})) == said
    assert read_formed(f'{{"score": {score}') == "not_json"


def test_the_expected_score_by_hand() -> None:
    """Half on 9, a quarter on 1 and on 5: 4.5 + 0.25 + 1.25 = 6, whatever else is probable."""
    nothing = -1000.0
    logps = [log(0.25), *[nothing] * 3, log(0.25), *[nothing] * 3, log(0.5)]
    assert expected_score(logps) == pytest.approx((6.0,))
    assert expected_score([logp - 700 for logp in logps]) == pytest.approx((6.0,))


def test_a_real_model_gives_digits(judge: Any, make_set: MakeSet) -> None:
    made = ranker(judge, "auto").rank([make_set(["x", "y"])])[0]
    assert isinstance(made, RankedExample) and len(made.judgements) == 4
    assert all(1 < judgement.scores[0] < 9 for judgement in made.judgements)


def test_a_score_that_was_cut_short_is_told(scripted: Any, make_set: MakeSet) -> None:
    judge = scripted(lambda *_: Candidate(text="It is", finish_reason="length"))
    made = ranker(judge).rank([make_set(["x", "y"])])[0]
    assert isinstance(made, Refusal) and made.kind == "cut_short"


def test_settings_that_cannot_work_are_refused(scripted: Any) -> None:
    for weights in ((0.0, 0.0), (1.0, -1.0)):
        criteria = [c | {"weight": w} for c, w in zip(CRITERIA, weights, strict=True)]
        with pytest.raises(ConfigError, match="ranker.criteria has the weights.*Cure"):
            ranker(scripted(Marking()), criteria=criteria).check([])
    used = ranker(scripted(Marking()))
    used.check([])
    assert (
        used.questions(4) == 8 and used.digest() != ranker(used.judge, criteria=criteria).digest()
    )
