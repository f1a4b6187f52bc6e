"""Trainings that report to a search, and end where others went better."""

import json
from pathlib import Path

import pytest
import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader

from tuna_exp.errors import PrunedError
from tuna_exp.sweeps.job import JOB_VARIABLE
from tuna_exp.sweeps.outcomes import keep
from tuna_exp.sweeps.pruning import callbacks_here
from tuna_exp.sweeps.search import JOURNAL, SEARCH_FILE, Shared

optuna = pytest.importorskip("optuna")


class Logging(LightningModule):
    """Logs one value at every step and learns nothing."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value, self.weight = value, torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.log("ranking_loss", self.value)
        return self.weight.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(value: float, training: str = "tuna_c") -> int:
    """Train for six optimizer steps of two micro-batches; return the steps that were taken."""
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, callbacks=[*callbacks_here(training)], logger=False,
        accumulate_grad_batches=2, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(Logging(value), DataLoader(torch.zeros(12, 1)))
    return trainer.global_step


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "optuna.Study":
    """A search for a high score with three trials, and a fourth that is running as job 3."""
    place = str(tmp_path / JOURNAL)
    backend = optuna.storages.journal.JournalFileBackend(place)
    made = optuna.create_study(
        storage=optuna.storages.JournalStorage(backend), study_name="s", direction="maximize"
    )
    for loss in (1.0, 1.1, 1.2):
        trial = made.ask()
        for step in (2, 4, 6):
            trial.report(-loss, step)
        made.tell(trial, 0.5)
    made.ask()
    shared = Shared(
        storage=place, study="s", pruner="median", watch="min:tuna_c/ranking_loss", every=2,
        pruner_settings={"n_startup_trials": 2, "n_warmup_steps": 3}, maximises=True,
    )  # fmt: skip
    keep(tmp_path, SEARCH_FILE, shared)
    told = {"number": 3, "sweep": str(tmp_path), "output": str(tmp_path / "3"), "own": []}
    monkeypatch.setenv(JOB_VARIABLE, json.dumps(told))
    return made


def test_a_hopeless_training_ends_after_its_warm_up(study: "optuna.Study") -> None:
    with pytest.raises(PrunedError, match="after 4 optimizer steps: by min:tuna_c/ranking_loss"):
        fit(3.0)
    assert study.get_trials()[3].intermediate_values == {2: -3.0, 4: -3.0}


def test_a_good_one_goes_on_and_continues_its_reports(study: "optuna.Study") -> None:
    assert fit(0.5) == 6
    assert fit(0.4) == 6  # as after a kill: what was told stays
    assert study.get_trials()[3].intermediate_values == {2: -0.5, 4: -0.5, 6: -0.5}


def test_other_trainings_and_other_jobs_report_nothing(
    study: "optuna.Study", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not callbacks_here("sft")
    monkeypatch.delenv(JOB_VARIABLE)
    assert not callbacks_here("tuna_c")
