"""Checkpoints: whole or not there, two kept, and what a signal leaves."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning import Callback, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from tuna_exp.durable import TEMPORARY
from tuna_exp.errors import Terminated
from tuna_exp.stages.checkpoints import Checkpoints, commit, ending_told, last_good


class Counting(L.LightningModule):
    """Its only weight is the number of optimizer steps taken, at rate 1 and gradient -1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return -self.weight.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


class At(Callback):
    """Does something at the start of a micro-batch."""

    def __init__(self, batch: int, what: Any) -> None:
        self.batch = batch
        self.what = what

    def on_train_batch_start(self, *arguments: Any) -> None:
        if arguments[-1] == self.batch:
            self.what()


def fit(keeper: Checkpoints, at: At | None = None, accumulate: int = 1) -> float:
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accumulate_grad_batches=accumulate,
        callbacks=[keeper, *([at] if at else [])],
    )
    module, numbers = Counting(), TensorDataset(torch.zeros(12))
    with ending_told(keeper):
        trainer.fit(module, DataLoader(numbers), ckpt_path=last_good(keeper.folder))
    return float(module.weight)


def saved(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("step-*") if path.suffix == "")


@pytest.mark.parametrize(
    "steps, minutes, found",
    [(5, 60.0, [5, 10]), (4, 60.0, [8, 12]), (None, 0.0, [11, 12]), (None, 60.0, [])],
)
def test_two_are_kept(steps: int | None, minutes: float, found: list[int], tmp_path: Path) -> None:
    """Twelve steps: every fifth is 5 and 10; every fourth 4, 8, 12, of which two are kept."""
    fit(Checkpoints(tmp_path, minutes, steps))
    assert saved(tmp_path) == [f"step-{number:09d}" for number in found]


def test_sigterm_ends_the_step_saves_and_ends(tmp_path: Path) -> None:
    """Three micro-batches a step; told to end in the fifth, so the second step is the last."""
    keeper = Checkpoints(tmp_path, 60.0, None)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated):
        fit(keeper, At(4, lambda: os.kill(os.getpid(), signal.SIGTERM)), accumulate=3)
    assert signal.getsignal(signal.SIGTERM) is before
    assert saved(tmp_path) == ["step-000000002"]
    assert fit(Checkpoints(tmp_path, 60.0, None), accumulate=3) == 4  # of 12 micro-batches


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Lightning switches Ctrl-C off when it meets one."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_is_not_taken_for_it(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        fit(Checkpoints(tmp_path, 60.0, None), At(4, interrupt))
    assert stopped.type is KeyboardInterrupt


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        flip,
        lambda path: path.unlink(),
        lambda path: path.with_name(f"{path.name}.committed").unlink(),
        lambda path: path.with_name(f"{path.name}.committed").write_text("{"),
    ],
    ids=["cut", "one bit", "gone", "not committed", "torn marker"],
)
def test_the_last_good_one_is_found(damage: Any, tmp_path: Path) -> None:
    """Steps 5 and 10 are there; the younger is damaged, and the training still ends at 12."""
    fit(Checkpoints(tmp_path, 60.0, 5))
    damage(tmp_path / "step-000000010")
    assert last_good(tmp_path) == tmp_path / "step-000000005"
    assert fit(Checkpoints(tmp_path, 60.0, 5)) == 12
    assert last_good(tmp_path) == tmp_path / "step-000000010"


def test_nothing_good_is_no_checkpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fit(Checkpoints(tmp_path, 60.0, 7))
    flip(tmp_path / "step-000000007")
    (tmp_path / f"step-000000009{TEMPORARY}").write_text("half")
    assert last_good(tmp_path) is None
    assert "step-000000007 is damaged" in caplog.text
    assert not list(tmp_path.glob(f"*{TEMPORARY}"))


def test_a_folder_of_shards_is_one_checkpoint(tmp_path: Path) -> None:
    writing = tmp_path / f"step-1{TEMPORARY}"
    (writing / "inner").mkdir(parents=True)
    for name in ("a.distcp", "inner/b.distcp"):
        (writing / name).write_text(name)
    commit(writing, tmp_path / "step-1")
    assert last_good(tmp_path) == tmp_path / "step-1"
    (tmp_path / "step-1" / "inner" / "b.distcp").unlink()
    assert last_good(tmp_path) is None
