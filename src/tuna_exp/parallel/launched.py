"""How many processes a launcher has started: told by the environment, without importing torch."""

import os


def launched() -> int:
    """Return how many processes a launcher has started; 1 where this one was started alone."""
    told = os.environ
    if "SLURM_STEP_ID" in told and "SLURM_PROCID" in told and "RANK" not in told:
        return int(told.get("SLURM_STEP_NUM_TASKS", told.get("SLURM_NTASKS", "1")))
    return int(told["WORLD_SIZE"]) if "RANK" in told and "WORLD_SIZE" in told else 1
