"""A Ray of this machine's own: the artifacts of one process, and nothing lost with a worker."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tuna_exp.errors import ConfigError, DataError, UserError
from tuna_exp.executors.ray import RayExecutor

TWO = RayExecutor(address=None, workers=2, cpus_per_worker=1, gpus_per_worker=0, restarts=2)
SMALL = (
    "model=tiny", "method=tuna_c", "ranker=contextual", "dataset.count=12", "sampling.batch_size=3",
    "sampling.decoding.max_new_tokens=6", "evaluation.verifiable.count=12", "max_refused=1",
    "evaluation.verifiable.batch_size=3", "evaluation.verifiable.max_new_tokens=4",
    "comparison.tracking=disabled", "comparison.resamples=100", "logger=none",
)  # fmt: skip


@pytest.mark.parametrize(
    "key, words",
    [("workers", "executor.workers=0"), ("cpus_per_worker", "executor.cpus_per_worker=0")],
)
def test_what_no_worker_could_start_with_is_told(key: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"{words}. Cure"):
        replace(TWO, **{key: 0}).check()  # type: ignore[arg-type]


def test_where_ray_is_not_installed_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="needs the package ray.*executor=local"):
        TWO.check()


def squared(made: int, batch: int) -> int:
    if batch < 0:
        raise DataError(f"{batch} is no length. Cure: a positive one.")
    return made + batch * batch


def killing(folder: Path, batch: int) -> tuple[int, int]:
    """End its own process the first time it is at batch 2, as a machine that is lost does."""
    mark = folder / "lost"
    if batch == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with (folder / "done").open("a") as file:
        file.write(f"{batch}\n")
    return batch, os.getpid()


@pytest.mark.slow
def test_results_come_in_order_and_a_lost_worker_costs_nothing(tmp_path: Path) -> None:
    """Errors of ours arrive as such; more workers than there is room for are refused at once."""
    pytest.importorskip("ray")
    with TWO.start(lambda: 100, lambda made: None) as session:
        assert list(session.map(squared, range(40))) == [100 + n * n for n in range(40)]
        with pytest.raises(DataError, match="-1 is no length"):
            list(session.map(squared, [1, -1]))
    with TWO.start(lambda: tmp_path, lambda made: None) as session:
        done = list(session.map(killing, range(8)))
    assert [batch for batch, _ in done] == list(range(8))
    assert sorted(map(int, (tmp_path / "done").read_text().split())) == list(range(8))
    many = replace(TWO, workers=999)
    with (
        pytest.raises(UserError, match="executor.workers=999.*room for.*Cure"),
        many.start(lambda: 0, lambda made: None),
    ):
        pass


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_has_the_same_artifacts_byte_for_byte(tmp_path: Path, tiny_folder: Path) -> None:
    """Samples, rankings and predictions; the second run is shared out over two workers."""
    pytest.importorskip("ray")
    for name in ("local", "ray"):
        command = [
            sys.executable,
            "-m",
            "tuna_exp",
            *SMALL,
            f"artifacts={name}",
            f"executor={name}",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
    written = {
        name: {
            path.relative_to(tmp_path / name): path.read_bytes()
            for pattern in ("sample/*/*.jsonl", "rank/*/*.jsonl", "evaluate/*/*.jsonl")
            for path in (tmp_path / name).glob(pattern)
        }
        for name in ("local", "ray")
    }
    assert len(written["local"]) >= 5 and written["local"] == written["ray"]
