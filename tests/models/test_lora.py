import pytest
import torch
from transformers import PreTrainedModel

from tuna_exp.errors import ConfigError
from tuna_exp.models.lora import Lora


def test_only_adapters_are_trained(model: PreTrainedModel) -> None:
    """q_proj 64 -> 64 in each of 2 layers: A is 4 x 64 and B is 64 x 4."""
    adapted = Lora(rank=4, alpha=8, target_modules=["q_proj"]).apply(model)
    trained = [p.numel() for p in adapted.parameters() if p.requires_grad]
    assert sum(trained) == 2 * (4 * 64 + 64 * 4)


def test_fresh_adapters_change_nothing(model: PreTrainedModel) -> None:
    ids = torch.arange(10)[None]
    before = model(ids).logits
    assert torch.equal(Lora().apply(model)(ids).logits, before)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"target_modules": ["q_prj"]}])
def test_settings_that_peft_refuses_are_named(
    model: PreTrainedModel, wrong: dict[str, object]
) -> None:
    (name, value), *_ = wrong.items()
    with pytest.raises(ConfigError) as error:
        Lora(**wrong).apply(model)  # type: ignore[arg-type]
    assert f"{name}={value}" in str(error.value)
