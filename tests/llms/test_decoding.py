"""Decoding: what is drawn, its log-probabilities, and what must not change them."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.errors import ConfigError
from tuna_exp.llms import decoding, rows
from tuna_exp.llms.decoding import Decoder, Decoding, Drawn, common_prefix
from tuna_exp.llms.hugging_face import OpenHuggingFaceLLM
from tuna_exp.records import Instruction

GREEDY = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=12)
HOT = Decoding(responses=3, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=12)
MANY_ENDS = frozenset(range(3, 90))  # so that a random model ends within a few tokens
PROMPTS = [[5, 6, 7, 8, 9], [5, 6, 7], [5, 6, 90, 91, 92, 93, 94, 95, 96]]
KEYS = ["a", "b", "c"]
QUESTIONS = [
    Instruction(id=str(n), instruction=" ".join(["Add the numbers 12 and 30."] * n))
    for n in (1, 2, 4)
]


def decoder(opened: OpenHuggingFaceLLM, ending: frozenset[int] = MANY_ENDS) -> Decoder:
    return Decoder(opened.model, ending, pad_id=2)


def tokens(drawn: list[list[Drawn]]) -> list[list[int]]:
    return [one.tokens for some in drawn for one in some]


def assert_alike(drawn: list[list[Drawn]], other: list[list[Drawn]]) -> None:
    """The same tokens, and log-probabilities that differ by float32 rounding alone."""
    assert tokens(drawn) == tokens(other)
    for some, others in zip(drawn, other, strict=True):
        for one, two in zip(some, others, strict=True):
            assert one.logps == pytest.approx(two.logps, abs=1e-4)


@pytest.mark.parametrize("ending", [frozenset({1}), MANY_ENDS])
def test_greedy_is_what_generate_gives(opened: OpenHuggingFaceLLM, ending: frozenset[int]) -> None:
    """Prompts of three lengths in one batch against transformers, one prompt at a time."""
    drawn = tokens(decoder(opened, ending).decode(PROMPTS, GREEDY, KEYS))
    for prompt, mine in zip(PROMPTS, drawn, strict=True):
        options: dict[str, Any] = {"eos_token_id": sorted(ending), "pad_token_id": 2}
        ids = torch.tensor([prompt])
        theirs = opened.model.generate(ids, do_sample=False, max_new_tokens=12, **options)
        assert mine == theirs[0, len(prompt) :].tolist()


@pytest.mark.parametrize("temperature, top_p, top_k", [(1.0, 1.0, 0), (0.7, 0.8, 0), (1.5, 1, 20)])
def test_log_probabilities_are_those_of_temperature_1(
    opened: OpenHuggingFaceLLM, temperature: float, top_p: float, top_k: int
) -> None:
    """Raw ones, whatever the tokens were drawn with: the same weights give them to given text."""
    how = Decoding(3, temperature, top_p, top_k, max_new_tokens=8)
    for question, answers in zip(QUESTIONS, opened.answer(QUESTIONS, how, 0), strict=True):
        scored = opened.score(question, [answer.token_ids for answer in answers])
        for answer, logps in zip(answers, scored, strict=True):
            assert answer.token_logprobs == pytest.approx(logps, abs=1e-4)


@pytest.mark.parametrize("how", [GREEDY, HOT])
def test_common_prefix_changes_nothing(opened: OpenHuggingFaceLLM, how: Decoding) -> None:
    remembering = decoder(opened)
    remembering.remember(PROMPTS)
    assert_alike(remembering.decode(PROMPTS, how, KEYS), decoder(opened).decode(PROMPTS, how, KEYS))


def test_a_prompt_that_is_the_prefix_itself_is_answered(opened: OpenHuggingFaceLLM) -> None:
    remembering = decoder(opened)
    remembering.remember([[5, 6, 7], [5, 6, 8]])
    prompts = [[5, 6], [5, 6, 9]]
    assert_alike(
        remembering.decode(prompts, HOT, KEYS[:2]), decoder(opened).decode(prompts, HOT, KEYS[:2])
    )


def test_windowed_attention_shares_no_prefix(
    opened: OpenHuggingFaceLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window counts columns, so the gap behind a shared prefix would take some of it away."""
    remembering = decoder(opened)
    remembering.remember(PROMPTS)
    assert remembering.prefix == [5, 6]
    monkeypatch.setattr(opened.model.config, "sliding_window", 4, raising=False)
    remembering.remember(PROMPTS)
    assert remembering.prefix == []


