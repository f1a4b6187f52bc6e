from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tuna_exp.models.export import export
from tuna_exp.models.lora import Lora

IDS = torch.arange(3, 40)[None]


def test_export_loads_with_equal_values(
    model: PreTrainedModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    export(model, tokenizer, tmp_path)
    loaded, again = AutoModelForCausalLM.from_pretrained(tmp_path), model.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in loaded.state_dict().items())
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    assert AutoTokenizer.from_pretrained(tmp_path).chat_template == tokenizer.chat_template
    assert not list(tmp_path.glob("*.bin"))


def test_merged_export_says_what_the_adapted_model_says(
    model: PreTrainedModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    base = model(IDS).logits
    adapted = Lora(rank=4, alpha=8).apply(model)
    for name, value in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.05)
    before = adapted(IDS).logits
    export(adapted, tokenizer, tmp_path)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path)(IDS).logits
    assert (before - base).abs().max() > 1e-3
    torch.testing.assert_close(merged, before, atol=1e-5, rtol=0)


def test_adapted_model_can_be_trained_on_after_export(
    model: PreTrainedModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    adapted = Lora(rank=4, alpha=8).apply(model)
    before = {name: value.clone() for name, value in adapted.named_parameters()}
    export(adapted, tokenizer, tmp_path)
    after = dict(adapted.named_parameters())
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any(value.requires_grad for value in after.values())


def test_untied_embeddings_stay_two(
    model: PreTrainedModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model.config.tie_word_embeddings = False
    head = torch.nn.Parameter(model.lm_head.weight.detach() + 1)
    model.lm_head.weight = head
    export(model, tokenizer, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(loaded.lm_head.weight, head)
    assert not torch.equal(loaded.model.embed_tokens.weight, head)


def test_temperature_without_sampling_does_not_stop_the_export(
    model: PreTrainedModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    assert model.generation_config is not None
    model.generation_config.temperature = 0.9
    export(model, tokenizer, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).generation_config
    assert (loaded.temperature, loaded.do_sample) == (0.9, True)
