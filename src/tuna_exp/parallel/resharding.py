"""Checkpoints of shards, read by a strategy that did not write them.

FSDP2 reads its own on any number of processes, and also a file that any other strategy wrote. For
the others its shards are put into such a file. Left out: shards of DeepSpeed, which only DeepSpeed
reads.
"""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.utilities.load import _METADATA_FILENAME
from lightning.pytorch.strategies import DeepSpeedStrategy, ModelParallelStrategy
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from torch.serialization import get_unsafe_globals_in_checkpoint

from tuna_exp.errors import UserError, in_short

WHOLE = "whole.ckpt"
# What DeepSpeed's checkpoints consist of besides what torch loads as weights only.
_DEEPSPEEDS = frozenset(
    {
        "deepspeed.runtime.fp16.loss_scaler.DynamicLossScaler",
        "deepspeed.runtime.fp16.loss_scaler.LossScaler",
        "deepspeed.runtime.zero.config.ZeroStageEnum",
        "deepspeed.utils.tensor_fragment.fragment_address",
    }
)


def readable(folder: Path, strategy: object) -> Path:
    """Return what a strategy can read of a checkpoint folder. Raises UserError where it cannot."""
    by_fsdp2 = (folder / _METADATA_FILENAME).exists()
    if isinstance(strategy, ModelParallelStrategy) if by_fsdp2 else _is_deepspeed(strategy):
        if not by_fsdp2:
            _check_harmless(folder)
        return folder
    if not by_fsdp2 or _is_deepspeed(strategy):
        raise UserError(
            f"the training was begun with another strategy, whose checkpoint {folder} this one "
            "does not read. Cure: the strategy that it was begun with, or delete the folder, which "
            "begins the training anew."
        )
    whole = folder.with_name(WHOLE)
    in_one_file(folder, whole)
    return whole


def _check_harmless(folder: Path) -> None:
    """Raise UserError where a checkpoint of DeepSpeed's names what it does not consist of.

    DeepSpeed would run whatever it names. Here it is only looked through.
    """
    for file in sorted(folder.rglob("*.pt")):
        try:
            strange = set(get_unsafe_globals_in_checkpoint(file)) - _DEEPSPEEDS
        except (ValueError, RuntimeError, EOFError, UnpicklingError) as error:
            strange = {in_short(error, 80)}
        if strange:
            raise UserError(
                f"{file} was not written by DeepSpeed, and could run code when it is loaded: "
                f"{', '.join(sorted(strange))}. Cure: delete {folder}, to begin anew."
            )


def _is_deepspeed(strategy: object) -> bool:
    return isinstance(strategy, DeepSpeedStrategy)


def in_one_file(folder: Path, whole: Path) -> None:
    """Put FSDP2's shards into a file as Lightning writes for one device."""
    dcp_to_torch_save(folder, whole)
    shards: dict[str, Any] = torch.load(whole, weights_only=True)
    checkpoint: dict[str, Any] = torch.load(folder / _METADATA_FILENAME, weights_only=True)
    checkpoint["state_dict"] = shards.pop("state_dict")
    checkpoint["optimizer_states"] = [numbered(shards[name]) for name in sorted(shards)]
    torch.save(checkpoint, whole)


def numbered(state: dict[str, Any]) -> dict[str, Any]:
    """Return an optimizer's state by the place of each weight, as torch keeps it, not by name."""
    names = [name for group in state["param_groups"] for name in group["params"]]
    place = {name: number for number, name in enumerate(names)}
    groups = [g | {"params": [place[name] for name in g["params"]]} for g in state["param_groups"]]
    return {"state": {place[n]: one for n, one in state["state"].items()}, "param_groups": groups}
