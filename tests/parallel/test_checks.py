"""Strategies that cannot work are told in words, before anything is loaded."""

import re

import pytest

from tuna_exp.composing import loading
from tuna_exp.errors import ConfigError
from tuna_exp.models.loading import load_config
from tuna_exp.models.tiny import TinyModel
from tuna_exp.parallel import checks
from tuna_exp.parallel.sharding import layer_plan

TWO = "trainer.devices=2"


@pytest.mark.parametrize(
    "overrides, words",
    [
        (TWO, "strategy=single trains on one device.*Cure: strategy=ddp"),
        ("strategy=fsdp2", "fsdp2 on one device has nothing to share out.*Cure"),
        (f"strategy=fsdp2 {TWO} trainer.precision=16-mixed", "16-mixed with strategy=fsdp2.*bf16"),
        (f"strategy=fsdp2 {TWO} strategy.tensor_parallel_size=3", "=3 does not divide the 2"),
        (f"strategy=fsdp2 {TWO} strategy.tensor_parallel_size=2 lora=lora", "with lora.*Cure"),
        (f"strategy=ddp {TWO} trainer.num_nodes=2", "nothing has started processes.*torchrun"),
        ("strategy=deepspeed_zero2 +trainer.gradient_clip_algorithm=value", "by norm alone.*Cure"),
        ("strategy=deepspeed_zero2", "deepspeed.*not installed.*Cure: pip install"),
        ("strategy=deepspeed_zero3", "deepspeed.*not installed.*Cure: pip install"),
        ("strategy=deepspeed_zero3_offload", "deepspeed.*not installed.*Cure: pip install"),
    ],
)
def test_what_cannot_work_is_told(
    overrides: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    with loading(None) as configs:
        config = configs.compose(overrides.split())
    with pytest.raises(ConfigError) as told:
        checks.check_strategy(config)
    assert re.search(words, str(told.value))


def test_launched_processes_must_be_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with loading(None) as configs:
        config = configs.compose(["strategy=ddp", TWO])
        with pytest.raises(ConfigError, match="4 processes were started.*trains in 2"):
            checks.check_strategy(config)
        checks.check_strategy(configs.compose(["strategy=ddp", TWO, "trainer.num_nodes=2"]))


def test_heads_that_cannot_be_divided_are_told() -> None:
    config = load_config(TinyModel().resolve())
    assert layer_plan(config, 2)["self_attn.q_proj"] == "colwise"
    with pytest.raises(ConfigError, match="does not divide num_attention_heads=4"):
        layer_plan(config, 3)
    config.base_model_tp_plan = None
    with pytest.raises(ConfigError, match="transformers has no plan.*Cure"):
        layer_plan(config, 2)
