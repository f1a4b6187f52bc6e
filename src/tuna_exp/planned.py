"""What a run is about to do, written into its folder before the first step: `steps.json`.

A run's record (`run.json`) is there only when the run is finished; this one lets a reader find the
unfinished artifacts of a run that is still going, or whose process died.
"""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tuna_exp.durable import disk_failures, write_durably
from tuna_exp.records import Record

if TYPE_CHECKING:
    from tuna_exp.plan import Step

STEPS_FILE = "steps.json"
_KEY = 16


class PlannedStep(Record):
    """A step by the `key` of its artifact, with the keys of its inputs by their names."""

    key: str
    stage: str
    label: str
    inputs: dict[str, str] = {}


class Planned(Record):
    """The steps of a run, dependencies first, and the process that does them.

    `artifacts` is the store's folder, `began` Unix time, `methods` the keys of the figures by
    method and benchmark.
    """

    artifacts: str
    pid: int
    host: str
    began: float
    steps: tuple[PlannedStep, ...]
    methods: dict[str, dict[str, str]]


def write_planned(final: "Step", root: Path, output: Path) -> None:
    """Write down a run that ends in the comparison `final`, with artifacts below `root`."""
    from tuna_exp.plan import in_order

    planned = Planned(
        artifacts=str(root.resolve()),
        pid=os.getpid(),
        host=socket.gethostname(),
        began=time.time(),
        steps=tuple(_planned(step) for step in in_order([final])),
        methods={name: _figures(made) for name, made in final.settings["methods"].items()},
    )
    with disk_failures(output):
        write_durably(output / STEPS_FILE, planned.model_dump_json(indent=1))


def _planned(step: "Step") -> PlannedStep:
    inputs = {name: made.digest[:_KEY] for name, made in step.inputs.items()}
    return PlannedStep(key=step.digest[:_KEY], stage=step.stage, label=step.label, inputs=inputs)


def _figures(by_benchmark: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the key of each benchmark's figures, whose names are STAGE-KEY."""
    return {
        benchmark: next(iter(by_seed.values())).rpartition("-")[2]
        for benchmark, by_seed in by_benchmark.items()
    }
