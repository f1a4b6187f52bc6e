"""Strategies that cannot work as they are asked for, told before anything is loaded."""

from importlib.util import find_spec

from omegaconf import DictConfig

from tuna_exp.errors import ConfigError
from tuna_exp.parallel.launched import device_count, launched

_HALF = ("16-mixed", "16", 16)


def check_strategy(config: DictConfig) -> None:
    """Raise ConfigError where strategy, devices, nodes and launcher do not go together."""
    strategy = str(config.strategy.get("_target_", "")).rpartition(".")[2]
    devices, nodes = config.trainer.devices, config.trainer.num_nodes
    count = device_count(devices)
    asked = f"trainer.devices={devices} trainer.num_nodes={nodes}"
    single = strategy == "one_device" and config.trainer.strategy == config.strategy
    if single and (count or 1) * nodes > 1:
        raise ConfigError(
            f"strategy=single trains on one device, and {asked} is more. Cure: strategy=ddp, or "
            "trainer.devices=1 trainer.num_nodes=1."
        )
    if nodes > 1 and launched() == 1:
        raise ConfigError(
            f"{asked}: nothing has started processes on {nodes} machines. Cure: the same command "
            "on each by `torchrun --nnodes N --nproc-per-node M -m tuna_exp ...`, or by srun with "
            "--ntasks-per-node=M, or trainer.num_nodes=1."
        )
    if launched() > 1 and count is not None and launched() != count * nodes:
        raise ConfigError(
            f"{launched()} processes were started, and {asked} trains in {count * nodes}. Cure: "
            f"trainer.devices=N trainer.num_nodes=M whose product is {launched()}, and a strategy."
        )
    if strategy == "FSDP2":
        _check_fsdp2(config, count)
    if strategy == "DeepSpeed":
        _check_deepspeed(config)


def _check_fsdp2(config: DictConfig, count: int | None) -> None:
    if config.trainer.precision in _HALF:
        raise ConfigError(
            f"trainer.precision={config.trainer.precision} with strategy=fsdp2: its gradients are "
            "not scaled there. Cure: trainer.precision=bf16-mixed, 32-true, bf16-true or 16-true."
        )
    if count is None:
        return
    processes = count * config.trainer.num_nodes
    if processes < 2:
        raise ConfigError(
            "strategy=fsdp2 on one device has nothing to share out. Cure: trainer.devices=2 or "
            "more, or strategy=single."
        )
    tensor = config.strategy.tensor_parallel_size
    if processes % tensor:
        raise ConfigError(
            f"strategy.tensor_parallel_size={tensor} does not divide the {processes} processes of "
            "the training. Cure: a size that does."
        )
    if tensor > 1 and config.lora:
        raise ConfigError(
            f"strategy.tensor_parallel_size={tensor} with lora: adapters cannot be shared out so. "
            "Cure: strategy.tensor_parallel_size=1, or lora=none."
        )


def _check_deepspeed(config: DictConfig) -> None:
    if config.trainer.get("gradient_clip_algorithm") == "value":
        raise ConfigError(
            "trainer.gradient_clip_algorithm=value with strategy=deepspeed_...: it clips by norm "
            "alone. Cure: trainer.gradient_clip_algorithm=norm, or strategy=fsdp2."
        )
    if find_spec("deepspeed") is None:
        raise ConfigError(
            "strategy=deepspeed_...: its package is not installed. Cure: pip install "
            "'tuna_exp[deepspeed]', or strategy=fsdp2."
        )
