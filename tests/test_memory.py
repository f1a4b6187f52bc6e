"""Keeping freed memory: blocks come back without new pages."""

import resource

import torch

from tuna_exp.memory import keep_freed_memory


def test_a_freed_block_is_reused() -> None:
    """Ten blocks of 40 MB one after another: 10,240 pages the first time, next to none after."""
    keep_freed_memory()
    torch.ones(10_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(9):
        torch.ones(10_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 10_000
