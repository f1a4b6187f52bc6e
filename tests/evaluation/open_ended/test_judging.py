"""Judging pairs: orders, ties, refusals, the published reviews end to end, and bad settings."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.open_ended.conftest import MakePair
from tests.evaluation.open_ended.published import needs_reviews, pair_of, reviews
from tests.rankers.conftest import Scripted
from tuna_exp.comparison.reliability import measure
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.evaluation.open_ended.judging import AnswerJudge, AnswerPair, Comparison, paired
from tuna_exp.evaluation.open_ended.vicuna import vicuna_question
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.replay import ReplayLLM
from tuna_exp.records import Instruction, Judgement, Prediction, read_records, write_records
from tuna_exp.services.billing import ranking

DECODING = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=8)
PAIR = AnswerPair(Instruction(id="q", instruction="Do it."), "ours", "theirs")


def judge(llm: Any, scheme: Any = "verdict", presentation: Any = "both", **given: Any) -> Any:
    return AnswerJudge(llm, scheme, given.get("answer", "auto"), DECODING, 4, presentation, 0)


def longer(shown: list[str], seed: int) -> str:
    return f"Verdict: {'A' if len(shown[0]) > len(shown[1]) else 'B'}"


def test_both_orders_are_asked_and_kept(make_pair: MakePair) -> None:
    """Of 3 pairs two are asked in both orders; equal answers tie unasked."""
    llm = Scripted(longer)
    pairs = [make_pair("a", "long", "no"), make_pair("b", "no", "long"), make_pair("c", "x", "x")]
    made = judge(llm).compare(pairs)
    assert [one.preference for one in made] == [1.0, 0.0, 0.5]
    assert [len(one.judgements) for one in made] == [2, 2, 0]
    assert [j.shown for j in made[0].judgements] == [("long", "no"), ("no", "long")]
    assert sum(map(len, llm.calls)) == 4


def test_a_judge_that_likes_the_first_says_nothing_in_both_orders(make_pair: MakePair) -> None:
    llm, pairs = Scripted(lambda shown, seed: "Verdict: A"), [make_pair("a", "x", "y")]
    said = {
        how: judge(llm, presentation=how).compare(pairs)[0].preference
        for how in ("both", "ours_first", "other_first")
    }
    assert said == {"both": 0.5, "ours_first": 1.0, "other_first": 0.0}


def test_one_drawn_order_is_fair_and_the_same_again(make_pair: MakePair) -> None:
    """Of 40 pairs about half are shown ours first: 20 ± 3 standard deviations of 3.2."""
    pairs = [make_pair(str(i), "x", "y") for i in range(40)]
    used = judge(Scripted(lambda shown, seed: "Verdict: A"), presentation="drawn")
    first = [one.preference for one in used.compare(pairs)]
    assert 10 <= sum(p == 1.0 for p in first) <= 30
    assert [one.preference for one in used.compare(pairs[::-1])] == first[::-1]


def test_what_cannot_be_read_is_counted_not_guessed(make_pair: MakePair) -> None:
    """Two unreadable replies: no preference. One of two: the other counts."""
    mute = judge(Scripted(lambda shown, seed: "Hm.")).compare([make_pair("a", "x", "y")])[0]
    assert (mute.preference, mute.refusal, mute.scores) == (None, "no_verdict", None)
    assert mute.prediction(3) is None and mute.ranked() is None
    half = Scripted(lambda shown, seed: "Verdict: A" if shown[0] == "x" else "Hm.")
    assert judge(half).compare([make_pair("a", "x", "y")])[0].preference == 1.0


def test_scores_are_means_over_the_orders(make_pair: MakePair) -> None:
    """8 to 6 for ours first, 7 to 7 for ours second: means 7.5 and 6.5, and a tie."""
    first = Judgement(shown=("x", "y"), scores=(8.0, 6.0))
    second = Judgement(shown=("y", "x"), scores=(7.0, 7.0))
    made = Comparison.from_judgements(make_pair("a", "x", "y"), [first, second])
    assert (made.scores, made.preference) == ((7.5, 6.5), 0.5)


@given(
    st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=1, max_size=2),
    st.booleans(),
)
def test_the_other_sides_preference_is_the_contrary(
    scores: list[tuple[int, int]], turned: bool
) -> None:
    orders = [("x", "y"), ("y", "x")][:: -1 if turned else 1]
    judgements = [
        Judgement(shown=shown, scores=tuple(map(float, pair)))
        for shown, pair in zip(orders, scores, strict=False)
    ]
    asked = Instruction(id="q", instruction="Do it.")
    ours = Comparison.from_judgements(AnswerPair(asked, "x", "y"), judgements)
    theirs = Comparison.from_judgements(AnswerPair(asked, "y", "x"), judgements)
    assert ours.preference is not None and theirs.preference is not None
    assert ours.preference + theirs.preference == 1
    assert (ours.scores or ())[::-1] == theirs.scores


@needs_reviews
def test_published_reviews_replayed_as_a_judge_give_their_outcomes(tmp_path: Path) -> None:
    """Vicuna-13B against ChatGPT: each question put in the published order finds its review."""
    published = reviews()["vicuna-13b_20230322-clean-lang/review_gpt35_vicuna-13b.jsonl"]
    lines = []
    for review in published:
        pair = pair_of(review)
        asked = vicuna_question(pair.instruction, (pair.other, pair.answer), "q").task.text
        lines.append(json.dumps({"instruction": asked, "responses": [review["text"]]}) + "\n")
    (tmp_path / "reviews.jsonl").write_text("".join(lines))
    used = judge(ReplayLLM(str(tmp_path / "reviews.jsonl")), "vicuna", "other_first")
    made = used.compare([pair_of(review) for review in published])
    assert [one.scores for one in made] == [tuple(r["score"][::-1]) for r in published]
    assert made[0].judgements[0].raw == published[0]["text"]


def test_comparisons_are_kept_as_records_and_measure_the_judge(
    tmp_path: Path, make_pair: MakePair, bootstrap: Bootstrap
) -> None:
    pairs = [make_pair(str(i), "x" * i, "yy") for i in (1, 3, 4)]
    made = judge(Scripted(longer)).compare(pairs)
    write_records(tmp_path / "comparisons.jsonl", made)
    assert list(read_records(tmp_path / "comparisons.jsonl", Comparison)) == made
    figures = measure([one for c in made if (one := c.ranked())], {}, bootstrap)
    assert figures.order_pairs is not None and figures.order_pairs.value == 1.0
    scored = made[1].prediction(5)
    assert scored is not None and (scored.passed, scored.score, scored.tokens) == (True, 1.0, 5)


def test_what_it_costs_is_billed_per_order(make_pair: MakePair) -> None:
    """80 pairs in both orders are 160 questions, of two answers each; one order is 80."""

    class Priced(Scripted):
        def usd(self, read: float, generated: float) -> float:
            return read + generated

    asked = [Instruction(id=str(i), instruction="Do it.") for i in range(80)]
    drawn = replace(DECODING, responses=2)
    both, one = (
        ranking(judge(Priced(longer), presentation=how), asked, drawn, len(asked))
        for how in ("both", "drawn")
    )
    assert (both.requests, one.requests) == (160, 80)
    assert both.usd == 2 * one.usd > 0 and both.bound > both.usd


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="judging.scheme='x'.*Cure"):
        judge(Scripted(longer), "x").check()
    with pytest.raises(ConfigError, match="judging.presentation='x'"):
        judge(Scripted(longer), presentation="x").check()
    with pytest.raises(ConfigError, match="judging.answer=form with judging.scheme=vicuna"):
        judge(Scripted(longer, "forms"), "vicuna", answer="form").check()
    with pytest.raises(ConfigError, match="judging.answer=form needs a judge.*Cure: judging"):
        judge(Scripted(longer), answer="form").check()
    judge(Scripted(longer, "forms"), "vicuna").check()


def test_the_digest_changes_with_what_decides_the_preference() -> None:
    llm = Scripted(longer)
    made = [judge(llm, s, p).digest() for s in ("verdict", "vicuna") for p in ("both", "drawn")]
    assert len({json.dumps(one) for one in made}) == 4


def test_predictions_meet_the_other_answers_by_id() -> None:
    made = Prediction(instruction=PAIR.instruction, text="ours", tokens=1, passed=True, score=1)
    assert paired([made], {"q": "theirs", "more": "?"}) == [PAIR]
    with pytest.raises(DataError, match="1 of 1 predictions have no answer.*'q'.*Cure"):
        paired([made], {"p": "theirs"})
