"""The choice of layout: what a model can do is tried, and what it can't is said."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from tuna_exp.batching.attention import BLOCKS
from tuna_exp.batching.choice import choose_layout
from tuna_exp.batching.layouts import LAYOUTS
from tuna_exp.models.loading import load_model

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 40,
}


@pytest.fixture
def model(tiny_folder: Path) -> PreTrainedModel:
    return load_model(tiny_folder)


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING):
        yield caplog


def made(model_type: str, **settings: Any) -> PreTrainedModel:
    from transformers import AutoConfig

    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **SMALL | settings)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model.eval()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_suits_a_llama(layout: str, model: PreTrainedModel) -> None:
    assert choose_layout(layout, model) == layout
    assert model.config._attn_implementation == ("sdpa" if layout == "padded" else BLOCKS)


def test_attention_with_dropout_is_left_to_the_model() -> None:
    """Blocks of ours drop nothing out, and would train another model without a word."""
    model = made("llama", attention_dropout=0.1)
    assert choose_layout("shared_prompt", model) == "shared_prompt"
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "olmo2", "granite", "phi3", "gemma"])
def test_architectures_that_share(kind: str, warned: pytest.LogCaptureFixture) -> None:
    extra = {"head_dim": 8} if kind in ("qwen3", "gemma") else {}
    extra |= {"pad_token_id": 0} if kind == "phi3" else {}
    model = made(kind, **extra)
    assert choose_layout("shared_prompt", model) == "shared_prompt", warned.text
    assert model.config._attn_implementation == BLOCKS


def test_a_window_is_told(model: PreTrainedModel, warned: pytest.LogCaptureFixture) -> None:
    model.config.sliding_window = 8
    assert choose_layout("shared_prompt", model) == "padded"
    assert "sliding" in warned.text and "slower" in warned.text


def test_capped_scores_get_the_mask(warned: pytest.LogCaptureFixture) -> None:
    """Gemma 2 caps its attention's scores, which our blocks do not: transformers' own attention."""
    model = made("gemma2", head_dim=8, layer_types=["full_attention"] * 2)
    plain = model.config._attn_implementation
    assert choose_layout("shared_prompt", model) == "shared_prompt", warned.text
    assert model.config._attn_implementation == plain != BLOCKS


def test_a_models_own_rounding_is_no_other_model(
    model: PreTrainedModel, warned: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Log-probabilities of thousands of nats have rounding above any fixed tolerance."""
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(1e5)
    assert choose_layout("shared_prompt", model) == "shared_prompt", warned.text
    monkeypatch.setattr("tuna_exp.batching.choice._ROUNDINGS", 0)
    assert choose_layout("shared_prompt", model) == "padded"


def test_a_model_that_looks_elsewhere_is_found_out(
    model: PreTrainedModel, warned: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions counted by column, whatever they are said to be: the trial sees other numbers."""
    rotary: Any = model.get_decoder().rotary_emb
    forward = rotary.forward

    def by_column(x: Any, position_ids: Any) -> Any:
        return forward(x, torch.arange(position_ids.shape[1]).expand_as(position_ids))

    monkeypatch.setattr(rotary, "forward", by_column)
    with torch.no_grad():  # the tiny model attends weakly
        for name, weight in model.named_parameters():
            if "q_proj" in name or "k_proj" in name:
                weight.mul_(30)
    assert choose_layout("shared_prompt", model) == "padded"
    assert "other log-probabilities" in warned.text
    assert model.config._attn_implementation == "sdpa"
