"""Runs written offline and read back with the tracker's own command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuna_exp.comparison.results import Comparison
from tuna_exp.comparison.tracking import Shown, log_comparison, summary
from tuna_exp.tracking.client import Client
from tuna_exp.tracking.described import Described
from tuna_exp.tracking.settings import Mode, Tracking


def logged(comparison: Comparison, folder: Path, mode: Mode = "offline") -> list[str]:
    client = Client(Tracking(mode, "tuna"), folder, Described("ablation"))
    shown = {m.method: Shown([f"figures-{m.method}"]) for m in comparison.methods}
    return log_comparison(comparison, client, shown, Shown(["rank-0"]))


def inspected(log: Path) -> list[dict[str, dict]]:
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(log)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in told.splitlines()]


def test_an_offline_run_reads_back(
    comparison: Comparison, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ids = logged(comparison, tmp_path)
    assert capfd.readouterr().out == ""
    (log,) = tmp_path.glob(f"wandb/*/run-{ids[2]}.wandb")
    records = inspected(log)
    run = next(record["run"] for record in records if record["type"] == "run")
    assert (run["display_name"], run["job_type"], run["run_group"]) == (
        "tuna_p",
        "evaluate",
        "ablation",
    )
    numbers = {
        k: v for r in records if r["type"] == "summary" for k, v in r["summary"]["update"].items()
    }
    assert numbers["score"] == pytest.approx(2 / 3)
    assert numbers["difference_low"] > 0
    assert numbers["held_out_kind/score"] == 0
    tables = ("predictions", "side_by_side", "all_scores")
    assert [numbers[f"{name}.nrows"] for name in tables] == [30, 30, 30]


def test_everything_is_written_below_the_folder(comparison: Comparison, tmp_path: Path) -> None:
    before = os.environ.get("WANDB_DATA_DIR")
    logged(comparison, tmp_path)
    assert (tmp_path / "wandb" / "data" / "artifacts").is_dir()
    assert os.environ.get("WANDB_DATA_DIR") == before


def test_disabled_writes_no_run(comparison: Comparison, tmp_path: Path) -> None:
    logged(comparison, tmp_path, "disabled")
    assert not list(tmp_path.rglob("*.wandb"))


def test_unknown_numbers_are_left_out(tiny: Comparison) -> None:
    said = summary(tiny, "tuna_p")
    assert said["score"] == 1
    assert "score_low" not in said


def test_rankings_have_a_run_of_their_own(trusted: Comparison, tmp_path: Path) -> None:
    *_, last = logged(trusted, tmp_path)
    log = next(tmp_path.glob(f"wandb/offline-run*/run-{last}.wandb"))
    records = inspected(log)
    run = next(record["run"] for record in records if record["type"] == "run")
    assert (run["display_name"], run["job_type"]) == ("rankings", "rankings")
    numbers = {
        k: v for r in records if r["type"] == "summary" for k, v in r["summary"]["update"].items()
    }
    assert (numbers["slots.nrows"], numbers["agreement.nrows"]) == (6, 1)
    assert numbers["judge/tied_pairs"] == 0
    assert summary(trusted, "tuna_p")["usd"] == 0.5
