"""The models that are measured: by name, loaded on the device."""

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from tuna_exp.errors import ConfigError, nearest
from tuna_exp.models.embedded import EmbeddedSmolLM2
from tuna_exp.models.loading import load_model
from tuna_exp.models.sources import ModelSource
from tuna_exp.models.tiny import TinyModel

SHAPES = ("smollm2", "tiny", "7b")
LLAMA_7B: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
    "max_position_embeddings": 8192,
}


def source(shape: str) -> ModelSource:
    """Return where the weights of a shape come from. Raises ConfigError where it has none."""
    sources: dict[str, ModelSource] = {"smollm2": EmbeddedSmolLM2(), "tiny": TinyModel()}
    if shape not in sources:
        raise ConfigError(
            f"--shape {shape} has no weights; allowed here are {', '.join(sources)}."
            f"{nearest(shape, sources)}"
        )
    return sources[shape]


def config(shape: str, vocabulary: int | None) -> LlamaConfig:
    """Return the configuration of a shape, with another vocabulary where one is given."""
    if shape == "7b":
        found = LlamaConfig(**LLAMA_7B)
    else:
        found = LlamaConfig.from_pretrained(source(shape).resolve())
    if vocabulary:
        found.vocab_size = vocabulary
        found.bos_token_id = found.eos_token_id = found.pad_token_id = None
    return found


def load(shape: str, vocabulary: int | None, device: str) -> PreTrainedModel:
    """Load a model for training; 7b, and any with a vocabulary of its own, has random weights."""
    if shape != "7b" and not vocabulary:
        loaded: Any = load_model(source(shape).resolve())
        loaded.to(device)
        trained: PreTrainedModel = loaded.train()
        return trained
    torch.manual_seed(0)
    dtype = torch.bfloat16 if shape == "7b" else torch.float32
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            made: PreTrainedModel = LlamaForCausalLM(config(shape, vocabulary))
    finally:
        torch.set_default_dtype(before)
    made.train()
    return made
