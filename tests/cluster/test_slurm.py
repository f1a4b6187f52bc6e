"""Sweeps under a real SLURM of one node on loopback."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster import slurm
from tests.sweeps.test_ranks import assert_pairs, told
from tests.sweeps.test_sweeping import ROOT, times
from tests.sweeps.toy import DIES, DIES_ONCE, FAILS, WAITS

pytestmark = pytest.mark.cluster
SLURM = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    if slurm.missing():
        pytest.skip(f"no SLURM to start: {slurm.missing()} missing")
    with slurm.running(tmp_path_factory.mktemp("slurm")) as environment:
        paths = os.pathsep.join((str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")))
        yield {**environment, "PYTHONPATH": paths, "HYDRA_FULL_ERROR": "1"}


def start(
    cluster: Mapping[str, str], folder: Path, module: str, *arguments: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, "-m", *SLURM, "hydra.sweep.dir=runs/a", *arguments],
        cwd=folder, env=dict(cluster), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_a_dead_process_takes_no_other_job_along(
    cluster: Mapping[str, str], tmp_path: Path
) -> None:
    seeds = f"seed=1,{DIES_ONCE},{FAILS},{DIES},2,3"
    process = start(cluster, tmp_path, "tests.sweeps.toy", seeds)
    said, errors = process.communicate(timeout=280)
    assert process.returncode == 2 and "4 runs compared" in said, errors
    assert "2 job(s) of the sweep have no result" in errors
    assert f"job 3 (seed={DIES}): its process died" in errors
    assert times(tmp_path)[str(FAILS)] == 1 and "Traceback" not in errors


def test_a_job_that_is_put_back_into_the_queue_is_done(
    cluster: Mapping[str, str], tmp_path: Path
) -> None:
    """As preemption does: SLURM ends the job and starts it again, and the sweep waits for it."""
    process = start(cluster, tmp_path, "tests.sweeps.toy", f"seed={WAITS},1")
    waits = tmp_path / "artifacts" / "waits"
    until = time.monotonic() + 120
    while not waits.exists() and time.monotonic() < until:
        time.sleep(0.2)
    listed = ["squeue", "-h", "-t", "running", "-o", "%A"]
    (job, *_) = subprocess.check_output(listed, env=dict(cluster), text=True).split()
    subprocess.run(["scontrol", "requeue", job], env=dict(cluster), check=True)
    subprocess.run(["scontrol", "update", f"jobid={job}", "StartTime=now"], env=dict(cluster))
    said, errors = process.communicate(timeout=280)
    assert process.returncode == 0 and "2 runs compared" in said, errors
    assert times(tmp_path)[str(WAITS)] == 2 and not re.search("died|Traceback", errors)


def test_ranks_of_a_job_share_a_folder(cluster: Mapping[str, str], tmp_path: Path) -> None:
    process = start(
        cluster, tmp_path, "tests.sweeps.ranked", "seed=1", "trainer.devices=2",
        "hydra.launcher.tasks_per_node=2",
    )  # fmt: skip
    _, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    assert_pairs(told(tmp_path), 1)


def test_too_few_tasks_for_the_ranks_are_refused(
    cluster: Mapping[str, str], tmp_path: Path
) -> None:
    process = start(cluster, tmp_path, "tests.sweeps.toy", "seed=1,2", "trainer.devices=2")
    _, errors = process.communicate(timeout=60)
    assert "Cure: hydra.launcher.tasks_per_node=2, or hydra/launcher=process" in errors
