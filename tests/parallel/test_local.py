"""The leader of processes on one machine, where one of them is not there."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch.distributed as dist

from tuna_exp.parallel import team
from tuna_exp.parallel.local import Local
from tuna_exp.parallel.team import Call, Joined

CALL = Call("sft", Path("start"), Path("folder"), {})


def test_one_that_cannot_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    """It finds no settings; of three processes the others are ended, too."""
    trial: Any = lambda plugins: SimpleNamespace(world_size=3)  # noqa: E731
    local = Local(trial, tmp_path)
    with (
        pytest.raises(RuntimeError, match=r"(?s)process \d .* status 1: .*config.yaml.*process-\d"),
        local.together(CALL),
    ):
        raise AssertionError("nobody is there")
    started = list(local._others.values())
    local.dismiss()
    assert [one.poll() is None for one in started] == [False, False]


def test_one_that_was_lost_between_trainings_is_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team, "_LEAVING", 0.1)
    monkeypatch.setattr(Local, "_gathered", lambda self: Joined(0, 2, dist.HashStore()))
    local = Local(lambda: AssertionError, tmp_path)  # type: ignore[arg-type]
    with local.together(CALL):
        first = local._joined
    with local.together(CALL):
        assert local._joined is first
    local._others = {1: subprocess.Popen([sys.executable, "-c", ""])}
    local._others[1].wait()
    with local.together(CALL):
        assert local._joined is not first
