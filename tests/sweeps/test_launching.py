"""A launcher whose processes die: what is launched again, and what is told."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from tests.sweeps.test_outcomes import job
from tuna_exp.sweeps.launching import SurvivingLauncher
from tuna_exp.sweeps.outcomes import JOB_FILE, RUN_FILE, began, keep, outcomes

BATCH = [["seed=0"], ["seed=1"], ["seed=2"]]


class Fake(Launcher):
    """Does each job with `do`, which may raise as a dead process makes a launcher raise."""

    def __init__(self, folder: Path, do: Callable[[int], bool]) -> None:
        self.folder, self.do = folder, do
        self.launched: list[list[int]] = []

    def setup(self, **_: Any) -> None:
        """Nothing to set up."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        numbers = [initial_job_idx + i for i in range(len(job_overrides))]
        self.launched.append(numbers)
        for number in numbers:
            place = self.folder / str(number)
            keep(place, JOB_FILE, job(number, began(self.folder)))
            if not self.do(number):
                raise RuntimeError("worker died")
            (place / RUN_FILE).write_text("{}")
        return []


def test_one_that_dies_once_is_done_at_the_second_time(tmp_path: Path) -> None:
    deaths = [1]
    inner = Fake(tmp_path, lambda n: n not in deaths or bool(deaths.clear()))
    SurvivingLauncher(inner, tmp_path).launch(BATCH, 0)
    assert inner.launched == [[0, 1, 2], [1, 2]]


def test_one_that_always_dies_keeps_none_from_its_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = Fake(tmp_path, lambda n: n != 1)
    SurvivingLauncher(inner, tmp_path).launch(BATCH, 0)
    assert inner.launched == [[0, 1, 2], [1, 2], [1, 2], [1], [2]]
    assert [o.state == "unfinished" for o in outcomes(tmp_path)] == [False, True, False]
    assert "died (of job 1; RuntimeError: worker died); 2 job(s)" in capsys.readouterr().err


def test_what_goes_wrong_before_any_job_is_raised(tmp_path: Path) -> None:
    class Refusing(Fake):
        def launch(self, job_overrides: Any, initial_job_idx: int) -> Sequence[JobReturn]:
            raise ValueError("no such partition")

    with pytest.raises(ValueError, match="no such partition"):
        SurvivingLauncher(Refusing(tmp_path, bool), tmp_path).launch(BATCH, 0)


def test_later_batches_go_on_counting(tmp_path: Path) -> None:
    inner = Fake(tmp_path, lambda n: True)
    launcher = SurvivingLauncher(inner, tmp_path)
    launcher.launch(BATCH[:2], 0)
    launcher.launch(BATCH[2:], 2)
    assert inner.launched == [[0, 1], [2]] and len(outcomes(tmp_path)) == 3


def test_a_later_batch_goes_on_where_it_was_left(tmp_path: Path) -> None:
    """A job of an earlier batch that has no result is not one of this batch."""
    deaths = {0: 9, 2: 1}

    def do(number: int) -> bool:
        deaths[number] = deaths.get(number, 0) - 1
        return deaths[number] < 0

    inner = Fake(tmp_path, do)
    launcher = SurvivingLauncher(inner, tmp_path)
    launcher.launch(BATCH[:1], 0)
    inner.launched.clear()
    launcher.launch(BATCH[1:], 1)
    assert inner.launched[:2] == [[1, 2], [2]]
