"""What a figure was measured on, and how fast that machine multiplies matrices at this moment."""

import os
import time
from functools import cache
from pathlib import Path

import torch
from pydantic import BaseModel

from experiments.speed.cases import Precision
from experiments.speed.memory import available
from tuna_exp.provenance import environment

_CPUINFO = Path("/proc/cpuinfo")
_TELLING = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_tile", "bf16", "sve")
_REPEATS = 3
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Machine(BaseModel):
    """The hardware and the versions of a report; `features` are those that decide bf16 and GEMM."""

    device: str
    processor: str
    cores: int
    features: list[str]
    free_gib: float
    versions: dict[str, object]


def device() -> str:
    """Return cuda where there is a GPU, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def describe() -> Machine:
    """Return this machine as a report states it."""
    facts = cpu_facts()
    on_gpu = device() == "cuda"
    flags = facts.get("flags", facts.get("Features", "")).split()
    return Machine(
        device=device(),
        processor=torch.cuda.get_device_name() if on_gpu else facts.get("model name", "unknown"),
        cores=len(os.sched_getaffinity(0)),
        features=[flag for flag in _TELLING if flag in flags],
        free_gib=round(available(device()) / 2**30, 1),
        versions=environment(),
    )


def cpu_facts() -> dict[str, str]:
    """Return the fields of the first processor as the kernel states them."""
    first = _CPUINFO.read_text(encoding="utf-8").partition("\n\n")[0] if _CPUINFO.exists() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def gemm_rate(precision: Precision, on: str) -> float:
    """Return the FLOP/s of the best of three square matrix products, measured now."""
    left, right = _factors(precision, on)
    return max(2 * len(left) ** 3 / timed_product(left, right) for _ in range(_REPEATS))


@cache
def _factors(precision: Precision, on: str) -> tuple[torch.Tensor, torch.Tensor]:
    side = 8192 if on == "cuda" else 2048
    pair = (torch.randn(side, side, device=on, dtype=DTYPES[precision]) for _ in range(2))
    left, right = pair
    return left, right


def timed_product(left: torch.Tensor, right: torch.Tensor) -> float:
    """Return the seconds of one matrix product."""
    synchronise(left.device.type)
    begun = time.perf_counter()
    torch.mm(left, right)
    synchronise(left.device.type)
    return time.perf_counter() - begun


def synchronise(on: str) -> None:
    """Wait until the GPU has done what it was given."""
    if on == "cuda":
        torch.cuda.synchronize()
