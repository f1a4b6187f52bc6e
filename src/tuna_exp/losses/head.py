"""Log-probabilities of given tokens from hidden states, without all their logits at once.

Logits exist for one chunk of tokens at a time, and are computed again in the backward pass. Those
of the first tokens are kept: a micro-batch of no more response tokens computes none twice.
Memory grows with the chunk, not with tokens x vocabulary. On a GPU two fused kernels may stand in
for ours, where their packages are installed.
Left out: sharding the vocabulary over devices.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tuna_exp.errors import ConfigError, nearest

CHUNK = 512  # tokens whose logits exist at one time: bounds memory, not the result
KEPT = 1024  # tokens whose logits wait for the backward pass


class HeadLogps(torch.autograd.Function):
    """log softmax(softcap(h W^T + b)) at one target per token.

    Products are in the dtype of the hidden states; the weights may be in a wider one, which their
    gradient then has: many small terms, and their sum over micro-batches, are lost in bfloat16.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_TD: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        target_T: Tensor,
        softcap: float | None,
    ) -> Tensor:
        """Return log-probabilities in nats, (T,), in float32 or wider."""
        weight_VD, bias_V = in_dtype_of(hidden_TD, weight_VD), in_dtype_of(hidden_TD, bias_V)
        chosen, normaliser, kept = [], [], []
        for part in parts(len(target_T)):
            logits = capped(raw_logits(hidden_TD[part], weight_VD, bias_V), softcap)
            wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
            normaliser.append(wide.logsumexp(1))
            chosen.append(wide.gather(1, target_T[part].unsqueeze(1)).squeeze(1))
            if part.stop <= KEPT:
                kept.append(logits)
        normaliser_T = torch.cat(normaliser)
        ctx.save_for_backward(hidden_TD, weight_VD, bias_V, target_T, normaliser_T, *kept)
        ctx.softcap = softcap
        return torch.cat(chosen) - normaliser_T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_T: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of hidden_TD, weight_VD and bias_V."""
        hidden_TD, weight_VD, bias_V, target_T, normaliser_T, *kept = ctx.saved_tensors
        wide = grad_T.dtype
        grad_hidden_TD = torch.empty_like(hidden_TD)
        _, trains_weight, trains_bias, *_ = ctx.needs_input_grad
        grad_weight_VD = torch.zeros_like(weight_VD, dtype=wide) if trains_weight else None
        grad_bias_V = torch.zeros_like(bias_V, dtype=wide) if trains_bias else None
        # One place for the gradients of all chunks: new memory costs more than filling it.
        place_TV = grad_T.new_empty(min(CHUNK, len(grad_T)), len(weight_VD))
        for number, part in enumerate(parts(len(target_T))):
            if number < len(kept):
                logits = kept[number]
            else:
                logits = capped(raw_logits(hidden_TD[part], weight_VD, bias_V), ctx.softcap)
            where = (normaliser_T[part], target_T[part], grad_T[part])
            grad_logits = logits_gradient(logits, *where, ctx.softcap, place_TV[: len(logits)])
            grad_hidden_TD[part] = grad_logits @ weight_VD
            if grad_weight_VD is not None:
                add_product(grad_weight_VD, grad_logits, hidden_TD[part])
            if grad_bias_V is not None:
                grad_bias_V += grad_logits.sum(0, dtype=wide)
        return grad_hidden_TD, grad_weight_VD, grad_bias_V, None, None


def in_dtype_of(hidden_TD: Tensor, weight: Tensor | None) -> Any:
    """Return weights in the dtype of the hidden states, or None for none."""
    return None if weight is None else weight.to(hidden_TD.dtype)


def parts(tokens: int) -> Iterator[slice]:
    """Yield the chunks of so many tokens."""
    return (slice(start, min(start + CHUNK, tokens)) for start in range(0, tokens, CHUNK))


def raw_logits(hidden_TD: Tensor, weight_VD: Tensor, bias_V: Tensor | None) -> Tensor:
    """Return the logits of a chunk, (T, V)."""
    return torch.nn.functional.linear(hidden_TD, weight_VD, bias_V)


def capped(logits_TV: Tensor, softcap: float | None) -> Tensor:
    """Return softcap * tanh(logits / softcap), (T, V), as Gemma 2 bounds its logits (section 2)."""
    return softcap * torch.tanh(logits_TV / softcap) if softcap else logits_TV


def logits_gradient(
    logits_TV: Tensor,
    normaliser_T: Tensor,
    target_T: Tensor,
    grad_T: Tensor,
    softcap: float | None,
    place_TV: Tensor,
) -> Tensor:
    """Return d loss / d logits before the cap, (T, V): grad * (one-hot(target) - softmax).

    It is computed in `place_TV`, of the dtype of `grad_T`.
    """
    wide = logits_TV.to(grad_T.dtype)
    torch.sub(wide, normaliser_T.unsqueeze(1), out=place_TV)
    gradient_TV = place_TV.exp_().mul_(-grad_T.unsqueeze(1))
    gradient_TV.scatter_add_(1, target_T.unsqueeze(1), grad_T.unsqueeze(1))
    if softcap:
        gradient_TV.mul_(1 - (wide / softcap) ** 2)
    return gradient_TV.to(logits_TV.dtype)


def add_product(total_VD: Tensor, left_TV: Tensor, right_TD: Tensor) -> None:
    """Add left^T right to a total of shape (V, D)."""
    if left_TV.dtype == total_VD.dtype:
        total_VD.addmm_(left_TV.t(), right_TD)
    else:
        total_VD.add_(left_TV.t() @ right_TD)


Head = Callable[[Tensor, Tensor, Tensor | None, Tensor, float | None], Tensor]


def chunked(
    hidden_TD: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor | None,
    target_T: Tensor,
    softcap: float | None,
) -> Tensor:
    """Return log-probabilities (T,) by `HeadLogps`."""
    apply: Callable[..., Tensor] = HeadLogps.apply
    return apply(hidden_TD, weight_VD, bias_V, target_T, softcap)


def cut_cross_entropy(
    hidden_TD: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor | None,
    target_T: Tensor,
    softcap: float | None,
) -> Tensor:
    """Return log-probabilities (T,) by Apple's kernel (Wijmans et al., arXiv 2411.09009)."""
    from cut_cross_entropy import linear_cross_entropy

    if bias_V is not None:
        return chunked(hidden_TD, weight_VD, bias_V, target_T, softcap)
    # filter_eps would leave small gradients out.
    options = {"softcap": softcap, "reduction": "none", "filter_eps": None}
    loss: Tensor = linear_cross_entropy(
        hidden_TD, in_dtype_of(hidden_TD, weight_VD), target_T, **options
    )
    return -loss.float()


