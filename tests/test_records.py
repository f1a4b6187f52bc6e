"""The types that flow between stages: what they refuse, how they rank, how they survive JSON."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuna_exp.records import (
    Candidate,
    CandidateSet,
    Check,
    Instruction,
    Prediction,
    RankedExample,
    RankedResponse,
    Record,
    read_records,
    write_records,
)

ASKED = Instruction(id="a", instruction="Name a word.")
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCORED = st.lists(st.tuples(TEXT, st.integers(-3, 3).map(float)), min_size=1, max_size=6)


def places(example: RankedExample) -> list[tuple[str, int]]:
    return [(response.text, response.rank) for response in example.responses]


def ranked(*ranks: int) -> RankedExample:
    responses = tuple(RankedResponse(text=str(i), rank=rank) for i, rank in enumerate(ranks))
    return RankedExample(instruction=ASKED, responses=responses)


@st.composite
def instructions(draw: st.DrawFn) -> Instruction:
    words = TEXT.filter(bool)
    arguments = st.dictionaries(TEXT, TEXT | st.integers(-9, 9) | st.booleans(), max_size=2)
    return Instruction(
        id=draw(words),
        instruction=draw(words),
        input=draw(TEXT),
        reference=draw(st.none() | TEXT),
        check=draw(st.none() | st.builds(Check, name=TEXT, arguments=arguments)),
    )


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    tokens = draw(st.lists(st.tuples(st.integers(0, 999), FINITE), max_size=4))
    return Candidate(
        text=draw(TEXT),
        token_ids=tuple(token for token, _ in tokens),
        token_logprobs=tuple(logp for _, logp in tokens),
        finish_reason=draw(st.sampled_from(["stop", "length"])),
    )


@st.composite
def ranked_examples(draw: st.DrawFn) -> RankedExample:
    texts, scores = zip(*draw(SCORED), strict=True)
    raw = draw(st.none() | TEXT)
    return RankedExample.from_scores(draw(instructions()), list(texts), list(scores), raw)


RECORDS = {
    Instruction: instructions(),
    CandidateSet: st.builds(
        CandidateSet,
        instruction=instructions(),
        candidates=st.lists(candidates(), min_size=1, max_size=3).map(tuple),
        draws=st.integers(1, 5),
    ),
    RankedExample: ranked_examples(),
    Prediction: st.builds(
        Prediction,
        instruction=instructions(),
        text=TEXT,
        tokens=st.integers(0, 99),
        passed=st.booleans(),
        score=st.floats(0, 1),
    ),
}


def test_from_scores_puts_the_best_first() -> None:
    example = RankedExample.from_scores(ASKED, ["x", "y", "z"], [0.1, 0.9, 0.5], raw="y > z > x")
    assert places(example) == [("y", 0), ("z", 1), ("x", 2)]
    assert [response.score for response in example.responses] == [0.9, 0.5, 0.1]
    assert example.raw == "y > z > x"


def test_from_scores_ties_equal_scores_and_skips_no_rank() -> None:
    """Scores 2, 3, 2, 1: ranks 1, 0, 1, 2; tied texts keep the order they came in."""
    example = RankedExample.from_scores(ASKED, ["x", "y", "z", "w"], [2.0, 3.0, 2.0, 1.0])
    assert places(example) == [("y", 0), ("x", 1), ("z", 1), ("w", 2)]


@pytest.mark.parametrize("scores", [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
def test_a_repeated_text_keeps_its_best_score(scores: list[float]) -> None:
    """ "x" has 3 and 1 either way, "y" 2: "x" stands above "y" and appears once."""
    example = RankedExample.from_scores(ASKED, ["x", "y", "x"], scores)
    assert places(example) == [("x", 0), ("y", 1)]
    assert example.responses[0].score == 3.0


@given(SCORED)
def test_ranks_order_as_scores_do(pairs: list[tuple[str, float]]) -> None:
    texts, scores = zip(*pairs, strict=True)
    made = RankedExample.from_scores(ASKED, list(texts), list(scores)).responses
    assert {response.text for response in made} == set(texts)
    for a in made:
        assert a.score == max(score for text, score in pairs if text == a.text)
        for b in made:
            assert a.score is not None and b.score is not None
            assert (a.rank < b.rank) == (a.score > b.score)


def test_a_score_for_each_text() -> None:
    with pytest.raises(ValueError, match="shorter"):
        RankedExample.from_scores(ASKED, ["x", "y"], [1.0])


@pytest.mark.parametrize("ranks", [(1,), (0, 2), (0, 1, 0), (1, 0)])
def test_ranks_that_skip_or_fall_are_refused(ranks: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="must start at 0 and rise by 0"):
        ranked(*ranks)


def test_what_is_empty_or_below_0_is_refused() -> None:
    with pytest.raises(ValidationError, match="responses"):
        ranked()
    with pytest.raises(ValidationError, match="rank"):
        ranked(-1)
    with pytest.raises(ValidationError, match="candidates"):
        CandidateSet(instruction=ASKED, candidates=())


@pytest.mark.parametrize(
    ("ranks", "pairs"), [((0,), 0), ((0, 0), 0), ((0, 1), 1), ((0, 0, 1), 2), ((0, 1, 1, 2), 5)]
)
def test_ordered_pairs_by_hand(ranks: tuple[int, ...], pairs: int) -> None:
    """Pairs less ties: 4 responses make 6 pairs, of which ranks 0, 1, 1, 2 tie one: 5."""
    assert ranked(*ranks).ordered_pairs == pairs


def test_a_candidate_has_a_logprob_per_token() -> None:
    with pytest.raises(ValidationError, match="token_logprobs has 1 entries for 2 token_ids"):
        Candidate(text="x", token_ids=(1, 2), token_logprobs=(-0.5,))


@pytest.mark.parametrize(("exponent", "expected"), [(0.0, -6.0), (1.0, -1.5), (0.5, -3.0)])
def test_log_likelihood_by_hand(exponent: float, expected: float) -> None:
    """Four tokens of -1, -2, -1, -2 sum to -6; over 4^0 = 1, 4^1 = 4 and 4^0.5 = 2."""
    drawn = Candidate(text="x", token_ids=(1, 2, 3, 4), token_logprobs=(-1.0, -2.0, -1.0, -2.0))
    assert drawn.log_likelihood(exponent) == pytest.approx(expected)


def test_log_likelihood_of_no_tokens_is_0() -> None:
    assert Candidate(text="").log_likelihood(1.0) == 0


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_records_survive_json(kind: type[Record], data: st.DataObject) -> None:
    made = data.draw(st.lists(RECORDS[kind], max_size=3))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        assert write_records(path, made) == len(made)
        assert list(read_records(path, kind)) == made


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="answer"):
        Instruction.model_validate({"id": "a", "instruction": "b", "answer": "c"})
    with pytest.raises(ValidationError, match="colour"):
        RankedExample.model_validate_json(
            '{"instruction": {"id": "a", "instruction": "b", "colour": 1}, "responses": []}'
        )


def test_records_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ASKED.input = "other"


def test_the_input_follows_the_instruction() -> None:
    assert ASKED.text == "Name a word."
    assert ASKED.model_copy(update={"input": "b"}).text == "Name a word.\n\nb"
