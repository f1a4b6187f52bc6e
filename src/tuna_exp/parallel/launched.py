"""How many processes a training has: told by settings and environment, without importing torch."""

import os
from typing import Any

# What the leader tells the processes that it starts on its machine: the port at which it is met,
# and its process.
STORE, LEADER = "TUNA_EXP_STORE", "TUNA_EXP_LEADER"
# The settings of a trainer that works alone, on one device.
ALONE: dict[str, Any] = {"devices": 1, "num_nodes": 1, "strategy": "auto"}


def launched() -> int:
    """Return how many processes a launcher has started; 1 where this one was started alone."""
    told = os.environ
    if "SLURM_STEP_ID" in told and "SLURM_PROCID" in told and "RANK" not in told:
        return int(told.get("SLURM_STEP_NUM_TASKS", told.get("SLURM_NTASKS", "1")))
    return int(told["WORLD_SIZE"]) if "RANK" in told and "WORLD_SIZE" in told else 1


def device_count(devices: Any) -> int | None:
    """Return how many devices of a machine are asked for; None where that is seen only there.

    `devices` as Lightning takes them: a number or its text, -1 or "auto" for all, a list, "0,2".
    """
    if isinstance(devices, str) and "," in devices:
        return len(devices.split(","))
    if isinstance(devices, str | int):
        return int(devices) if str(devices).isdigit() else None
    return len(devices)
