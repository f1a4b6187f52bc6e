"""Train: examples and a model in, a Hugging Face folder and the curve of every metric out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer, seed_everything
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger
from transformers import PreTrainedModel

from tuna_exp.batching.batch import StepTotals, TokenizedExample
from tuna_exp.batching.layouts import collate
from tuna_exp.batching.order import (
    Order,
    PlannedBatches,
    ResumableLoader,
    fewest_micro_batches,
)
from tuna_exp.batching.tokenise import Batching, MleOn, Tokeniser
from tuna_exp.errors import DataError
from tuna_exp.losses.callbacks import RankingLoss
from tuna_exp.losses.likelihood import summed_logps, token_logps
from tuna_exp.models.export import export
from tuna_exp.models.loading import supports_prompt_sharing
from tuna_exp.models.student import Student
from tuna_exp.objectives.base import Objective
from tuna_exp.plan import Workspace
from tuna_exp.progress import Bar
from tuna_exp.records import Instruction, RankedExample, read_records
from tuna_exp.stages.rank import RANKING

CHECKPOINT = "checkpoint"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """One training run. `objective(model=...)` and `trainer(...)` make the parts for a model.

    `loggers` is called with a folder and a run's name; `checkpoint_minutes` is wall time between
    checkpoints that a killed run continues from.
    """

    objective: Callable[..., Objective]
    trainer: Callable[..., Trainer]
    loggers: Sequence[Callable[..., Logger]]
    callbacks: Sequence[Callback]
    batching: Batching
    epochs: int
    seed: int
    mle_on: MleOn
    use_unordered: bool
    checkpoint_minutes: float
    ranking_loss: RankingLoss | None = None


def train_sft(
    training: Training, student: Student, instructions: Sequence[Instruction], work: Workspace
) -> None:
    """Fine-tune the base model on the dataset's own responses."""
    start = student.source.resolve()
    _train(training, student, start, lambda t: [t.reference(i) for i in instructions], work)


def train_ranked(training: Training, student: Student, work: Workspace) -> None:
    """Continue from the checkpoint of the input `model` on the ranking of the input `ranking`."""
    examples = list(read_records(work.inputs["ranking"] / RANKING, RankedExample))
    used = [e for e in examples if training.use_unordered or e.ordered_pairs]
    work.note(
        sets=len(examples),
        ordered_sets=sum(e.ordered_pairs > 0 for e in examples),
        sets_used=len(used),
    )
    start = work.inputs["model"] / CHECKPOINT
    _train(training, student, start, lambda t: [t.ranked(e, training.mle_on) for e in used], work)


def _train(
    training: Training,
    student: Student,
    start: Path,
    read: Callable[[Tokeniser], list[TokenizedExample | None]],
    work: Workspace,
) -> None:
    tokeniser = Tokeniser(student.encoder(start), training.batching)
    found = read(tokeniser)
    examples = [example for example in found if example is not None]
    if not examples:
        raise DataError(
            f"no example is left to train on: {len(found)} could be used, {tokeniser.dropped} of "
            f"them were dropped as longer than batching.max_length={training.batching.max_length}. "
            "Cure: more data, a ranking with an order (objective.use_unordered=true takes sets "
            "without), a higher batching.max_length, or batching.on_too_long=truncate."
        )
    seed_everything(training.seed, workers=True, verbose=False)
    model = student.load(start)
    layout = choose_layout(training.batching.layout, model)
    if training.ranking_loss is not None and training.ranking_loss.needs_reference:
        examples = with_reference(model, examples, layout)
    module = training.objective(model=student.adapted(model))
    _fit(training, module, examples, layout, work)
    # The module's model and not `model`: adapters were put into that one in place.
    export(module.model, student.tokenizer(start), work.folder / CHECKPOINT)
    tokens = sum(example.tokens for example in examples) * training.epochs
    work.note(
        examples=len(examples), dropped=tokeniser.dropped, layout=layout, trained_tokens=tokens
    )


