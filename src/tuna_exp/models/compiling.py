"""A model's decoder layers under torch.compile: small operations are fused, fewer results are kept.

All layers share the code that the first one is compiled to. Our block attention stays out of it: it
is a few large products already, and its shapes change with every batch.
Left out: the vocabulary head, which `losses.head` computes in chunks.
"""

import os
import shutil
from typing import Any

import torch
from transformers import AttentionInterface, PreTrainedModel

from tuna_exp.batching.attention import BLOCKS, attend
from tuna_exp.errors import ConfigError

_COMPILERS = ("g++", "clang++")


def check_compiler() -> None:
    """Raise ConfigError where nothing is there to compile with."""
    if torch.cuda.is_available():
        return  # torch's CUDA builds bring Triton
    wanted = [os.environ["CXX"]] if "CXX" in os.environ else _COMPILERS
    if not any(map(shutil.which, wanted)):
        raise ConfigError(
            f"model.compile=true needs a C++ compiler and there is none ({', '.join(wanted)}). "
            "Cure: install g++, or name one in the environment variable CXX, or "
            "model.compile=false."
        )


def compile_layers(model: PreTrainedModel) -> None:
    """Compile every decoder layer in place, for batches of any size; names of weights stay.

    Nothing happens before the first batch. A layer that cannot be compiled runs as it is, with a
    warning. Raises ConfigError where the model does not say what its layers are.
    """
    names = set(getattr(model, "_no_split_modules", None) or ())
    layers = [module for module in model.modules() if type(module).__name__ in names]
    if not layers:
        raise ConfigError(
            f"model.compile=true: {model.config.model_type} does not name its layers "
            "(_no_split_modules). Cure: model.compile=false."
        )
    dynamo: Any = torch._dynamo
    dynamo.config.suppress_errors = True
    AttentionInterface.register(BLOCKS, torch.compiler.disable(attend))
    for layer in layers:
        layer.compile(dynamic=True)
