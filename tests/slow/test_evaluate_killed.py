"""The evaluate command killed in the middle of a benchmark: it continues to the same bytes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuna_exp.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
COMMAND = [
    sys.executable, "-m", "tuna_exp", "evaluate", "model=tiny", "comparison.tracking=disabled",
    "evaluation.verifiable.count=1500", "evaluation.verifiable.batch_size=8",
    "evaluation.verifiable.max_new_tokens=16", "evaluation.limit=1000",
]  # fmt: skip


def start(folder: Path, cache: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "TUNA_EXP_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    environment.pop("TUNA_EXP_ARTIFACTS", None)
    return subprocess.Popen(
        COMMAND, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def answered(folder: Path) -> int:
    """How many batches the unfinished evaluation of a folder has kept."""
    journals = folder.glob("artifacts/evaluate/*.partial/scratch/predictions.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in journals)


def test_a_killed_evaluate_command_continues(tmp_path: Path) -> None:
    calm, killed, cache = tmp_path / "calm", tmp_path / "killed", tmp_path / "cache"
    assert start(calm, cache).wait() == 0
    child = start(killed, cache)
    while child.poll() is None and answered(killed) < 20:
        time.sleep(0.05)
    child.kill()
    assert child.wait() == -9
    kept = answered(killed)
    assert 20 <= kept < 125
    assert start(killed, cache).wait() == 0
    entries = Store(killed / "artifacts").entries()
    (entry,) = [e for e in entries if e.manifest["stage"] == "evaluate"]
    assert entry.manifest["attempts"] == 2
    made = [folder.glob("artifacts/evaluate/*/predictions.jsonl") for folder in (calm, killed)]
    first, second = (next(paths).read_bytes() for paths in made)
    assert first == second and first.count(b"\n") == 1000
