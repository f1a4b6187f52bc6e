"""The command on the tiny model, with its workers, in a process as a user starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.speed.__main__ import main
from experiments.speed.pool import ROOT


def speed(*arguments: str, out: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "experiments.speed", *arguments, "--shape", "tiny"]
    return subprocess.run(
        [*command, "--out", str(out)], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.mark.slow
def test_forms_take_turns_and_the_ratio_comes_last(tmp_path: Path) -> None:
    cut = ("--cases", "alpaca-4x4", "--rounds", "1", "--precisions", "fp32")
    done = speed("quick", *cut, "--forms", "released,shared_prompt", out=tmp_path)
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("shared_prompt is ")
    assert last.endswith("(fp32, N=4, 4 prompts, Alpaca lengths)")
    (found,) = json.loads((tmp_path / "quick-tiny.json").read_text())["results"]
    assert [len(variant["rounds"]) for variant in found["variants"]] == [1, 1]
    assert found["checks"][0]["loss_error"] < 1e-5
    assert found["checks"][0]["gradient_error"] < 1e-5
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md", ".svg"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("quik",), "suite quik is not one of quick, training, growth, sampling. Did you mean"),
        (("quick", "--cases", "alpaca"), "--cases alpaca is not one of alpaca-4x4, rag-1x4."),
        (("growth", "--forms", "padde"), "Did you mean 'padded'?"),
    ],
)
def test_a_wrong_name_is_refused(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--shape", "tiny"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and message in said.err
