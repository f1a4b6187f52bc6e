"""From a local Hugging Face folder to a tokenizer and a model, with failures said in one screen."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tuna_exp.errors import ConfigError, UserError, nearest
from tuna_exp.models.sources import missing_part

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_FAILURES = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)
# Layer types of transformers' configurations in which every token sees every earlier one.
_FULL_ATTENTION = frozenset({"full_attention", "attention", "global_attention"})
_RECURRENT = frozenset(
    {"mamba", "mamba2", "falcon_mamba", "falcon_h1", "jamba", "zamba", "zamba2", "bamba", "rwkv"}
    | {"recurrent_gemma", "xlstm", "granitemoehybrid", "nemotron_h", "lfm2"}
)


def load_tokenizer(folder: Path, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a local folder. Raises UserError where it has none that loads."""
    _check_folder(folder)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trust_remote_code
        )
    except Exception as failure:
        # The tokenizers library raises Exception itself where a file is not what it should be.
        raise _failure("tokenizer", folder, failure) from failure
    return tokenizer


def load_config(folder: Path) -> PretrainedConfig:
    """Load a model's configuration. Raises UserError where there is none that loads."""
    _check_folder(folder)
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except _FAILURES as failure:
        raise _failure("configuration", folder, failure) from failure
    return config


def load_model(
    folder: Path,
    dtype: str = "float32",
    attn_implementation: str = "sdpa",
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """Load a causal language model from safetensors, in evaluation mode, on the CPU.

    Raises ConfigError for an unknown dtype and UserError where the folder does not load.
    """
    model, missing = _pretrained(
        AutoModelForCausalLM,
        folder,
        dtype,
        attn_implementation=attn_implementation,
        trust_remote_code=trust_remote_code,
    )
    _check_weights(folder, missing, "causal language model")
    return model


def load_classifier(folder: Path, dtype: str, new_head: bool = False) -> PreTrainedModel:
    """Load a sequence classifier from safetensors, in evaluation mode, on the CPU.

    With `new_head` any decoder's or encoder's folder does: its head gives one number and is drawn
    from torch's random numbers. A folder's own code is never run. Raises as `load_model`.
    """
    options: dict[str, Any] = {"trust_remote_code": False}
    options |= {"num_labels": 1} if new_head else {}
    model, missing = _pretrained(AutoModelForSequenceClassification, folder, dtype, **options)
    body = f"{model.base_model_prefix}."
    lacking = [name for name in missing if name.startswith(body) or not new_head]
    _check_weights(folder, lacking, "sequence classifier")
    return model


def load_encoder(folder: Path, dtype: str) -> PreTrainedModel:
    """Load a model without its head from safetensors, in evaluation mode, on the CPU.

    Raises as `load_model`. Weights of a pooling layer may be missing: it is not used.
    """
    model, missing = _pretrained(AutoModel, folder, dtype, trust_remote_code=False)
    lacking = [name for name in missing if not name.startswith("pooler.")]
    _check_weights(folder, lacking, "encoder")
    return model


def _pretrained(
    kind: Any, folder: Path, dtype: str, **options: Any
) -> tuple[PreTrainedModel, Collection[str]]:
    """Model of one of transformers' auto classes and the names of weights it was not given."""
    if dtype not in DTYPES:
        raise ConfigError(
            f"model.dtype={dtype} is not one of {', '.join(DTYPES)}.{nearest(dtype, DTYPES)}"
        )
    _check_parts(folder)
    try:
        model, report = kind.from_pretrained(
            folder,
            use_safetensors=True,
            output_loading_info=True,
            dtype=DTYPES[dtype],
            **options,
        )
    except _FAILURES as failure:
        raise _failure("model", folder, failure) from failure
    return model.eval(), report["missing_keys"]


def _check_parts(folder: Path) -> None:
    _check_folder(folder)
    missing = missing_part(folder)
    if missing is not None:
        raise UserError(f"model folder {folder}: {missing}. Cure: give a complete folder.")


def _check_weights(folder: Path, missing: Collection[str], kind: str) -> None:
    if missing:
        raise UserError(
            f"model folder {folder}: {len(missing)} weights are missing ({min(missing)}, ...); "
            f"they would be random. Cure: give a folder with a whole {kind}."
        )


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(
            f"model folder {folder} does not exist. Cure: give model.name=FOLDER a folder in "
            "Hugging Face layout, or a Hub id."
        )


def _failure(what: str, folder: Path, failure: Exception) -> UserError:
    lines = str(failure).strip().splitlines() or [type(failure).__name__]
    cure = (
        "Cure: set model.trust_remote_code=true if you trust its code."
        if "trust_remote_code" in str(failure)
        else "Cure: see that the folder is whole and in Hugging Face layout, that "
        "model.attn_implementation (sdpa, eager) suits it, and that transformers knows its type."
    )
    return UserError(f"{what} in {folder} does not load: {lines[0]} {cure}")


def supports_prompt_sharing(config: PretrainedConfig) -> str | None:
    """Return why several responses cannot share one prompt in a packed row, or None if they can.

    Sharing rests on a mask and on position numbers. A recurrent layer has no mask, ALiBi counts
    distances itself, and a sliding window counts columns of the row, not positions.
    """
    text: Any = config.get_text_config()
    if getattr(config, "is_encoder_decoder", False):
        return f"{config.model_type} is an encoder-decoder"
    if text.model_type in _RECURRENT or getattr(text, "ssm_cfg", None) is not None:
        return f"{text.model_type} has recurrent layers"
    if text.model_type in {"bloom", "mpt"} or getattr(text, "alibi", False):
        return f"{text.model_type} uses ALiBi position biases"
    return _partial_attention(text)


def _partial_attention(config: Any) -> str | None:
    kinds = getattr(config, "layer_types", None) or getattr(config, "layers_block_type", None)
    if kinds is None:
        kinds = ["sliding_attention"] * bool(getattr(config, "use_sliding_window", True))
    partial = set(kinds) - _FULL_ATTENTION
    if not _has_window(config):
        partial.discard("sliding_attention")
    return f"{config.model_type} has layers of {', '.join(sorted(partial))}" if partial else None


def _has_window(config: Any) -> bool:
    """Whether a sliding window is set and narrower than the longest text."""
    window = getattr(config, "sliding_window", None)
    longest = getattr(config, "max_position_embeddings", None)
    return window is not None and (longest is None or window < longest)
