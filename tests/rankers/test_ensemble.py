"""Several rankers as one: how orders combine, whose words are kept, who refuses."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.errors import ConfigError
from tuna_exp.rankers.base import Outcome, Refusal, ScoreRanker
from tuna_exp.rankers.ensemble import EnsembleRanker, standardised
from tuna_exp.rankers.verifier import VerifierRanker
from tuna_exp.records import (
    CandidateSet,
    Instruction,
    Judgement,
    RankedExample,
    Usage,
)

MakeSet = Callable[..., CandidateSet]


class Fixed(ScoreRanker):
    """Gives texts fixed scores; one it has none for refuses the set."""

    def __init__(self, batch_size: int = 8, **scores: float) -> None:
        self.batch_size = batch_size
        self.given = scores

    def questions(self, responses: int) -> int:
        return responses

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        return [self.one(candidates) for candidates in sets]

    def one(self, candidates: CandidateSet) -> Outcome:
        texts = [candidate.text for candidate in candidates.candidates]
        name, usage = candidates.instruction.id, Usage(read=5)
        if not set(texts) <= set(self.given):
            return Refusal(instruction_id=name, kind="unknown", raw="Who?", usage=usage)
        scores = [self.given[text] for text in texts]
        said = Judgement(shown=tuple(texts), scores=tuple(scores), raw="So.", usage=usage)
        return RankedExample.from_scores(
            candidates.instruction, texts, scores, "So.", usage, [said]
        )


A = Fixed(x=10.0, y=1.0, z=0.0)
B = Fixed(x=0.0, y=1.0, z=1.0)


def scores(made: Outcome) -> dict[str, float | None]:
    assert isinstance(made, RankedExample), made
    return {response.text: response.score for response in made.responses}


def combined(
    combine: Any, weights: Mapping[str, float] | None = None, **members: ScoreRanker
) -> EnsembleRanker:
    return EnsembleRanker(members, weights or {}, combine)


@pytest.mark.parametrize(
    "combine, weights, expected",
    [
        ("borda", {}, {"x": 0.5, "y": 0.625, "z": 0.375}),
        ("borda", {"b": 3.0}, {"x": 0.25, "y": 0.6875, "z": 0.5625}),
        ("majority", {}, {"x": 1.0, "y": 1.5, "z": 0.5}),
        ("majority", {"b": 3.0}, {"x": 0.0, "y": 2.0, "z": 1.0}),
    ],
)
def test_orders_combine_by_hand(
    combine: str, weights: dict[str, float], expected: dict[str, float], make_set: MakeSet
) -> None:
    """A: x > y > z (1, 1/2, 0), B: y = z > x (0, 3/4, 3/4). By pairs: x-y and x-z are split, 1
    against 1, and y-z is A's, as B does not vote on it. With 3 for B, x loses both.
    """
    made = combined(combine, weights, a=A, b=B).rank([make_set(["x", "y", "z"])])[0]
    assert scores(made) == pytest.approx(expected)


def test_scores_are_standardised_within_the_set(make_set: MakeSet) -> None:
    """A's scores (10, 1, 0) have mean 11/3 and deviation sqrt(182)/3: 19, -8, -11 over sqrt(182);
    B's (0, 1, 1) have mean 2/3 and deviation sqrt(2)/3: -2, 1, 1 over sqrt(2).
    """
    made = combined("scores_z", a=A, b=B).rank([make_set(["x", "y", "z"])])[0]
    first, second = [19, -8, -11], [-2, 1, 1]
    expected = [(a / 182**0.5 + b / 2**0.5) / 2 for a, b in zip(first, second, strict=True)]
    assert scores(made) == pytest.approx(dict(zip("xyz", expected, strict=True)))
    assert standardised([2.0, 2.0]) == [0.0, 0.0]


@pytest.mark.parametrize("combine", ["borda", "scores_z", "majority"])
@given(given=st.lists(st.integers(0, 3), min_size=2, max_size=5))
def test_one_member_alone_decides(combine: str, given: list[int], make_set: MakeSet) -> None:
    texts = [f"t{i}" for i in range(len(given))]
    member = Fixed(**dict(zip(texts, map(float, given), strict=True)))
    alone = member.rank([make_set(texts)])[0]
    made = combined(combine, a=member, again=member).rank([make_set(texts)])[0]
    assert isinstance(made, RankedExample) and isinstance(alone, RankedExample)
    assert {r.text: r.rank for r in made.responses} == {r.text: r.rank for r in alone.responses}


def test_what_members_said_is_kept(make_set: MakeSet) -> None:
    made = combined("borda", a=A, b=B).rank([make_set(["x", "y"])])[0]
    assert made.raw == "a: So.\n\nb: So." and made.usage == Usage(read=10)
    assert len(made.judgements) == 2


def test_who_refuses_has_no_say(make_set: MakeSet) -> None:
    sets = [make_set(["x", "w"]), make_set(["x", "y"])]
    made = combined("borda", a=Fixed(x=0.0, w=1.0), b=Fixed(x=9.0, y=1.0)).rank(sets)
    assert [list(scores(one)) for one in made] == [["w", "x"], ["x", "y"]]
    assert made[0].usage == Usage(read=10)
    assert "b: Who?" in (made[0].raw or "")


def test_a_set_that_all_refuse_is_refused(make_set: MakeSet) -> None:
    made = combined("borda", a=A, b=B).rank([make_set(["v", "w"])])[0]
    assert isinstance(made, Refusal) and made.kind == "unknown"
    assert made.raw == "a: Who?\n\nb: Who?" and made.usage == Usage(read=10)


def test_settings_that_cannot_work_are_refused() -> None:
    for made, words in (
        (combined("borda"), "members is empty"),
        (combined("borda", {"c": 1.0}, a=A), "weights.c: the members are a"),
        (combined("borda", {"a": 0.0}, a=A), "weights above 0"),
        (combined("mean", a=A), "combine=mean"),
    ):
        with pytest.raises(ConfigError, match=f"{words}.*Cure"):
            made.check([])
    with pytest.raises(ConfigError, match="needs instructions with a checker"):
        combined("borda", a=A, b=VerifierRanker()).check([Instruction(id="q", instruction="Do.")])


def test_it_is_as_large_as_its_smallest_member_and_asks_for_all() -> None:
    made = combined("borda", a=Fixed(batch_size=3), b=Fixed(batch_size=5))
    assert (made.batch_size, made.questions(4)) == (3, 8)
    assert made.digest() != combined("borda", {"a": 2.0}, **made.members).digest()  # type: ignore[arg-type]


def test_duplicates_are_merged_as_members_merge_them(make_set: MakeSet) -> None:
    made = combined("borda", a=A).rank([make_set(["x", "y", "x"])])[0]
    assert scores(made) == {"x": 1.0, "y": 0.0}
