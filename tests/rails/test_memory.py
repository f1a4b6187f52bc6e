"""How much smaller a micro-batch has to be, by hand."""

import pytest
import torch

from tuna_exp.errors import is_out_of_memory
from tuna_exp.rails.memory import Footprint, advice, machine_bytes

GIB = 2**30


@pytest.mark.parametrize(
    "positions, longest, gib, told",
    [
        (4096, 512, (2, 10, 4), "micro_batch_positions=1024 instead of 4096"),
        (4096, 512, (2, 5, 4), "micro_batch_positions=2048 instead of 4096"),
        (1000, 100, (2, 10, 4), "micro_batch_positions=192 instead of 1000"),
        (4096, 2000, (2, 10, 4), "longest example alone has 2000 positions"),
        (4096, 512, (6, 6, 4), "alone take 6.0 GiB of 4.0"),
    ],
)
def test_what_is_advised(
    positions: int, longest: int, gib: tuple[int, int, int], told: str
) -> None:
    """Beside 2 GiB fixed, 8 are used and 2 are there: a quarter. Never less than halved.

    1000 / 4 = 250 positions, down to a multiple of 64.
    """
    fixed, peak, limit = (GIB * each for each in gib)
    assert told in advice(positions, longest, Footprint(fixed, peak, limit))


def test_the_fixed_part_of_a_model() -> None:
    """6 weights of 4 bytes with gradient and two of Adam's numbers each, and 2 frozen ones."""
    model = torch.nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    footprint = Footprint.of(model)
    assert footprint.fixed == 6 * 4 * 4 + 2 * 4
    assert footprint.peak > 0 and GIB / 4 < footprint.limit <= 2**50
    assert machine_bytes() > GIB / 4


def test_what_an_allocator_says_is_known() -> None:
    """Asked for 2^60 bytes, as torch really refuses it."""
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(type("OutOfMemoryError", (Exception,), {})("no room"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
