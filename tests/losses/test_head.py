"""The head: the same log-probabilities and gradients as all logits at once, whatever the chunk."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tuna_exp.errors import ConfigError
from tuna_exp.losses import head as heads
from tuna_exp.losses import likelihood
from tuna_exp.losses.head import check_head
from tuna_exp.losses.likelihood import head_logps

CHUNKS = st.sampled_from([1, 2, 3, 100])
KEPT = st.sampled_from([0, 3, 100])


class Wrapped(nn.Module):
    """A head that is no plain linear layer, as one with adapters."""

    def __init__(self, inner: nn.Linear) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, hidden: Tensor) -> Tensor:
        out: Tensor = self.inner(hidden)
        return out


def plain(head: nn.Linear, hidden: Tensor, target: Tensor, softcap: float | None) -> Tensor:
    logits = head(hidden)
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    picked: Tensor = logits.log_softmax(1)[torch.arange(len(target)), target]
    return picked


@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("wrap", [False, True])
@given(tokens=st.integers(1, 7), chunk=CHUNKS, kept=KEPT, seed=st.integers(0, 99))
def test_chunks_equal_all_logits_at_once(
    wrap: bool, bias: bool, softcap: float | None, tokens: int, chunk: int, kept: int, seed: int
) -> None:
    torch.manual_seed(seed)
    head = nn.Linear(5, 11, bias=bias).double()
    hidden = torch.randn(tokens, 5, dtype=torch.float64, requires_grad=True)
    target, weight = torch.randint(11, (tokens,)), torch.randn(tokens, dtype=torch.float64)
    wanted = [hidden, *head.parameters()]
    expected = plain(head, hidden, target, softcap)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "CHUNK", chunk)
        patch.setattr(heads, "KEPT", kept)
        patch.setattr(likelihood, "CHUNK", chunk)
        made = head_logps(Wrapped(head) if wrap else head, hidden, target, softcap)
        gradients = torch.autograd.grad((made * weight).sum(), wanted)
    torch.testing.assert_close(made, expected)
    torch.testing.assert_close(gradients, torch.autograd.grad((expected * weight).sum(), wanted))


def test_bfloat16_is_close_and_given_in_float32() -> None:
    """bfloat16 keeps 8 bits: logits of size 1 are off by up to 2^-8, log-probabilities alike."""
    torch.manual_seed(0)
    head = nn.Linear(64, 50, bias=False)
    hidden, target = torch.randn(9, 64, requires_grad=True), torch.randint(50, (9,))
    with torch.autocast("cpu", torch.bfloat16):
        made = head_logps(head, hidden, target, None)
    made.sum().backward()
    assert made.dtype == torch.float32 and head.weight.grad is not None
    torch.testing.assert_close(made, plain(head, hidden, target, None), rtol=0, atol=0.03)
    assert head.weight.grad.dtype == torch.float32


def test_a_frozen_head_gets_no_gradient() -> None:
    head = nn.Linear(4, 6, bias=False).requires_grad_(False)
    hidden = torch.randn(3, 4, requires_grad=True)
    head_logps(head, hidden, torch.tensor([0, 1, 2]), None).sum().backward()
    assert hidden.grad is not None and head.weight.grad is None


@pytest.mark.parametrize("name", ["cut_cross_entropy", "liger"])
def test_a_kernel_that_is_not_there_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match=f"objective.head={name}.*Cure: .*objective.head=chunked"):
        check_head(name)


def test_an_unknown_head_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="objective.head=chunk; .*chunked"):
        check_head("chunk")
    check_head("chunked")
