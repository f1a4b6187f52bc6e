from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuna_exp.errors import ConfigError
from tuna_exp.models.loading import load_model
from tuna_exp.models.sources import CACHE_VARIABLE, folder_digest
from tuna_exp.models.tiny import SPECIAL_TOKENS, TinyModel


def test_tiny_model_is_small_and_its_vocabulary_is_its_tokenizers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    """512 * 64 embeddings (tied) + 2 layers * (3 * 64^2 attention + 3 * 64 * 192 MLP) + norms."""
    assert model.num_parameters() == 512 * 64 + 2 * (3 * 64**2 + 3 * 64 * 192 + 128) + 64
    assert model.config.vocab_size == len(tokenizer) == 512


def test_equal_parameters_give_equal_files_and_another_seed_other_weights(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    random_state = torch.random.get_rng_state()
    again, other = TinyModel().resolve(), TinyModel(seed=1).resolve()
    assert again != tiny_folder
    assert folder_digest(again) == folder_digest(tiny_folder)
    assert folder_digest(again)["model.safetensors"] != folder_digest(other)["model.safetensors"]
    assert torch.equal(torch.random.get_rng_state(), random_state)


def test_digest_tells_parameters_apart() -> None:
    assert TinyModel().digest() == TinyModel().digest()
    assert (
        len({str(TinyModel(seed=seed, layers=n).digest()) for seed in (0, 1) for n in (1, 2)}) == 4
    )


def test_special_tokens_have_one_id_each(tokenizer: PreTrainedTokenizerBase) -> None:
    start, end, pad = (tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (start, end)
    assert tokenizer.pad_token_id == pad != end
    assert tokenizer(SPECIAL_TOKENS[1])["input_ids"] == [end]


@pytest.mark.parametrize("text", ["Paris", "naïve 日本 🐟", "  a\n\nb\t", "\x00"])
def test_every_text_survives_the_tokenizer(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_small_vocabulary_is_bytes_and_special_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    model = load_model(TinyModel(vocabulary_size=259, hidden_size=12, heads=3, layers=1).resolve())
    assert model.config.vocab_size == 256 + 3


@pytest.mark.parametrize("wrong", [{"hidden_size": 10}, {"layers": 0}, {"vocabulary_size": 258}])
def test_sizes_that_cannot_work_are_named(wrong: dict[str, int]) -> None:
    (name, value), *_ = wrong.items()
    with pytest.raises(ConfigError, match=rf"{name}={value}"):
        TinyModel(**wrong).resolve()
