"""Which run is which."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from tuna_exp.cli import SETTINGS
from tuna_exp.sweeps.identity import claimed, finished_run, identity, take_over
from tuna_exp.sweeps.outcomes import RUN_FILE


def named(*overrides: str, words: tuple[str, ...] = ()) -> str:
    with initialize_config_dir(str(SETTINGS), version_base="1.3"):
        return identity(compose("config", ["trainer.precision=32-true", *overrides]), words)


def test_what_decides_nothing_does_not_count() -> None:
    assert named() == named("artifacts=elsewhere", "runs=there", "seed=0")


@pytest.mark.parametrize(
    "override",
    ["seed=1", "method=sft", "evaluation.limit=3", "+callbacks.x._target_=a.B", "budget.usd=1"],
)
def test_what_was_chosen_counts(override: str) -> None:
    assert named() != named(override)


def test_the_command_and_the_order_of_benchmarks_count() -> None:
    assert named() != named(words=("evaluate", "subject=model"))
    path = "evaluation.lmentry.path=x"
    assert named("evaluation=[verifiable,lmentry]", path) != named(
        "evaluation=[lmentry,verifiable]", path
    )


def finished(folder: Path, artifacts: Path, **changes: Any) -> Path:
    (artifacts / "compare" / "c").mkdir(parents=True, exist_ok=True)
    record = {"artifacts": str(artifacts.resolve()), "comparison": "c", "identity": "i", **changes}
    folder.mkdir(parents=True)
    (folder / RUN_FILE).write_text(json.dumps(record))
    return folder


def test_a_finished_run_is_found_by_its_identity(tmp_path: Path) -> None:
    artifacts, runs = tmp_path / "artifacts", tmp_path / "runs"
    finished(runs / "other", artifacts, identity="j")
    finished(runs / "gone", artifacts, comparison="pruned")
    finished(runs / "elsewhere", tmp_path / "others")
    (runs / "torn").mkdir()
    (runs / "torn" / RUN_FILE).write_text("{")
    assert finished_run("i", artifacts, [runs]) is None
    done = finished(runs / "day" / "3", artifacts)
    assert finished_run("i", artifacts, [tmp_path / "nowhere", runs]) == done
    take_over(done, runs / "torn")
    assert (runs / "torn" / RUN_FILE).read_text() == (done / RUN_FILE).read_text()
    assert finished_run("i", artifacts, [runs / "torn"]) is None  # a link is no run of its own


def test_one_at_a_time_does_a_run(tmp_path: Path) -> None:
    waited, order = threading.Event(), []

    def second() -> None:
        with claimed("i", tmp_path / "a", waited.set):
            order.append("second")

    with claimed("i", tmp_path / "a", lambda: order.append("never")):
        thread = threading.Thread(target=second)
        thread.start()
        assert waited.wait(20)
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"] and not (tmp_path / "a").exists()