def liger(
    hidden_TD: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor | None,
    target_T: Tensor,
    softcap: float | None,
) -> Tensor:
    """Return log-probabilities (T,) by Liger's kernel (Hsu et al., arXiv 2410.10989)."""
    from liger_kernel.transformers.functional import liger_fused_linear_cross_entropy

    options = {"softcap": softcap, "reduction": "none", "accum_dtype": torch.float32}
    weight_VD, bias_V = in_dtype_of(hidden_TD, weight_VD), in_dtype_of(hidden_TD, bias_V)
    loss: Tensor = liger_fused_linear_cross_entropy(
        hidden_TD, weight_VD, target_T, bias_V, **options
    )
    return -loss.float()


HEADS: dict[str, Head] = {
    "chunked": chunked,
    "cut_cross_entropy": cut_cross_entropy,
    "liger": liger,
}
# Before 0.8.5 Liger multiplied every token's gradient by the first one's.
_PACKAGES = {"cut_cross_entropy": "cut-cross-entropy", "liger": "liger-kernel>=0.8.5"}
_MODULES = {"cut_cross_entropy": "cut_cross_entropy", "liger": "liger_kernel"}


def check_head(name: str) -> None:
    """Raise ConfigError where a head is not one of ours or can't be used here."""
    if name not in HEADS:
        raise ConfigError(
            f"objective.head={name}; allowed are {', '.join(HEADS)}.{nearest(name, HEADS)}"
        )
    if name == "chunked":
        return
    if find_spec(_MODULES[name]) is None:
        raise ConfigError(
            f"objective.head={name}: its package is not installed. Cure: pip install "
            f"'{_PACKAGES[name]}', or objective.head=chunked."
        )
    if not torch.cuda.is_available():
        raise ConfigError(
            f"objective.head={name} needs a GPU and there is none. Cure: objective.head=chunked."
        )
