"""Train: examples and a model in, a Hugging Face folder and the curve of every metric out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning import Callback, LightningModule, Trainer, seed_everything
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch.loggers import Logger
from transformers import PreTrainedModel

from tuna_exp.batching.batch import RankedBatch, StepTotals, TokenizedExample
from tuna_exp.batching.choice import choose_layout
from tuna_exp.batching.layouts import LAYOUTS, collate
from tuna_exp.batching.order import (
    Order,
    PlannedBatches,
    ResumableLoader,
    fewest_micro_batches,
)
from tuna_exp.batching.split import Size, filled
from tuna_exp.batching.tokenise import Batching
from tuna_exp.batching.tokens import Tokens
from tuna_exp.efficiency.flops import ModelShape, Work, forward, responses
from tuna_exp.efficiency.flops import training as training_flops
from tuna_exp.errors import DataError, is_out_of_memory
from tuna_exp.losses.callbacks import RankingLoss
from tuna_exp.losses.likelihood import summed_logps, token_logps
from tuna_exp.models.export import export
from tuna_exp.models.student import Student
from tuna_exp.objectives.base import Objective
from tuna_exp.parallel.sharding import is_shared_out, numbers, whole_weights
from tuna_exp.parallel.strategies import data_place
from tuna_exp.parallel.team import Call, Team, everyone
from tuna_exp.plan import Workspace
from tuna_exp.progress import Bar
from tuna_exp.rails.callback import GuardRails, Watch
from tuna_exp.rails.memory import Footprint, advice
from tuna_exp.stages.checkpoints import Checkpoints, fit_on
from tuna_exp.stages.tokenise import TOKENS
from tuna_exp.tracking.curves import Seen
from tuna_exp.tracking.tracker import curve_loggers

CHECKPOINT = "checkpoint"
WAITING = 0.01  # share of a training's time that may go into waiting for its data
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """One training run. `objective(model=...)` and `trainer(...)` make the parts for a model.

    `name` is the objective's, by which the other processes of `team` make their own.
    `loggers` is called with a folder and a run's name; `checkpoint_minutes` is wall time, and
    `checkpoint_steps` optimizer steps, between checkpoints that a killed run continues from.
    """

    objective: Callable[..., Objective]
    trainer: Callable[..., Trainer]
    loggers: Sequence[Callable[..., Logger]]
    callbacks: Sequence[Callback]
    batching: Batching
    epochs: int
    seed: int
    checkpoint_minutes: float
    checkpoint_steps: int | None
    guard_rails: GuardRails
    ranking_loss: RankingLoss | None = None
    name: str = "sft"
    team: Team = field(default_factory=Team)


def train_sft(training: Training, student: Student, work: Workspace) -> None:
    """Fine-tune the base model on the tokens of the input `tokens`."""
    _lead(training, student, student.source.resolve(), work)


def train_ranked(training: Training, student: Student, work: Workspace) -> None:
    """Continue from the checkpoint of the input `model` on the tokens of the input `tokens`."""
    _lead(training, student, work.inputs["model"] / CHECKPOINT, work)


def _lead(training: Training, student: Student, start: Path, work: Workspace) -> None:
    with training.team.together(Call(training.name, start, work.folder, work.inputs)):
        train_here(training, student, start, work)


def train_here(training: Training, student: Student, start: Path, work: Workspace) -> None:
    """Train in this process, be it alone or one of several; the first one exports the model."""
    examples = Tokens(work.inputs["tokens"] / TOKENS)
    seed_everything(training.seed, workers=True, verbose=False)
    model = student.load(start)
    layout = choose_layout(training.batching.layout, model)
    if training.ranking_loss is not None and training.ranking_loss.needs_reference:
        budget = training.batching.micro_batch_positions
        examples.reference_logps = reference_logps(model, examples, layout, budget)
    module = training.objective(model=student.adapted(model))
    student.compiled(model)
    watch = watch_over(training.guard_rails, examples, student.encoder(start).end_id, work)
    _fit(training, module, examples, layout, watch, work)
    _export(training, module.model, student, start, work)
    tokens = sum(example.tokens for example in examples) * training.epochs
    flops = flops_of(training, module, examples, layout, start)
    work.note(layout=layout, trained_tokens=tokens, flops=flops)


def _export(
    training: Training, trained: PreTrainedModel, student: Student, start: Path, work: Workspace
) -> None:
    """Write what was trained, from the first process; the others help to put it together."""
    leads = training.team.rank == 0
    if is_shared_out(trained):
        weights = whole_weights(trained, keep=leads)
        if leads:
            trained = student.adapted(student.load(start))
            trained.load_state_dict(weights)
    if leads:
        trained.set_attn_implementation(student.attn_implementation)
        export(trained, student.tokenizer(start), work.folder / CHECKPOINT)


def _fit(
    training: Training,
    module: Objective,
    examples: Tokens,
    layout: str,
    watch: Watch,
    work: Workspace,
) -> None:
    """Run the trainer, from the last checkpoint of a killed attempt if there is one."""
    keeper = Checkpoints(
        work.scratch / "checkpoints", training.checkpoint_minutes, training.checkpoint_steps
    )
    name = f"{module.__class__.__name__}-{work.folder.name.partition('.')[0]}"
    files = [make(save_dir=str(work.folder / "logs"), name=name) for make in training.loggers]
    seen = Seen()
    trainer = training.trainer(
        callbacks=[*training.callbacks, watch, keeper, seen, ShowProgress(work.bar)],
        enable_checkpointing=False,  # of Lightning's own accord
        logger=[*files, *curve_loggers()],
        default_root_dir=str(work.folder),
        **({"plugins": plugins} if (plugins := training.team.plugins()) else {}),
    )
    sizes = LAYOUTS[layout].sizes(examples)
    order = plan_order(training, trainer, sizes)
    batches = PlannedBatches(examples, sizes, order, layout, data_place(trainer)[0], pad_id=0)
    loader = ResumableLoader(batches, training.batching.workers, order.accumulate)
    trainer.accumulate_grad_batches = order.accumulate
    seen.count(order.steps(len(examples)), [example.tokens for example in examples])
    module.seed = training.seed
    module.total_steps = len(loader) // order.accumulate
    try:
        fit_on(trainer, module, loader, keeper)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        longest = max(size.positions for size in sizes)
        positions = training.batching.micro_batch_positions
        told = advice(positions, longest, Footprint.of(module))
        raise DataError(f"out of memory in step {trainer.global_step + 1}: {told}.") from error
    tell_waiting(loader)
    work.note(waiting_for_data=round(loader.waiting_share, 5))


def flops_of(
    training: Training, module: Objective, examples: Tokens, layout: str, start: Path
) -> float | None:
    """Return the operations of a training, those of the reference model included."""
    shape = ModelShape.of_folder(start)
    if shape is None:
        return None
    shared = layout == "shared_prompt"
    works = [responses(len(e.prompt), list(map(len, e.responses)), shared) for e in examples]
    sizes = [(numbers(w), w.requires_grad) for w in module.model.parameters()]
    trained = sum(n for n, learns in sizes if learns) / sum(n for n, _ in sizes)
    once = forward(shape, sum(works, Work())) if examples.reference_logps is not None else 0.0
    return once + training.epochs * training_flops(shape, works, trained)


def watch_over(rails: GuardRails, examples: Tokens, end: int, work: Workspace) -> Watch:
    """Return the watch over a training; what it tells is kept among the artifact's facts."""
    prompts = [example.prompt for example in islice(iter(examples), rails.probe.prompts)]
    told: list[str] = []

    def tell(words: str) -> None:
        told.append(words)
        work.note(alerts=told)

    return Watch(rails, prompts, end, tell)


