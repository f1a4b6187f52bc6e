"""Two real processes on the CPU, connected by gloo, that do what a test tells them, in turn."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from lightning import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies import DDPStrategy

from tuna_exp.batching.tokenise import Batching
from tuna_exp.llms.hugging_face import HuggingFaceSampler
from tuna_exp.losses.callbacks import Tuna
from tuna_exp.models.lora import Lora
from tuna_exp.models.student import Folder, Student
from tuna_exp.objectives.base import Schedule
from tuna_exp.objectives.ranking import TunaPModule, Weights
from tuna_exp.parallel.following import Beside
from tuna_exp.parallel.local import Leader
from tuna_exp.parallel.strategies import FSDP2, DeepSpeed
from tuna_exp.parallel.team import Team, join
from tuna_exp.plan import Workspace
from tuna_exp.progress import NoBar
from tuna_exp.rails.callback import GuardRails
from tuna_exp.rails.probe import Probe
from tuna_exp.rails.rules import Rule
from tuna_exp.stages.train import Training, train_here

WARN = Rule(1e9, "warn")
RAILS = GuardRails(2, WARN, WARN, WARN, WARN, Probe(0, 1, 8))
STRATEGIES: dict[str, Callable[[], Any]] = {
    "single": lambda: "auto",
    "ddp": DDPStrategy,
    "fsdp2": FSDP2,
    "tensor": partial(FSDP2, tensor_parallel_size=2),
    "zero2": partial(DeepSpeed, stage=2, logging_batch_size_per_gpu=1),
    "zero3": partial(DeepSpeed, stage=3, logging_batch_size_per_gpu=1),
    "offload": partial(
        DeepSpeed,
        stage=3,
        offload_optimizer=True,
        offload_parameters=True,
        logging_batch_size_per_gpu=1,
    ),
}


class KilledError(Exception):
    """What `Kill` raises."""


class Kill(Callback):
    """Ends a training before its third step, on all processes."""

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == 2:
            raise KilledError


@dataclass(frozen=True)
class Case:
    """One training: its folder's name, what is asked of it."""

    name: str
    strategy: str
    layout: str = "shared_prompt"
    killed: bool = False
    lora: bool = False
    trainer: Mapping[str, Any] = field(default_factory=dict)


class Place(Team):
    """A place among processes that a test has connected."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size

    def plugins(self) -> list[Any]:
        return [Leader()] if self.size > 1 else []


def run(case: Case, model: Path, tokens: Path, root: Path, place: Team) -> None:
    """Train in this process."""
    training = Training(
        objective=partial(
            TunaPModule,
            optimizer=partial(torch.optim.Adam, lr=1e-3),
            schedule=Schedule("cosine", 0),
            head="chunked",
            ranking_loss=(loss := Tuna("gap_mean", 0.1, 1.0)),
            weights=Weights(1.0, 1.0),
            gradient_share_every=1,
        ),
        trainer=partial(
            Trainer,
            accelerator="cpu",
            devices=place.size,
            strategy=STRATEGIES[case.strategy](),
            max_epochs=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
            gradient_clip_val=1.0,
            use_distributed_sampler=False,
            **case.trainer,
        ),
        loggers=[CSVLogger],
        callbacks=[Kill()] if case.killed else [],
        batching=Batching(case.layout, 4, 300, max_length=512, on_too_long="error", workers=0),
        epochs=1,
        seed=0,
        checkpoint_minutes=60.0,
        checkpoint_steps=2,
        guard_rails=RAILS,
        ranking_loss=loss,
        team=place,
    )
    sampler = HuggingFaceSampler("float32", "sdpa")
    lora = Lora(rank=2, dropout=0.1) if case.lora else None
    student = Student(
        Folder(model), "chat", None, "float32", "sdpa", False, case.lora, False, lora, sampler
    )
    folder = root / case.name
    folder.mkdir(exist_ok=True)
    kind = Workspace if place.rank == 0 else Beside
    work = kind(folder, {"tokens": tokens}, NoBar())
    try:
        train_here(training, student, model, work)
    except KilledError:
        assert case.killed


def run_on_two(cases: list[Case], model: Path, tokens: Path, root: Path) -> None:
    """Train all cases, one after the other, in two processes."""
    mp.spawn(_process, (cases, model, tokens, root), nprocs=2)


def _process(rank: int, cases: list[Case], model: Path, tokens: Path, root: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    store = dist.FileStore(str(root / "meeting"), 2)
    trial = Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False)
    join(trial, store)
    for case in cases:
        run(case, model, tokens, root, Place(rank, 2))
        dist.barrier()


def again(case: Case, **changes: Any) -> Case:
    """Return the case that continues a killed one."""
    return replace(case, killed=False, **changes)
