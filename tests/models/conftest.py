"""The tiny model, made once for all tests here, and a tokenizer that behaves like Llama's."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from tuna_exp.models.loading import load_model, load_tokenizer

LLAMA_CHAT = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'system' %}{{ raise_exception('no system message') }}"
    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"
)


@pytest.fixture(scope="session")
def tokenizer(tiny_folder: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_folder)


@pytest.fixture
def model(tiny_folder: Path) -> PreTrainedModel:
    return load_model(tiny_folder)


@pytest.fixture(scope="session")
def llama_tokenizer() -> PreTrainedTokenizerBase:
    """Sentencepiece BPE with byte fallback: a text's first word gets a space in front."""
    learner = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    learner.train_from_iterator(["The capital of France is Paris [INST] [/INST]"] * 3, trainer)
    learned = json.loads(learner.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    tokenizer = LlamaTokenizer(learned["vocab"], merges, add_bos_token=True)
    tokenizer.chat_template = LLAMA_CHAT
    return tokenizer