@pytest.mark.parametrize("how", [GREEDY, HOT])
def test_rows_that_leave_the_batch_change_nothing(
    opened: OpenHuggingFaceLLM, how: Decoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving = decoder(opened).decode(PROMPTS, how, KEYS)
    assert len({len(ids) for ids in tokens(leaving)}) > 1
    monkeypatch.setattr(decoding, "COMPACT_BELOW", 0)
    assert_alike(leaving, decoder(opened).decode(PROMPTS, how, KEYS))


def test_when_others_end_changes_nothing(opened: OpenHuggingFaceLLM) -> None:
    """With no ending token every sequence goes on; each begins as it was when some ended."""
    ended = tokens(decoder(opened).decode(PROMPTS, HOT, KEYS))
    endless = tokens(decoder(opened, frozenset()).decode(PROMPTS, HOT, KEYS))
    assert all(one == two[: len(one)] for one, two in zip(ended, endless, strict=True))


def test_same_seed_same_draw_other_seed_other_draw(opened: OpenHuggingFaceLLM) -> None:
    made = [
        tokens(decoder(opened).decode(PROMPTS, HOT, [f"{seed}{key}" for key in KEYS]))
        for seed in (0, 0, 1)
    ]
    assert made[0] == made[1] != made[2]
    assert len(set(map(tuple, made[0]))) == len(PROMPTS) * HOT.responses


def test_the_end_is_recorded_and_nothing_after_it(opened: OpenHuggingFaceLLM) -> None:
    how = replace(HOT, responses=20)
    for one in [d for some in decoder(opened).decode(PROMPTS, how, KEYS) for d in some]:
        assert len(one.tokens) == len(one.logps) <= how.max_new_tokens
        assert [token in MANY_ENDS for token in one.tokens[:-1]] == [False] * len(one.tokens[:-1])
        assert one.ended == (one.tokens[-1] in MANY_ENDS)
        assert one.ended or len(one.tokens) == how.max_new_tokens


@pytest.mark.parametrize("most", [1, 2, 5])
def test_max_new_tokens_is_honoured(opened: OpenHuggingFaceLLM, most: int) -> None:
    how = replace(HOT, max_new_tokens=most)
    drawn = decoder(opened, frozenset()).decode(PROMPTS, how, KEYS)
    assert {len(ids) for ids in tokens(drawn)} == {most}


def test_finish_reasons_and_text(opened: OpenHuggingFaceLLM) -> None:
    """Ended: the end token has its log-probability and no text. Cut: every token is text."""
    end, how = opened.encoder.end_id, replace(HOT, responses=32, max_new_tokens=100)
    answers = opened.answer(QUESTIONS[:1], how, 0)[0]
    assert {answer.finish_reason for answer in answers} == {"stop", "length"}
    for answer in answers:
        stopped = answer.finish_reason == "stop"
        said = answer.token_ids[:-1] if stopped else answer.token_ids
        assert (answer.token_ids[-1] == end) == stopped and end not in said
        assert answer.text == opened.encoder.response_text(said)


def test_choose_gives_what_the_options_score(opened: OpenHuggingFaceLLM) -> None:
    options = [" A", " B", " C"]
    chosen = opened.choose(QUESTIONS, "Best response:", options)
    ids = [opened.encoder.response_ids("Best response:" + o, complete=False) for o in options]
    for question, logps in zip(QUESTIONS, chosen, strict=True):
        scored = [answer[-1] for answer in opened.score(question, ids)]
        assert logps == pytest.approx(scored, abs=1e-4)


def test_choose_refuses_options_of_several_tokens(opened: OpenHuggingFaceLLM) -> None:
    with pytest.raises(ConfigError, match="not single tokens.*ranker.answer=text"):
        opened.choose(QUESTIONS, "Best response:", [" A", " xylophone"])


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=5))
def test_common_prefix_leaves_each_prompt_a_token(prompts: list[list[int]]) -> None:
    prefix = common_prefix(prompts)
    assert all(p[: len(prefix)] == prefix and len(p) > len(prefix) for p in prompts)
    longer = len(prefix) + 1
    assert longer == min(map(len, prompts)) or len({tuple(p[:longer]) for p in prompts}) > 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"responses": 0},
        {"temperature": -0.1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"max_new_tokens": 0},
    ],
)
def test_impossible_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"decoding.{next(iter(wrong))}=.*Cure"):
        replace(HOT, **wrong)


@pytest.mark.parametrize("how", [GREEDY, HOT])
@pytest.mark.parametrize("remembered", [[], PROMPTS])
def test_any_decoder_is_decoded_alike(
    opened: OpenHuggingFaceLLM,
    how: Decoding,
    remembered: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows that hold each prompt once against rows that hold it all, for decoders that need it."""
    shared = decoder(opened)
    shared.remember(remembered or [[5], [6]])
    monkeypatch.setattr(decoding, "READ_TOGETHER", 2)
    drawn = shared.decode(PROMPTS, how, KEYS)
    for module in (decoding, rows):
        monkeypatch.setattr(module, "can_share_rows", lambda model: False)
    assert_alike(drawn, decoder(opened).decode(PROMPTS, how, KEYS))


def test_others_in_the_batch_change_nothing(opened: OpenHuggingFaceLLM) -> None:
    """Each prompt alone, all together, and in another order."""
    together = decoder(opened).decode(PROMPTS, HOT, KEYS)
    alone = [decoder(opened).decode([p], HOT, [k])[0] for p, k in zip(PROMPTS, KEYS, strict=True)]
    assert_alike(together, alone)
    assert_alike(together, decoder(opened).decode(PROMPTS[::-1], HOT, KEYS[::-1])[::-1])


def test_the_models_own_attention_is_back_afterwards(opened: OpenHuggingFaceLLM) -> None:
    decoder(opened).decode(PROMPTS, HOT, KEYS)
    assert opened.model.config._attn_implementation == "sdpa"
