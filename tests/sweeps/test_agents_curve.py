"""The curve by which W&B compares runs: each optimizer step is one row, once and in its order."""

from types import SimpleNamespace
from typing import Any

import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader

from tuna_exp.sweeps.agents_curve import AgentsCurve, curve_for_agent


class Run:
    """Keeps what is logged, as W&B's run does."""

    def __init__(self, **summary: int) -> None:
        self.summary = summary
        self.rows: list[dict[str, float]] = []

    def log(self, row: dict[str, float]) -> None:
        self.rows.append(row)


class Logging(LightningModule):
    """Logs one value at every step and learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.log("ranking_loss", 0.5)
        return self.weight.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def steps(run: Any) -> list[float]:
    """Train for three optimizer steps of two micro-batches; return the steps that were told."""
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, callbacks=[AgentsCurve(run, "tuna_c")], logger=False,
        accumulate_grad_batches=2, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Logging(), DataLoader(torch.zeros(6, 1)))
    return [row["tuna_c/optimizer_step"] for row in run.rows]


def test_each_optimizer_step_is_one_row() -> None:
    run = Run()
    assert steps(run) == [1, 2, 3]
    assert {row["tuna_c/ranking_loss"] for row in run.rows} == {0.5}


def test_a_run_that_was_preempted_is_not_told_twice() -> None:
    assert steps(Run(**{"tuna_c/optimizer_step": 2})) == [3]


def test_a_training_that_another_run_began_is_not_told() -> None:
    """Its sixth step would be compared with the first step of others."""
    run: Any = Run()
    curve = AgentsCurve(run, "tuna_c")
    for step in (6, 7):
        now: Any = SimpleNamespace(global_step=step, is_global_zero=True, callback_metrics={})
        curve.on_train_batch_end(now, Logging(), None, None, 0)
    assert run.rows == [] and curve_for_agent("tuna_c") == []
