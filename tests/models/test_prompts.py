from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from tuna_exp.errors import ConfigError, DataError
from tuna_exp.models.prompts import PromptEncoder, TooLong, fit
from tuna_exp.records import Instruction

FISH = Instruction(id="1", instruction="Name a fish.")
TEXTS = ["Paris", " Paris", "\nParis", "  two", "日本 é", "a<|im_end|></s>b", "\t", " ", "end "]


@pytest.mark.parametrize("prompt_format", ["chat", "alpaca", "raw"])
@pytest.mark.parametrize("text", TEXTS)
def test_response_survives_alone_and_after_its_prompt(
    tokenizer: PreTrainedTokenizerBase,
    llama_tokenizer: PreTrainedTokenizerBase,
    prompt_format: str,
    text: str,
) -> None:
    """Neither a byte-level nor a sentencepiece tokenizer adds or eats a character."""
    for each in (tokenizer, llama_tokenizer):
        encoder = PromptEncoder(each, prompt_format)
        response = encoder.response_ids(text)
        assert response.count(encoder.end_id) == 1
        assert encoder.response_text(response) == text
        prompt = encoder.prompt_ids(FISH)
        before, both = (_decoded(each, ids) for ids in (prompt, prompt + response))
        assert both.removeprefix(before) in (text, f" {text}")


def test_prompt_ids_are_the_tokens_of_the_prompt_text(tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = PromptEncoder(tokenizer, "chat", "Be brief.")
    assert encoder.prompt_ids(FISH) == tokenizer(encoder.prompt_text(FISH))["input_ids"]


def test_response_ends_only_when_complete(tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = PromptEncoder(tokenizer)
    assert encoder.response_ids("Cod") == [*encoder.response_ids("Cod", complete=False), 1]
    assert encoder.response_ids("") == [1]
    assert encoder.response_ids("", complete=False) == []


def test_template_with_a_space_before_the_answer_keeps_it(
    llama_tokenizer: PreTrainedTokenizerBase,
) -> None:
    """`[/INST] The` is a word start to the chat model, `Response:The` none to the Alpaca one."""
    first = {
        name: PromptEncoder(llama_tokenizer, name).response_ids("The")[0]
        for name in ("chat", "alpaca")
    }
    tokens = {name: str(llama_tokenizer.convert_ids_to_tokens(i)) for name, i in first.items()}
    assert tokens["chat"].startswith("▁")
    assert not tokens["alpaca"].startswith("▁")


def test_pad_id_falls_back_to_the_end(llama_tokenizer: PreTrainedTokenizerBase) -> None:
    assert llama_tokenizer.pad_token_id is None
    assert PromptEncoder(llama_tokenizer).pad_id == llama_tokenizer.eos_token_id


def test_unknown_format_names_the_nearest(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(ConfigError, match=r"chat, alpaca, raw\. Did you mean 'alpaca'\?"):
        PromptEncoder(tokenizer, "alpacca")


@given(prompt=st.integers(1, 60), response=st.integers(1, 60), limit=st.integers(2, 80))
def test_truncation_keeps_the_limit_the_response_and_the_order(
    prompt: int, response: int, limit: int
) -> None:
    """The response keeps min(16, all) tokens where the limit leaves a place for the prompt."""
    before, after = list(range(prompt)), list(range(100, 100 + response))
    fitted = fit(before, after, limit, "truncate", "x")
    assert fitted is not None
    kept, said = fitted
    assert len(kept) + len(said) == min(limit, prompt + response)
    assert kept == before[len(before) - len(kept) :] and kept
    assert said == after[: len(said)]
    assert len(said) >= min(16, response, limit - 1)
    assert said == after or len(kept) == prompt or len(said) == min(16, limit - 1)


def test_response_is_cut_before_the_prompt() -> None:
    """10 + 30 tokens into 30: the response loses 10; into 20: it keeps 16, the prompt 4."""
    prompt, response = list(range(10)), list(range(30))
    assert fit(prompt, response, 30, "truncate", "x") == (prompt, response[:20])
    assert fit(prompt, response, 20, "truncate", "x") == (prompt[6:], response[:16])


def test_too_long_names_record_counts_limit_and_cures() -> None:
    pattern = r"a\.jsonl line 3: 10 prompt \+ 30 response = 40.*39.*max_length=40.*truncate\|drop"
    with pytest.raises(TooLong, match=pattern):
        fit([0] * 10, [0] * 30, 39, "error", "a.jsonl line 3")
    assert fit([0] * 10, [0] * 30, 39, "drop", "x") is None


@pytest.mark.parametrize("mode", ["error", "truncate", "drop"])
def test_what_fits_is_left_alone(mode: Literal["error", "truncate", "drop"]) -> None:
    assert fit([1], [2, 3], 3, mode, "x") == ([1], [2, 3])


def test_empty_response_is_refused() -> None:
    with pytest.raises(DataError, match="x: 0 response tokens"):
        fit([1], [], 10, "truncate", "x")


def _decoded(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True))
