"""What torch.compile needs is told in time. That it changes no gradient: stages/test_train."""

import pytest
from transformers import PreTrainedModel

from tuna_exp.errors import ConfigError
from tuna_exp.models.compiling import check_compiler, compile_layers
from tuna_exp.models.loading import load_model
from tuna_exp.models.tiny import TinyModel


def test_a_missing_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match="model.compile=true .*no-such-compiler.*model.compile=f"):
        check_compiler()


def test_a_model_without_named_layers_is_told(tiny_folder: object) -> None:
    model: PreTrainedModel = load_model(TinyModel().resolve())
    model._no_split_modules = None
    with pytest.raises(ConfigError, match="model.compile=true: llama does not name its layers"):
        compile_layers(model)
