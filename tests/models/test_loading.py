from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

from tuna_exp.errors import ConfigError, UserError
from tuna_exp.models.loading import load_model, load_tokenizer, supports_prompt_sharing


def test_model_comes_in_evaluation_mode_and_the_asked_type(tiny_folder: Path) -> None:
    model = load_model(tiny_folder, "bfloat16", "eager")
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


def test_unknown_dtype_names_the_nearest(tiny_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.dtype=bfloat.*Did you mean 'bfloat16'\?"):
        load_model(tiny_folder, "bfloat")


def test_missing_folder_is_named(tmp_path: Path) -> None:
    for load in (load_model, load_tokenizer):
        with pytest.raises(UserError, match="nowhere does not exist"):
            load(tmp_path / "nowhere")


def test_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no config.json"):
        load_model(tmp_path)
    with pytest.raises(UserError, match="tokenizer in .* does not load"):
        load_tokenizer(tmp_path)


def test_torn_files_are_a_user_error(tiny_folder: Path, tmp_path: Path) -> None:
    for path in tiny_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:1000])
    (tmp_path / "config.json").write_bytes((tiny_folder / "config.json").read_bytes())
    for load, what in ((load_model, "model"), (load_tokenizer, "tokenizer")):
        with pytest.raises(UserError, match=f"{what} in .* does not load"):
            load(tmp_path)


def test_weights_that_would_be_random_are_named(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((tiny_folder / "config.json").read_bytes())
    save_file({"model.norm.weight": torch.ones(64)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"20 weights are missing \(.*would be random"):
        load_model(tmp_path)


def test_unknown_attention_is_a_user_error(tiny_folder: Path) -> None:
    with pytest.raises(UserError, match="attn_implementation"):
        load_model(tiny_folder, attn_implementation="fastest")


def test_llama_shares_prompts(model: PreTrainedModel) -> None:
    assert supports_prompt_sharing(model.config) is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model_type": "qwen3"}, None),
        ({"model_type": "qwen2", "sliding_window": 4096}, None),
        ({"model_type": "qwen2", "use_sliding_window": True, "max_window_layers": 1}, "sliding"),
        ({"model_type": "mistral", "sliding_window": 4096}, "sliding"),
        ({"model_type": "mistral", "sliding_window": None}, None),
        ({"model_type": "mistral", "sliding_window": 64, "max_position_embeddings": 64}, None),
        ({"model_type": "gemma3_text"}, "sliding"),
        ({"model_type": "qwen3_next"}, "linear"),
        ({"model_type": "mamba2"}, "recurrent"),
        ({"model_type": "jamba"}, "recurrent"),
        ({"model_type": "bloom"}, "ALiBi"),
        ({"model_type": "falcon", "alibi": True}, "ALiBi"),
        ({"model_type": "t5"}, "encoder-decoder"),
        ({"model_type": "gpt2"}, None),
    ],
)
def test_models_that_cannot_share_prompts(settings: dict[str, Any], reason: str | None) -> None:
    config: PretrainedConfig = AutoConfig.for_model(**settings)
    said = supports_prompt_sharing(config)
    assert (said is None) if reason is None else (said is not None and reason in said)
