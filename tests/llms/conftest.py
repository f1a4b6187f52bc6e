"""The tiny model as an LLM, loaded once per file."""

from pathlib import Path

import pytest
import torch

from tuna_exp.llms.hugging_face import HuggingFaceLLM, HuggingFaceSampler, OpenHuggingFaceLLM
from tuna_exp.models.student import Folder


@pytest.fixture(scope="module")
def opened(tiny_folder: Path) -> OpenHuggingFaceLLM:
    """With larger weights: as it is made, a token is followed by itself whatever came before."""
    llm = HuggingFaceLLM(
        Folder(tiny_folder), "chat", None, (), False, HuggingFaceSampler("float32", "sdpa")
    ).open()
    with torch.no_grad():
        for name, weight in llm.model.named_parameters():
            if weight.ndim == 2:
                weight.mul_(12 if ".layers." in name else 6)
    return llm
