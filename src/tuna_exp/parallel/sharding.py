"""A model shared out over processes by FSDP2 and tensor parallelism, and put together again.

Every decoder layer is a unit that is gathered when it is computed; what is outside of them
(embedding, last norm, head) is the root's. Log-probabilities are made in a method of the root, as
the head's weights are used without calling the head. Tensor parallelism follows the plan that
transformers has for a model's layers; embedding and head are on every process.
Left out: sequence parallelism, and loading that never holds the whole model in one process.
"""

from collections.abc import Iterable, Mapping
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    RowwiseParallel,
    parallelize_module,
)
from transformers import PretrainedConfig, PreTrainedModel

from tuna_exp.batching.batch import RankedBatch
from tuna_exp.errors import ConfigError
from tuna_exp.losses.head import Head
from tuna_exp.losses.likelihood import token_logps

_STYLES: Mapping[str, type[ParallelStyle]] = {
    "colwise": ColwiseParallel,
    "rowwise": RowwiseParallel,
}


def shard(model: PreTrainedModel, mesh: DeviceMesh) -> None:
    """Share out a model in place over a mesh of data-parallel and tensor-parallel processes."""
    layers = decoder_layers(model)
    tensor_mesh = mesh["tensor_parallel"]
    if tensor_mesh.size() > 1:
        plan = layer_plan(model.config, tensor_mesh.size())
        for layer in layers:
            parallelize_module(layer, tensor_mesh, {n: _STYLES[s]() for n, s in plan.items()})
    data_mesh = mesh["data_parallel"]
    for layer in layers:
        fully_shard(layer, mesh=data_mesh)
    fully_shard(model, mesh=data_mesh)
    rooted: Any = model
    rooted.response_logps = MethodType(token_logps, model)
    register_fsdp_forward_method(model, "response_logps")


def sharded_logps(model: PreTrainedModel, batch: RankedBatch, head: Head) -> Tensor:
    """Return log-probabilities of response tokens, (T,), by a model that is shared out."""
    rooted: Any = model
    logp_T: Tensor = rooted.response_logps(batch, head)
    return logp_T


def decoder_layers(model: PreTrainedModel) -> list[nn.Module]:
    """Return a model's decoder layers. Raises ConfigError where it does not say what they are."""
    names = set(getattr(model, "_no_split_modules", None) or ())
    layers = [module for module in model.modules() if type(module).__name__ in names]
    if not layers:
        raise ConfigError(
            f"strategy=fsdp2: {model.config.model_type} does not name its layers "
            "(_no_split_modules). Cure: strategy=ddp."
        )
    return layers


def layer_plan(config: PretrainedConfig, size: int) -> dict[str, str]:
    """Return how each linear part of a decoder layer is shared out, by its name in the layer.

    Raises ConfigError where transformers has no plan for the model, or its heads or its inner size
    cannot be divided by `size` processes.
    """
    text: Any = config.get_text_config()
    told = getattr(text, "base_model_tp_plan", None) or {}
    plan = {n.removeprefix("layers.*."): s for n, s in told.items() if n.startswith("layers.*.")}
    asked = f"strategy.tensor_parallel_size={size}"
    others = sorted({style for style in plan.values() if style not in _STYLES})
    if not plan or others:
        reason = f"its plan asks for {', '.join(others)}" if others else "transformers has no plan"
        raise ConfigError(
            f"{asked}: {text.model_type} cannot be shared out so: {reason}. "
            "Cure: strategy.tensor_parallel_size=1."
        )
    for name in ("num_attention_heads", "num_key_value_heads", "intermediate_size"):
        count = getattr(text, name, None)
        if count is not None and count % size:
            raise ConfigError(
                f"{asked} does not divide {name}={count} of this {text.model_type}. Cure: a size "
                "that does, or strategy.tensor_parallel_size=1."
            )
    return plan


@torch.no_grad()
def clip_by_norm(weights: Iterable[nn.Parameter], limit: float) -> None:
    """Scale gradients to a norm of at most `limit`, in place.

    torch's own function does not take gradients that are shared out over different meshes.
    """
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norms = [torch.linalg.vector_norm(gradient) for gradient in gradients]
    whole = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    scale = (limit / (torch.linalg.vector_norm(torch.stack(whole)) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(float(scale))


@torch.no_grad()
def whole_weights(model: nn.Module, keep: bool) -> dict[str, Tensor]:
    """Put a model's weights together again, on the CPU; all processes call it together.

    Only those with `keep` get them: it takes the memory of the whole model.
    """
    found: dict[str, Tensor] = {}
    for name, weight in _pieces(model):
        whole = weight.full_tensor() if isinstance(weight, DTensor) else weight
        if keep:
            found[name] = whole.detach().cpu().clone()
    return found


def _pieces(model: nn.Module) -> Any:
    """Yield names and weights; DeepSpeed's are whole while they are given, and as it trains them.

    Where a model computes in half precision those are others than the model's own: rounded.
    """
    if not any(map(_is_deepspeeds, model.parameters())):
        yield from model.state_dict().items()
        return
    import deepspeed
    from deepspeed.utils import safe_get_full_fp32_param

    for name, weight in model.named_parameters(remove_duplicate=False):
        with deepspeed.zero.GatheredParameters([weight], enabled=hasattr(weight, "ds_id")):
            trained = safe_get_full_fp32_param(weight) if weight.requires_grad else None
            yield name, weight if trained is None else trained
    saved = model.state_dict().keys()  # not every buffer is
    yield from ((name, buffer) for name, buffer in model.named_buffers() if name in saved)


def _is_deepspeeds(weight: nn.Parameter) -> bool:
    """Whether DeepSpeed has a weight shared out (stage 3), or keeps what it trains elsewhere."""
    return hasattr(weight, "ds_id") or hasattr(weight, "_hp_mapping")


def is_shared_out(model: nn.Module) -> bool:
    """Whether no process has all of the weights that were trained."""
    return any(isinstance(p, DTensor) or _is_deepspeeds(p) for p in model.parameters())


def numbers(weight: nn.Parameter) -> int:
    """Return how many numbers the whole of a weight has; of DeepSpeed's none may be here."""
    return int(getattr(weight, "ds_numel", weight.numel()))
