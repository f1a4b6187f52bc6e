"""Whole runs of the real command that are killed, or that meet another run of the same."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.slow.chaos.ending import table
from tuna_exp.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
COMMAND = [sys.executable, "-m", "tuna_exp", "experiment=tiny"]
CHAOS = [sys.executable, "-m", "tests.slow.chaos.kills"]
CHECKOUT = Path(__file__).parents[2]
STEPS = 27
ROUNDS = 10


def start(folder: Path, said: Path, cache: Path) -> subprocess.Popen[bytes]:
    """Start the command in a folder; its display is appended to a file."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "TUNA_EXP_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    environment.pop("TUNA_EXP_ARTIFACTS", None)
    with said.open("ab") as display:
        return subprocess.Popen(
            COMMAND, cwd=folder, stderr=display, stdout=subprocess.DEVNULL, env=environment
        )


def assert_each_step_done_once(folder: Path, *displays: Path) -> None:
    """One finished artifact per step, nothing left open, and no step told as done twice."""
    entries = Store(folder / "artifacts").entries()
    assert [entry.state for entry in entries] == ["finished"] * STEPS
    lines = [line for display in displays for line in display.read_text().splitlines()]
    done = Counter(
        found[1] for line in lines if (found := re.match(r"\[.*?\] (.*): done in", line))
    )
    assert set(done.values()) == {1} and set(done) <= {e.manifest["label"] for e in entries}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a run that nobody disturbed, and the cache that holds the tiny model."""
    folder = tmp_path_factory.mktemp("undisturbed")
    cache = tmp_path_factory.mktemp("cache")
    assert start(folder, folder / "said", cache).wait(timeout=300) == 0
    assert_each_step_done_once(folder, folder / "said")
    return folder, cache


def test_a_run_killed_at_random_moments_ends_the_same(tmp_path: Path) -> None:
    """With W&B, whose service outlives the run that is killed. Most kills hit a step."""
    settings = ["experiment=tiny", "logger=[csv,wandb]"]
    command = [*CHAOS, str(tmp_path), str(ROUNDS), "0", *settings]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    hits = int(done.stdout.splitlines()[-1].partition(" kills hit")[0])
    assert hits >= ROUNDS // 3, done.stdout


def test_two_equal_runs_at_once_share_the_work(
    undisturbed: tuple[Path, Path], tmp_path: Path
) -> None:
    displays = [tmp_path / "said-0", tmp_path / "said-1"]
    children = [start(tmp_path / "both", display, undisturbed[1]) for display in displays]
    assert [child.wait(timeout=600) for child in children] == [0, 0]
    assert table(tmp_path / "both") == table(undisturbed[0])
    assert_each_step_done_once(tmp_path / "both", *displays)
    entries = Store(tmp_path / "both" / "artifacts").entries()
    assert [entry.manifest["attempts"] for entry in entries] == [1] * STEPS
    assert len(list((tmp_path / "both").glob("runs/*/*/run.json"))) == 2
