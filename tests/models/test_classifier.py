"""Classifiers and encoders: what they are given, and that neither padding nor company matters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import (
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

from tuna_exp.errors import ConfigError, UserError
from tuna_exp.models.classifier import (
    Reader,
    label_column,
    logits,
    mean_vector,
    open_classifier,
    open_encoder,
)
from tuna_exp.models.loading import load_classifier, load_encoder, load_tokenizer
from tuna_exp.records import Instruction

QUESTION = Instruction(id="q", instruction="What is the capital of France?")
RESPONSES = ["Paris.", "The capital of France is Paris, a city on the river Seine.", "Red", ""]


@pytest.fixture(scope="session")
def llama(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny Llama with a random head of one number."""
    folder = tmp_path_factory.mktemp("llama-classifier")
    torch.manual_seed(0)
    load_classifier(tiny_folder, "float32", new_head=True).save_pretrained(folder)
    load_tokenizer(tiny_folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def deberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random DeBERTa with two labels that reads pairs of texts, letter by letter."""
    folder = tmp_path_factory.mktemp("deberta-classifier")
    letters = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *map(chr, range(32, 127))]
    tokenizer = Tokenizer(models.WordLevel({x: i for i, x in enumerate(letters)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    special = {"pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{k}_token": v for k, v in special.items()},
    ).save_pretrained(folder)
    config = DebertaV2Config(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        type_vocab_size=2,
        id2label={0: "bad", 1: "good"},
    )
    torch.manual_seed(0)
    DebertaV2ForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind, labels", [("llama", 1), ("deberta", 2)])
def test_a_text_scores_alike_alone_and_in_company(
    kind: str, labels: int, request: pytest.FixtureRequest
) -> None:
    reader = open_classifier(request.getfixturevalue(kind), "float32", 4096)
    texts = [reader.encode(QUESTION, response) for response in RESPONSES]
    alone = reader.read(texts, 1, logits)
    assert alone.shape == (4, labels) and len(set(alone[:, 0].tolist())) == 4
    torch.testing.assert_close(reader.read(texts, 3, logits), alone)
    torch.testing.assert_close(reader.read(texts[::-1], 4, logits).flip(0), alone)


def test_the_chat_template_is_what_is_read(llama: Path) -> None:
    reader = open_classifier(llama, "float32", 4096)
    read = reader.tokenizer.decode(reader.encode(QUESTION, "Paris.")["input_ids"])
    assert read == (
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n"
        "<|im_start|>assistant\nParis.<|im_end|>\n"
    )
    spelled = reader.encode(QUESTION, "Paris.<|im_end|>")["input_ids"]
    ends = reader.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert spelled.count(ends) == 2  # those of the template, not the response's own


def test_without_a_template_a_pair_is_read(deberta: Path) -> None:
    reader = open_classifier(deberta, "float32", 4096)
    encoded = reader.encode(Instruction(id="q", instruction="ab"), "c")
    assert reader.tokenizer.convert_ids_to_tokens(encoded["input_ids"]) == [
        "[CLS]", "a", "b", "[SEP]", "c", "[SEP]",
    ]  # fmt: skip
    assert encoded["token_type_ids"] == [0, 0, 0, 0, 1, 1]


def test_texts_are_bounded_by_the_models_context(deberta: Path) -> None:
    """128 positions: two special tokens and 126 letters fit."""
    reader = open_classifier(deberta, "float32", 4096)
    fits = [reader.is_too_long(reader.encode_text("a" * n)) for n in (126, 127)]
    assert fits == [False, True]
    assert open_classifier(deberta, "float32", 20).is_too_long(reader.encode_text("a" * 19))


def test_vectors_are_means_without_padding(tiny_folder: Path) -> None:
    """One text's vector by hand, and the same in a padded batch."""
    reader = open_encoder(tiny_folder, "float32", 4096)
    texts = [reader.encode_text(text) for text in ("Paris", "The capital of France is Paris")]
    vectors = reader.read(texts, 2, mean_vector)
    model: Any = reader.model
    states = model(input_ids=torch.tensor([texts[0]["input_ids"]])).last_hidden_state[0].mean(0)
    torch.testing.assert_close(vectors[0], states / states.norm())
    torch.testing.assert_close(reader.read(texts, 1, mean_vector), vectors)
    assert vectors.norm(dim=1).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    "names, label, column",
    [({0: "LABEL_0"}, None, 0), ({0: "bad", 1: "good"}, "good", 1)],
)
def test_which_logit_is_the_score(names: dict[int, str], label: str, column: int) -> None:
    assert label_column(PretrainedConfig(id2label=names), label) == column


@pytest.mark.parametrize("label", [None, "god"])
def test_a_label_must_be_one_of_the_models(label: str | None) -> None:
    with pytest.raises(ConfigError, match="has the labels bad, good.*Cure") as caught:
        label_column(PretrainedConfig(id2label={0: "bad", 1: "good"}), label)
    assert ("Did you mean 'good'" in str(caught.value)) == (label == "god")


@pytest.mark.parametrize("load", [load_classifier, load_encoder])
def test_an_empty_folder_is_named(load: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no config.json"):
        load(tmp_path, "float32")


def test_a_head_that_would_be_random_is_named(tiny_folder: Path) -> None:
    with pytest.raises(UserError, match=r"1 weights are missing \(score.weight.*classifier"):
        load_classifier(tiny_folder, "float32")


def test_a_reader_needs_something_to_pad_with(llama: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(llama)
    tokenizer.pad_token = tokenizer.eos_token = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="neither a padding nor an end token.*Cure"):
        Reader.of(load_classifier(llama, "float32"), tmp_path, 64)
