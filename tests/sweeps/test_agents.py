"""W&B's own agent, on the loopback server: a run that goes worse is stopped, and goes on later."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sweeps.test_sweeping import ROOT
from tests.wandb_server.server import Server, running
from tests.wandb_server.writing import ENTITY
from tuna_exp.composing import SETTINGS
from tuna_exp.sweeps.wandb_sweep import main as wandb_sweep

# Three processes of the command, two of which train for many steps until the server has seen some.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
STEPS = 16 * 40
SMALL = (
    "model=tiny", "method=sft", "dataset.count=64", "batching.batch_size=4",
    "objective.sft.epochs=40", "comparison.resamples=100", "evaluation.verifiable.count=8",
    "evaluation.verifiable.max_new_tokens=4", "logger=[csv]",
)  # fmt: skip
RATES = "objective.sft.learning_rate=0.01,1e-09"  # the second learns nothing


def done(server: Server, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    inherited = os.environ.get("PYTHONPATH", "")
    own = {
        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), inherited)),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        # What is logged is sent every second; by itself the client waits for 15.
        "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1",
    }
    environment = {**os.environ, **server.environment, **own}
    environment.pop("WANDB_MODE", None)
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )


def test_what_goes_worse_is_stopped_and_its_line_goes_on(tmp_path: Path) -> None:
    out, watch = tmp_path / "sweep.yaml", ("--watch", "min:sft/loss", "--min-iter", "40")
    assert wandb_sweep(["-m", *SMALL, RATES, *watch, "--out", str(out)], SETTINGS) == 0
    wandb = str(Path(sys.executable).parent / "wandb")
    with running() as server:
        made = done(server, tmp_path, wandb, "sweep", "-p", "searched", str(out))
        assert made.returncode == 0, made.stderr
        (sweep,) = server.records.sweeps
        told = done(server, tmp_path, wandb, "agent", f"{ENTITY}/searched/{sweep}")
        kept = server.records.runs.values()
        good, bad = sorted(kept, key=lambda run: str(run["name"]))
        assert not [o for o in server.records.operations if o.startswith("failed")]
    assert [run["sweepName"] for run in (good, bad)] == [sweep] * 2, told.stderr
    assert [run["state"] for run in (good, bad)] == ["finished", "failed"], told.stderr
    steps = [[r["sft/optimizer_step"] for r in run["history"] if "sft/loss" in r] for run in kept]
    assert steps[0] == list(range(1, STEPS + 1))
    assert 40 < len(steps[1]) < STEPS and steps[1] == steps[0][: len(steps[1])]
    assert "score" in good["summary"] and "score" not in bad["summary"]
    assert server.records.config(bad["name"])["objective.sft.learning_rate"] == 1e-09
    # Typed by hand the stopped line is a run of its own, and goes on from what was saved.
    (saved,) = (tmp_path / "artifacts" / "train").glob("*.partial")
    again = done(
        server, tmp_path, "tuna-exp", *SMALL, "objective.sft.learning_rate=1e-09",
        "hydra.run.dir=again",
    )  # fmt: skip
    assert again.returncode == 0 and not saved.exists(), again.stderr
    assert (saved.with_suffix("")).is_dir()
