"""Whole sweeps of a toy command, in processes of their own: what fails, dies or was done before."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.sweeps.toy import DIES, DIES_ONCE, FAILS

ROOT = Path(__file__).parents[2]
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")


def toy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = os.environ.get("PYTHONPATH", "")
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT), inherited))
    return subprocess.run(
        [sys.executable, "-m", "tests.sweeps.toy", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": paths, "HYDRA_FULL_ERROR": "1"},
    )  # fmt: skip


def times(folder: Path) -> Counter[str]:
    """How often each seed was worked on."""
    return Counter((folder / "artifacts" / "done.txt").read_text().split())


def test_jobs_in_this_process_are_done_once(tmp_path: Path) -> None:
    first = toy(tmp_path, "-m", f"seed=1,{FAILS},2,1", "hydra.sweep.dir=runs/a")
    assert first.returncode == 2 and "2 runs compared" in first.stdout, first.stderr
    assert "job 3: already done in runs/a/0" in first.stderr
    assert f"job 1 (seed={FAILS}): unlucky.\nCure: another number.\n" in first.stderr
    again = f"tuna-exp model=tiny trainer.precision=32-true seed={FAILS} hydra.run.dir=runs/a/1"
    assert f"again: {again}\n" in first.stderr
    second = toy(tmp_path, "-m", f"seed=1,{FAILS},2,3", "hydra.sweep.dir=runs/b")
    assert "3 runs compared" in second.stdout, second.stderr
    assert "job 0: already done in runs/a/0" in second.stderr
    assert times(tmp_path) == {"1": 1, "2": 1, "3": 1, str(FAILS): 2}


def test_a_failed_job_run_alone_is_done_for_its_sweep(tmp_path: Path) -> None:
    toy(tmp_path, "-m", f"seed={FAILS},1", "hydra.sweep.dir=runs/a")
    (tmp_path / "runs/a/0/failure.json").rename(tmp_path / "kept.json")
    alone = toy(tmp_path, "seed=2", "hydra.run.dir=runs/a/0")
    assert alone.returncode == 0, alone.stderr
    assert "1 runs compared" in toy(tmp_path, "-m", "seed=2", "hydra.sweep.dir=runs/b").stdout
    assert times(tmp_path)["2"] == 1


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "ray"])
def test_a_dead_process_takes_no_other_job_along(launcher: str, tmp_path: Path) -> None:
    """One dies once and is done then, one fails, one always dies: it alone stays unfinished."""
    pytest.importorskip(
        {"joblib": "hydra_plugins.hydra_joblib_launcher", "ray": "ray"}.get(
            launcher, "hydra_plugins.hydra_submitit_launcher"
        )
    )
    two = ["hydra.launcher.n_jobs=2"] if launcher == "joblib" else []
    seeds = f"1,{DIES_ONCE},{FAILS},{DIES},2,3"
    done = toy(
        tmp_path, "-m", f"seed={seeds}", f"hydra/launcher={launcher}", *two,
        "hydra.sweep.dir=runs/a",
    )  # fmt: skip
    assert done.returncode == 2 and "4 runs compared" in done.stdout, done.stderr
    assert "2 job(s) of the sweep have no result" in done.stderr
    assert f"job 3 (seed={DIES}): its process died" in done.stderr
    assert f"seed={DIES} hydra.run.dir=runs/a/3\n" in done.stderr
    assert times(tmp_path)[str(FAILS)] == 1 and times(tmp_path)["1"] <= 2
    assert "Traceback" not in done.stderr


def test_parallel_jobs_write_one_line_each(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    done = toy(tmp_path, "-m", "seed=1,2,3", *JOBLIB, "hydra.sweep.dir=runs/a")
    lines = done.stderr.splitlines()
    assert len(lines) == 3 and all(re.search(r"finished in \d s$", one) for one in lines), lines
    assert (tmp_path / "runs/a/2/screen.log").read_text() == "job 2: seed=3\n"


def test_settings_that_a_launcher_refuses_are_no_dead_process(tmp_path: Path) -> None:
    wrong = ("hydra/launcher=process", "hydra.launcher.n_jobs=0")
    done = toy(tmp_path, "-m", "seed=1,2", *wrong)
    assert "hydra.launcher.n_jobs=0: jobs at a time" in done.stderr
    assert "process died" not in done.stderr and not (tmp_path / "artifacts").exists()
