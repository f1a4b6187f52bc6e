"""Out of memory: which setting to change, and by how much.

Left out: trying smaller micro-batches by itself. A training that fits by luck on one machine would
fail on the next, and the reader would never learn why it is slow.
"""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import Module

_ROUND = 64
_GIB = 2**30


@dataclass(frozen=True)
class Footprint:
    """Bytes: `fixed` of weights, gradients and optimizer, `peak` reached, `limit` there is.

    What grows with a micro-batch is the rest of the peak.
    """

    fixed: int
    peak: int
    limit: int

    @classmethod
    def of(cls, model: Module, optimizer_numbers: int = 2) -> "Footprint":
        """Measure a model in training; Adam keeps two numbers for each that is trained."""
        fixed = 0
        for weight in model.parameters():
            each = 2 + optimizer_numbers if weight.requires_grad else 1
            fixed += each * weight.numel() * weight.element_size()
        if torch.cuda.is_available():
            device = torch.cuda.current_device()
            limit = torch.cuda.get_device_properties(device).total_memory
            return cls(fixed, torch.cuda.max_memory_allocated(device), limit)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts KiB
        return cls(fixed, peak, machine_bytes())


def machine_bytes() -> int:
    """Return the memory that this process may use: of the machine, its container or its limit."""
    known = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    container = Path("/sys/fs/cgroup/memory.max")
    if container.exists() and (text := container.read_text(encoding="ascii").strip()).isdigit():
        known.append(int(text))
    own, _ = resource.getrlimit(resource.RLIMIT_AS)
    if own != resource.RLIM_INFINITY:
        known.append(own)
    return min(known)


def advice(positions: int, longest: int, footprint: Footprint) -> str:
    """Return what to change.

    `positions` are those of a micro-batch, `longest` those of the longest example, which cannot be
    split. A micro-batch is scaled to the room beside what is fixed, and at least halved: the peak
    that was reached is less than what was asked for.
    """
    room, used = footprint.limit - footprint.fixed, footprint.peak - footprint.fixed
    if room <= 0:
        return (
            f"weights, gradients and optimizer alone take {footprint.fixed / _GIB:.1f} GiB of "
            f"{footprint.limit / _GIB:.1f}. Cure: lora=lora, model.dtype=bfloat16, or a smaller "
            "model"
        )
    share = min(0.5, room / used) if used > 0 else 0.5
    fitting = max(int(positions * share) // _ROUND * _ROUND, _ROUND)
    if fitting >= longest:
        return (
            f"Cure: batching.micro_batch_positions={fitting} instead of {positions} (the result "
            "stays the same)"
        )
    return (
        f"the longest example alone has {longest} positions, more than the {fitting} that would "
        "fit. Cure: model.gradient_checkpointing=true (slower, the result stays the same), or "
        f"batching.max_length below {longest} with batching.on_too_long=truncate"
    )
