"""A trained model as a plain Hugging Face folder that loads without this package or peft."""

import copy
from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase


def export(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write model and tokenizer into `folder`: safetensors, config, chat template.

    Low-rank adapters are merged in a copy, so the model can be trained on; that takes the memory
    of the model once more. Tied embeddings are written once.
    """
    plain: Any = model
    if isinstance(model, PeftModel):
        plain = copy.deepcopy(model).merge_and_unload()
    _mend_generation(plain)
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _mend_generation(model: Any) -> None:
    # Published models come with a temperature but no do_sample; transformers refuses to write that.
    try:
        model.generation_config.validate(strict=True)
    except ValueError:
        model.generation_config.do_sample = True
