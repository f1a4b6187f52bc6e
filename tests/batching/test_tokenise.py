"""From ranked examples to tokens: what is trained on, and what happens to what is too long."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuna_exp.batching.tokenise import Batching, MleOn, Tokeniser
from tuna_exp.errors import DataError
from tuna_exp.models.loading import load_tokenizer
from tuna_exp.models.prompts import PromptEncoder, TooLong
from tuna_exp.records import Instruction, RankedExample

Rule = Literal["error", "truncate", "drop"]
QUESTION = Instruction(id="q-7", instruction="Add 12 and 30.", reference="The sum is 42.")
TEXTS = ["42", "It is 42.", "I do not know."]


@pytest.fixture(scope="module")
def encoder(tiny_folder: Path) -> PromptEncoder:
    return PromptEncoder(load_tokenizer(tiny_folder))


def tokeniser(encoder: PromptEncoder, limit: int = 512, rule: Rule = "error") -> Tokeniser:
    return Tokeniser(encoder, Batching("padded", 8, 4096, limit, rule, workers=0))


def ranked(texts: list[str] = TEXTS, scores: tuple[float, ...] = (2, 2, 1)) -> RankedExample:
    return RankedExample.from_scores(QUESTION, texts, list(scores))


def test_sft_trains_on_the_reference_alone(encoder: PromptEncoder) -> None:
    example = tokeniser(encoder).reference(QUESTION)
    assert example is not None
    assert example.prompt == tuple(encoder.prompt_ids(QUESTION))
    assert example.responses == (tuple(encoder.response_ids("The sum is 42.")),)
    assert example.responses[0][-1] == encoder.end_id
    assert (example.ranks, example.trained, example.gaps) == ((-1,), (True,), [])


@pytest.mark.parametrize(
    "mle_on, texts, ranks, trained",
    [
        ("reference", [*TEXTS, "The sum is 42."], (0, 0, 1, -1), (False, False, False, True)),
        ("best", TEXTS, (0, 0, 1), (True, False, False)),
        ("all", TEXTS, (0, 0, 1), (True, True, True)),
    ],
)
def test_what_the_likelihood_term_is_on(
    mle_on: MleOn,
    texts: list[str],
    ranks: tuple[int, ...],
    trained: tuple[bool, ...],
    encoder: PromptEncoder,
) -> None:
    """Two tie for best: "best" trains on the first of them; the reference is not ranked."""
    example = tokeniser(encoder).ranked(ranked(), mle_on)
    assert example is not None
    ids = [tuple(encoder.response_ids(text)) for text in texts]
    assert (example.responses, example.ranks) == (tuple(ids), ranks)
    assert example.trained == trained and example.gaps == [1, 1]
    counted = sum(len(i) for i, on in zip(ids, trained, strict=True) if on)
    assert example.trained_tokens == counted


def test_without_a_reference_the_cure_is_named(encoder: PromptEncoder) -> None:
    bare = ranked().model_copy(update={"instruction": Instruction(id="q-8", instruction="Hm?")})
    with pytest.raises(DataError, match="'q-8' has no response.*None.*Cure.*mle_on=best"):
        tokeniser(encoder).ranked(bare, "reference")
    assert tokeniser(encoder).ranked(bare, "best") is not None


def test_too_long_names_record_count_limit_and_cure(encoder: PromptEncoder) -> None:
    prompt, longest = len(encoder.prompt_ids(QUESTION)), len(encoder.response_ids(TEXTS[2]))
    total = prompt + longest
    with pytest.raises(TooLong, match=rf"q-7: .*= {total} tokens; the limit is {total - 1}.*Cure"):
        tokeniser(encoder, total - 1).ranked(ranked(), "best")
    assert tokeniser(encoder, total).ranked(ranked(), "best") is not None


def test_dropped_records_are_counted(encoder: PromptEncoder) -> None:
    dropping = tokeniser(encoder, 5, "drop")
    assert dropping.reference(QUESTION) is None
    assert dropping.ranked(ranked(), "best") is None
    assert dropping.ranked(ranked(), "reference") is None
    assert dropping.dropped == 3


def test_truncating_drops_the_end_token_of_what_was_cut_alone(encoder: PromptEncoder) -> None:
    """Room for the prompt and 20 tokens: "42" stays whole, the long response loses its end."""
    limit = len(encoder.prompt_ids(QUESTION)) + 20
    example = tokeniser(encoder, limit, "truncate").ranked(
        ranked(["word " * 50, "42"], (1, 0)), "best"
    )
    assert example is not None
    cut, short = example.responses
    assert len(cut) == 20 and encoder.end_id not in cut
    assert short == tuple(encoder.response_ids("42"))
    assert example.prompt == tuple(encoder.prompt_ids(QUESTION))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.integers(0, 40), min_size=1, max_size=4, unique=True),
    question=st.integers(1, 40),
    limit=st.integers(2, 80),
)
def test_truncated_responses_share_a_prompt_and_have_a_token(
    words: list[int], question: int, limit: int, encoder: PromptEncoder
) -> None:
    """The longest decides how far the prompt is cut, from its start; none is left empty."""
    instruction = Instruction(id="q", instruction="word " * question)
    texts = ["word " * n for n in words]
    example = RankedExample.from_scores(instruction, texts, [float(-n) for n in words])
    made = tokeniser(encoder, limit, "truncate").ranked(example, "best")
    assert made is not None
    whole = tuple(encoder.prompt_ids(instruction))
    assert whole[len(whole) - len(made.prompt) :] == made.prompt != ()
    for response, ids in zip(example.responses, made.responses, strict=True):
        full = tuple(encoder.response_ids(response.text))
        assert ids and ids == full[: len(ids)] and len(made.prompt) + len(ids) <= limit
