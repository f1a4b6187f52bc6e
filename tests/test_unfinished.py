"""What an unfinished artifact remembers of its attempts."""

import time
from pathlib import Path

import pytest

from tuna_exp.unfinished import Notebook


@pytest.mark.parametrize("jump", [-3_600, 86_400])
def test_a_clock_that_is_set_changes_no_time_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """0.7 s of work, half a second of it after the jump: not 0 and not a day."""
    real = time.time, time.time_ns
    with Notebook(tmp_path).attempt():
        time.sleep(0.2)
        monkeypatch.setattr(time, "time", lambda: real[0]() + jump)
        monkeypatch.setattr(time, "time_ns", lambda: real[1]() + jump * 10**9)
        time.sleep(0.5)
    assert 0.7 <= Notebook(tmp_path).seconds < 30