def _fit(
    training: Training,
    module: Objective,
    examples: list[TokenizedExample],
    layout: str,
    work: Workspace,
) -> None:
    """Run the trainer, from the last checkpoint of a killed attempt if there is one."""
    every = timedelta(minutes=training.checkpoint_minutes)
    keeper = KeepWholeSteps(
        work.scratch, filename="last", train_time_interval=every, enable_version_counter=False
    )
    name = f"{module.__class__.__name__}-{work.folder.name.partition('.')[0]}"
    trainer = training.trainer(
        callbacks=[*training.callbacks, keeper, ShowProgress(work.bar)],
        logger=[make(save_dir=str(work.folder / "logs"), name=name) for make in training.loggers],
        default_root_dir=str(work.folder),
    )
    order = plan_order(training, trainer, examples, layout)
    loader = ResumableLoader(PlannedBatches(examples, order, layout, trainer.global_rank, pad_id=0))
    trainer.accumulate_grad_batches = order.accumulate
    module.total_steps = len(loader) // order.accumulate
    last = work.scratch / "last.ckpt"
    module.train()
    try:
        trainer.fit(module, loader, ckpt_path=last if last.exists() else None)
    except SystemExit as stopped:
        # Lightning answers Ctrl-C with an exit and not a word; who called us has words for it.
        raise KeyboardInterrupt from stopped
    module.eval()


def plan_order(
    training: Training, trainer: Trainer, examples: list[TokenizedExample], layout: str
) -> Order:
    """Return the order of training: as many micro-batches as were told, more where memory asks."""
    batching = training.batching
    told = (trainer.accumulate_grad_batches, trainer.world_size)
    order = Order(batching.batch_size, *told, training.epochs, training.seed)
    fewest = fewest_micro_batches(examples, order, layout, batching.micro_batch_positions)
    return replace(order, accumulate=fewest)


def choose_layout(wanted: str, model: PreTrainedModel) -> str:
    """Return the layout wanted, or padded with a warning where the model cannot share prompts."""
    reason = supports_prompt_sharing(model.config) if wanted == "shared_prompt" else None
    if reason:
        log.warning(
            "batching=shared_prompt is not possible: %s. Using batching=padded, which is slower.",
            reason,
        )
        return "padded"
    return wanted


def with_reference(
    model: PreTrainedModel, examples: list[TokenizedExample], layout: str
) -> list[TokenizedExample]:
    """Return the examples with each response's summed log-probability under the model, in nats.

    The model is moved to the GPU if there is one.
    """
    # Before inference mode: parameters moved within it could not be trained.
    movable: Any = model
    movable.to("cuda" if torch.cuda.is_available() else "cpu")
    return [
        replace(example, reference_logps=_summed(model, example, layout)) for example in examples
    ]


@torch.inference_mode()
def _summed(model: PreTrainedModel, example: TokenizedExample, layout: str) -> tuple[float, ...]:
    batch = move_data_to_device(collate([example], layout, StepTotals.of([example])), model.device)
    logp_C = summed_logps(token_logps(model, batch), batch.response_T, batch.length_C)
    return tuple(float(v) for v in logp_C)


class KeepWholeSteps(ModelCheckpoint):
    """Saves between optimizer steps only: a checkpoint has no gradients of a step half done."""

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save where it is time to and the step is complete."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)


class ShowProgress(Callback):
    """Moves the step's bar at each optimizer step and shows the loss."""

    def __init__(self, bar: Bar) -> None:
        self.bar = bar
        self.shown = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the bar where a continued run starts."""
        self.shown = trainer.global_step
        self.bar.start(int(trainer.estimated_stepping_batches), "steps", self.shown)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Advance by the optimizer steps taken since the last call."""
        taken, self.shown = trainer.global_step - self.shown, trainer.global_step
        if taken:
            self.bar.advance(taken)
            self.bar.say(f"loss {float(trainer.callback_metrics.get('loss', float('nan'))):.3f}")