def tell_waiting(loader: ResumableLoader) -> None:
    """Warn where training waited for its data, and for more than a second."""
    if loader.waiting_share > WAITING and loader.waited > 1:
        log.warning(
            "training waited for batches %.1f %% of the time (batching.workers=%d). Cure: "
            "batching.workers=%d.",
            100 * loader.waiting_share,
            loader.num_workers,
            loader.num_workers + 2,
        )


def plan_order(training: Training, trainer: Trainer, sizes: Sequence[Size]) -> Order:
    """Return the order of training: as many micro-batches as were told, more where memory asks."""
    batching = training.batching
    told = (trainer.accumulate_grad_batches, data_place(trainer)[1])
    order = Order(batching.batch_size, *told, training.epochs, training.seed)
    return replace(
        order, accumulate=fewest_micro_batches(sizes, order, batching.micro_batch_positions)
    )


@torch.inference_mode()
def _summed(model: PreTrainedModel, batch: RankedBatch) -> list[float]:
    batch = move_data_to_device(batch, model.device)
    logp_C = summed_logps(token_logps(model, batch), batch.response_T, batch.length_C)
    return [float(value) for value in logp_C]


def reference_logps(
    model: PreTrainedModel, examples: Sequence[TokenizedExample], layout: str, budget: int
) -> list[tuple[float, ...]]:
    """Return each example's responses' summed log-probabilities under the model, in nats.

    Micro-batches of up to `budget` positions. The model is moved to the GPU if there is one. Of
    several processes each computes a share.
    """
    # Before inference mode: parameters moved within it could not be trained.
    movable: Any = model
    movable.to("cuda" if torch.cuda.is_available() else "cpu")
    sizes = LAYOUTS[layout].sizes(examples)
    found: dict[int, tuple[float, ...]] = {}
    place, processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    like_sizes = sorted(range(len(sizes)), key=lambda i: sizes[i].longest)
    for part in filled(like_sizes, sizes, budget)[place::processes]:
        some = [examples[i] for i in part]
        logps = iter(_summed(model, collate(some, layout, StepTotals.of(some))))
        found |= {
            i: tuple(islice(logps, len(e.responses))) for i, e in zip(part, some, strict=True)
        }
    whole = {i: logps for one in everyone(found) for i, logps in one.items()}
    return [whole[i] for i in range(len(sizes))]


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
