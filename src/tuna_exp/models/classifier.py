"""Numbers for texts from a Hugging Face model: a classifier's logits, or an encoder's vectors.

Texts are batched by like length and never cut: what is too long is told. Left out: left padding and
caches; each text is read once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from tuna_exp.errors import ConfigError, nearest
from tuna_exp.models.loading import load_classifier, load_encoder, load_tokenizer
from tuna_exp.records import Instruction

# What a tokenizer makes of one text: input_ids and, for some models, token_type_ids.
Encoded = Mapping[str, list[int]]


@dataclass
class Reader:
    """A loaded model with its tokenizer; `max_length` is the most tokens that it is given."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_length: int

    @classmethod
    def of(cls, model: PreTrainedModel, folder: Path, max_length: int) -> Self:
        """Bring a model, its tokenizer and its padding together; the GPU is used if there is one.

        `max_length` is lowered to the model's context. Raises ConfigError where nothing can pad.
        """
        tokenizer = load_tokenizer(folder)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        if tokenizer.pad_token is None:
            raise ConfigError(
                f"the tokenizer in {folder} has neither a padding nor an end token. Cure: set "
                "pad_token in its tokenizer_config.json."
            )
        tokenizer.padding_side = "right"
        text: Any = model.config.get_text_config()
        # Decoders with a classifier's head look for the last token that is no padding.
        text.pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id
        context = getattr(text, "max_position_embeddings", None) or max_length
        movable: Any = model
        movable.to("cuda" if torch.cuda.is_available() else "cpu")
        longest = min(max_length, context, tokenizer.model_max_length)
        return cls(model, tokenizer, longest)

    def encode(self, instruction: Instruction, response: str) -> Encoded:
        """Return an instruction with its response: by the chat template, else as a pair of texts.

        Special tokens spelled out in them stay text where the template is used.
        """
        tokenizer: Any = self.tokenizer
        if tokenizer.chat_template is None:
            if tokenizer.sep_token is None:
                return self.encode_text(f"{instruction.text}\n\n{response}")
            return dict(tokenizer(instruction.text, response, verbose=False))
        turns = [
            {"role": "user", "content": instruction.text},
            {"role": "assistant", "content": response},
        ]
        ids = tokenizer.apply_chat_template(turns, tokenize=True, sanitize_control_tokens=True)
        return {"input_ids": list(ids["input_ids"])}

    def encode_text(self, text: str) -> Encoded:
        """Return a text with the special tokens that the model expects around it."""
        tokenizer: Any = self.tokenizer
        return dict(tokenizer(text, verbose=False))

    def is_too_long(self, encoded: Encoded) -> bool:
        """Whether the model would not be given all of it."""
        return len(encoded["input_ids"]) > self.max_length

    def padded(self, some: Sequence[Encoded]) -> dict[str, Tensor]:
        """Return tensors (P, L) of P texts, padded to the longest, with an attention mask."""
        keys = {"input_ids", "token_type_ids"}
        rows = [{k: v for k, v in one.items() if k in keys} for one in some]
        return dict(self.tokenizer.pad(rows, return_tensors="pt"))

    @torch.inference_mode()
    def read(
        self, texts: Sequence[Encoded], together: int, of: Callable[[Any, Tensor], Tensor]
    ) -> Tensor:
        """Return `of(output, attention_mask)`, (P, F) on the CPU; `together` texts at a time."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]["input_ids"]))
        found: dict[int, Tensor] = {}
        for start in range(0, len(order), together):
            part = order[start : start + together]
            inputs = {
                k: v.to(self.model.device) for k, v in self.padded([texts[i] for i in part]).items()
            }
            values_PF = of(self.model(**inputs), inputs["attention_mask"]).float().cpu()
            found |= dict(zip(part, values_PF, strict=True))
        return torch.stack([found[i] for i in range(len(texts))])


def open_classifier(folder: Path, dtype: str, max_length: int) -> Reader:
    """Load a sequence classifier; raises UserError where the folder does not load."""
    return Reader.of(load_classifier(folder, dtype), folder, max_length)


def open_encoder(folder: Path, dtype: str, max_length: int) -> Reader:
    """Load an encoder; raises UserError where the folder does not load."""
    return Reader.of(load_encoder(folder, dtype), folder, max_length)


def logits(output: Any, mask_PL: Tensor) -> Tensor:
    """Return a classifier's logits, (P, F)."""
    values_PF: Tensor = output.logits
    return values_PF


def mean_vector(output: Any, mask_PL: Tensor) -> Tensor:
    """Return the mean hidden state of each text, padding left out, scaled to length 1, (P, F)."""
    masked_PLF = output.last_hidden_state.float() * mask_PL.unsqueeze(2)
    # A mean and a sum have the same direction.
    return torch.nn.functional.normalize(masked_PLF.sum(1), dim=1)


def label_column(config: PretrainedConfig, label: str | None) -> int:
    """Return which logit is the score: the only one, or that of a label.

    Raises ConfigError where there are several and none is named, or there is none of that name.
    """
    names = {str(name): int(i) for i, name in (config.id2label or {}).items()}
    if label is None and len(names) == 1:
        return 0
    if label is None or label not in names:
        raise ConfigError(
            f"ranker.label={label}: the classifier has the labels {', '.join(names)}."
            f"{nearest(label or '', names)} Cure: ranker.label= one of them, or null where "
            "there is only one."
        )
    return names[label]
