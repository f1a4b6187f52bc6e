"""Jobs of two ranks: one folder and one set of overrides, whoever starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from tests.sweeps.test_sweeping import ROOT, toy
from tuna_exp.cli import SETTINGS
from tuna_exp.sweeps.ranks import (
    is_first_rank,
    most_processes,
    processes_of,
    shared_run_dir,
    started_together,
)

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}
SRUN = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_PROCID": "1"}


def ranked(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=180,
        env=environment,
    )  # fmt: skip


def told(folder: Path) -> list[dict[str, Any]]:
    """What each process of each job was given, by folder and rank."""
    found = [json.loads(path.read_text()) for path in (folder / "artifacts").glob("*-*-*")]
    return sorted(found, key=lambda one: (one["output"], one["rank"]))


def assert_pairs(found: list[dict[str, Any]], jobs: int) -> None:
    assert [one["rank"] for one in found] == [0, 1] * jobs
    assert [one["first"] for one in found] == [True, False] * jobs
    for first, second in zip(found[::2], found[1::2], strict=True):
        for key in ("output", "overrides", "identity"):
            assert first[key] == second[key]
    assert len({one["output"] for one in found}) == len({one["identity"] for one in found}) == jobs


@pytest.mark.slow
def test_a_sweep_of_jobs_on_two_ranks(tmp_path: Path) -> None:
    """No launcher was chosen: `process` is."""
    line = ("tests.sweeps.ranked", "-m", "seed=1,2", "trainer.devices=2", "hydra.sweep.dir=runs/a")
    done = ranked(tmp_path, *line)
    assert done.returncode == 0, done.stderr
    assert_pairs(told(tmp_path), 2)
    assert {Path(one["output"]).name for one in told(tmp_path)} == {"0", "1"}
    assert len([*tmp_path.rglob("run.json")]) == 2


@pytest.mark.slow
def test_a_search_gives_both_ranks_the_same_values(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    done = ranked(
        tmp_path, "tests.sweeps.ranked", "-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2",
        "max_refused=interval(0,1)", "trainer.devices=2", "hydra.sweep.dir=runs/a",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_pairs(told(tmp_path), 2)


@pytest.mark.slow
def test_ranks_that_torchrun_started_share_a_folder(tmp_path: Path) -> None:
    line = ("torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m")
    done = ranked(tmp_path, *line, "tests.sweeps.ranked", "seed=3", "trainer.devices=2")
    assert done.returncode == 0, done.stderr
    assert_pairs(told(tmp_path), 1)
    assert len([*tmp_path.glob("runs/ranks/*/run.json")]) == 1


def test_a_sweep_by_ranks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    done = toy(tmp_path, "-m", "seed=1,2")
    assert "a sweep was started by torchrun or srun" in done.stderr
    assert not (tmp_path / "artifacts").exists()


@pytest.mark.parametrize("launcher", ["joblib", "ray", "submitit_local"])
def test_launchers_that_repeat_the_sweep_are_refused(launcher: str, tmp_path: Path) -> None:
    pytest.importorskip(
        {"ray": "ray"}.get(launcher, f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher")
    )
    done = toy(tmp_path, "-m", "seed=1,2", f"hydra/launcher={launcher}", "trainer.devices=2")
    assert f"hydra/launcher={launcher}: a job trains in 2 processes" in done.stderr
    assert "Cure: hydra/launcher=process" in done.stderr
    assert not (tmp_path / "artifacts").exists() and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("typed", "processes"),
    [
        ([], 1),
        (["trainer.devices=2", "trainer.num_nodes=3"], 6),
        (["trainer.devices=[0,3]"], 2),
        (["trainer.devices='2'"], 2),
        (["trainer.devices=-1", "trainer.accelerator=cpu"], 1),
    ],
)
def test_processes_are_counted(typed: list[str], processes: int) -> None:
    with initialize_config_dir(str(SETTINGS), version_base="1.3"):
        assert processes_of(compose("config", typed)) == processes
        jobs = [["seed=1"], ["seed=2", *typed]]
        assert most_processes(jobs, lambda own: compose("config", own)) == processes


def test_ranks_know_whether_they_are_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_first_rank() and shared_run_dir(["seed=1"]) == []
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert is_first_rank()  # of tasks that are not ranks
    for environment in (TORCHRUN, SRUN):
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            assert not is_first_rank()
            (named,) = shared_run_dir(["seed=1"])
            assert [named] == shared_run_dir(["seed=1"]) != shared_run_dir(["seed=2"])
            assert shared_run_dir(["seed=1", "hydra.run.dir=x"]) == []
    assert started_together(SRUN) == "7.0" and started_together({}) is None
