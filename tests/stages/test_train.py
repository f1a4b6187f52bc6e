"""Training stages on the tiny model: what they learn from, log, export and continue from."""

import itertools
import math
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from tuna_exp.batching.tokenise import Batching
from tuna_exp.errors import DataError
from tuna_exp.losses.callbacks import DPO, RankingLoss, Tuna
from tuna_exp.models.loading import load_model
from tuna_exp.models.lora import Lora
from tuna_exp.models.student import Student
from tuna_exp.objectives.base import Schedule
from tuna_exp.objectives.ranking import TunaPModule, Weights
from tuna_exp.objectives.sft import SFTModule
from tuna_exp.plan import Workspace
from tuna_exp.rails.callback import GuardRails, Watch
from tuna_exp.rails.probe import Probe
from tuna_exp.rails.rules import Rule
from tuna_exp.records import Instruction, RankedExample
from tuna_exp.stages import train
from tuna_exp.stages.inputs import read_curve
from tuna_exp.stages.rank import RANKING
from tuna_exp.stages.tokenise import Reading, tokenise_instructions, tokenise_ranking
from tuna_exp.stages.train import CHECKPOINT, Training
from tuna_exp.unfinished import Notebook

MakeWork = Callable[..., Workspace]
TUNA = Tuna("sum", 0.1, 1.0)
BATCHING = Batching("shared_prompt", 2, 4096, max_length=512, on_too_long="error", workers=0)
WARN = Rule(1e9, "warn")
RAILS = GuardRails(2, WARN, WARN, WARN, WARN, Probe(0, 1, 8))
PARTS: dict[str, Any] = {
    "optimizer": partial(torch.optim.Adam, lr=1e-3),
    "schedule": Schedule("cosine", 0),
    "head": "chunked",
}


def training(
    loss: RankingLoss | None = None, trainer: Mapping[str, Any] = {}, rails: GuardRails = RAILS
) -> Training:
    quiet: dict[str, Any] = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
    }
    weights: dict[str, Any] = {"weights": Weights(1.0, 1.0), "gradient_share_every": 1}
    ranked: Any = partial(TunaPModule, **PARTS | {"ranking_loss": loss} | weights)
    return Training(
        objective=ranked if loss else partial(SFTModule, **PARTS),
        trainer=partial(Trainer, accelerator="cpu", max_epochs=1, **quiet, **trainer),
        loggers=[CSVLogger],
        callbacks=[],
        batching=BATCHING,
        epochs=1,
        seed=0,
        checkpoint_minutes=60.0,
        checkpoint_steps=None,
        guard_rails=rails,
        ranking_loss=loss,
    )


def tokens_of(work: Workspace) -> Path:
    return work.folder.with_name(f"{work.folder.name}-tokens")


def read(work: Workspace, tokenise: Callable[..., None], *arguments: Any) -> Workspace:
    """Tokenise into a folder beside the work, and return the work with it among its inputs."""
    folder = tokens_of(work)
    folder.mkdir(exist_ok=True)
    tokenise(*arguments, replace(work, folder=folder))
    return replace(work, inputs=dict(work.inputs) | {"tokens": folder})


def train_sft(
    run: Training, student: Student, instructions: list[Instruction], work: Workspace
) -> None:
    reading = Reading(run.batching, "reference", True, 1.0)
    work = read(work, tokenise_instructions, reading, student, instructions)
    train.train_sft(run, student, work)


def train_ranked(
    run: Training, student: Student, work: Workspace, use_unordered: bool = True
) -> None:
    reading = Reading(run.batching, "reference", use_unordered, 1.0)
    work = read(work, tokenise_ranking, reading, student)
    train.train_ranked(run, student, work)


def weights(folder: Path) -> dict[str, Tensor]:
    return dict(load_model(folder).state_dict())


def curve(work: Workspace) -> list[dict[str, Any]]:
    return [dict(row) for row in read_curve(work.folder)]


def changed(folder: Path, base: Path) -> set[str]:
    before = weights(base)
    return {name for name, value in weights(folder).items() if not torch.equal(value, before[name])}


def test_sft_trains_and_exports_a_whole_model(
    student: Student, instructions: list[Instruction], make_work: MakeWork, tiny_folder: Path
) -> None:
    """Six examples, two per step: three steps; every weight has moved."""
    work = make_work()
    train_sft(training(), student, instructions, work)
    made = work.folder / CHECKPOINT
    assert weights(made).keys() == weights(tiny_folder).keys() == changed(made, tiny_folder)
    assert len(curve(work)) == 3
    assert Notebook(tokens_of(work)).facts()["examples"] == 6
    assert len(student.llm(made).open().encoder.prompt_ids(instructions[0])) > 1


def test_ranked_training_logs_every_measure(
    student: Student, start: Path, ranking: Path, make_work: MakeWork
) -> None:
    work = make_work(model=start, ranking=ranking)
    train_ranked(training(TUNA), student, work)
    rows = curve(work)
    measures = ["loss", "ranking_loss", "mle_loss", "pair_accuracy", "kendall_tau", "margin"]
    measures += ["active_hinges/gap_1", "length_best", "length_worst", "logp_best"]
    for row in rows:
        assert all(math.isfinite(row[m]) for m in [*measures, "gradient_share_ranking"])
    assert len(rows) == 3 and 0 < rows[0]["gradient_share_ranking"] < 1
    facts = Notebook(tokens_of(work)).facts()
    assert (facts["sets"], facts["ordered_sets"], facts["sets_used"]) == (6, 6, 6)
    assert 0 < Notebook(work.folder).facts()["waiting_for_data"] < 1


def test_sets_without_order_are_left_out_where_asked(
    student: Student, start: Path, ranking: Path, make_work: MakeWork
) -> None:
    """Six sets with an order and one without: 6 or 7 examples."""
    alone = RankedExample.from_scores(
        Instruction(id="x", instruction="x", reference="y"), ["z"], [0]
    )
    with (ranking / RANKING).open("a") as file:
        file.write(alone.model_dump_json() + "\n")
    for use, count in ((True, 7), (False, 6)):
        work = make_work(str(use), model=start, ranking=ranking)
        train_ranked(training(TUNA), student, work, use)
        facts = Notebook(tokens_of(work)).facts()
        assert (facts["sets"], facts["ordered_sets"], facts["examples"]) == (7, 6, count)


def test_dpo_starts_from_no_preference(
    student: Student, start: Path, ranking: Path, make_work: MakeWork
) -> None:
    """Before the first step the model is its reference: -log sigmoid(0) = log 2 for every pair."""
    work = make_work(model=start, ranking=ranking)
    train_ranked(training(DPO(0.1)), student, work)
    assert curve(work)[0]["ranking_loss"] == pytest.approx(math.log(2), abs=1e-5)


@pytest.mark.parametrize("modules", ["all-linear", ["q_proj"]])
def test_lora_trains_adapters_alone_and_exports_them_merged(
    modules: str | list[str],
    student: Student,
    instructions: list[Instruction],
    make_work: MakeWork,
    tiny_folder: Path,
) -> None:
    adapted = replace(student, lora=Lora(rank=2, target_modules=modules))
    work = make_work()
    train_sft(training(), adapted, instructions, work)
    linear = {n for n in weights(tiny_folder) if n.endswith("_proj.weight")}
    expected = linear if modules == "all-linear" else {n for n in linear if "q_proj" in n}
    assert changed(work.folder / CHECKPOINT, tiny_folder) == expected
    assert not list((work.folder / CHECKPOINT).glob("adapter*"))


def test_what_lora_exports_is_what_it_trained(
    student: Student, start: Path, ranking: Path, make_work: MakeWork
) -> None:
    """Continued with adapters on the merged model, DPO starts from no preference again."""
    adapted = replace(student, lora=Lora(rank=2))
    first = make_work("first", model=start, ranking=ranking)
    train_ranked(training(TUNA), adapted, first)
    second = make_work("second", model=first.folder, ranking=ranking)
    train_ranked(training(DPO(0.1)), adapted, second)
    assert curve(second)[0]["ranking_loss"] == pytest.approx(math.log(2), abs=1e-5)


def test_bf16_mixed_trains_float32_weights(
    student: Student, start: Path, ranking: Path, make_work: MakeWork
) -> None:
    work = make_work(model=start, ranking=ranking)
    train_ranked(training(TUNA, {"precision": "bf16-mixed"}), student, work)
    assert all(math.isfinite(row["loss"]) for row in curve(work))
    made = weights(work.folder / CHECKPOINT).values()
    assert {value.dtype for value in made} == {torch.float32}


@pytest.mark.parametrize(
    ("thrifty", "lora"),
    [
        ({"gradient_checkpointing": True}, None),
        ({"gradient_checkpointing": True}, Lora(rank=2)),
        ({"compile": True}, Lora(rank=2)),
        pytest.param({"compile": True}, None, marks=pytest.mark.slow),  # compiling takes a while
    ],
)
def test_checkpointing_and_compiling_give_the_same_gradients(
    thrifty: dict[str, Any],
    lora: Lora | None,
    student: Student,
    instructions: list[Instruction],
    make_work: MakeWork,
) -> None:
    """Gradients are what plain gradient descent at rate 1 moves the weights by."""
    descent: dict[str, Any] = {
        "optimizer": partial(torch.optim.SGD, lr=1.0),
        "schedule": PARTS["schedule"],
        "head": "chunked",
    }
    made = []
    for options in ({}, thrifty):
        work = make_work("".join(options))
        run = replace(training(), objective=partial(SFTModule, **descent))
        train_sft(run, replace(student, **options, lora=lora), instructions, work)
        made.append(weights(work.folder / CHECKPOINT))
    torch.testing.assert_close(made[0], made[1], rtol=1e-5, atol=1e-6)


class Stop(Callback):
    """Raises before the third step, as a kill would stop there."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == 2:
            raise self.error


@pytest.mark.parametrize("lora", [None, Lora(rank=2)])
def test_a_killed_training_continues_to_the_uninterrupted_one(
    lora: Lora | None, student: Student, start: Path, ranking: Path, make_work: MakeWork
) -> None:
    """Three steps, killed after the second; the bar of the continuation begins at 2."""
    adapted = replace(student, lora=lora)
    run = replace(training(TUNA), checkpoint_minutes=0.0)
    whole = make_work("whole", model=start, ranking=ranking)
    train_ranked(run, adapted, whole)
    killed = make_work("killed", model=start, ranking=ranking)
    with pytest.raises(ZeroDivisionError):
        train_ranked(replace(run, callbacks=[Stop(ZeroDivisionError())]), adapted, killed)
    again = make_work("killed", model=start, ranking=ranking)
    train_ranked(run, adapted, again)
    one, two = (weights(w.folder / CHECKPOINT) for w in (whole, again))
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    assert [row["loss"] for row in curve(again)] == [row["loss"] for row in curve(whole)]


@pytest.mark.parametrize("seconds", [10.0, 22.0, 31.0, 61.0])
def test_checkpoints_hold_whole_steps(
    seconds: float,
    student: Student,
    instructions: list[Instruction],
    make_work: MakeWork,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two micro-batches per step, a checkpoint per minute, a clock that goes on with each look.

    Whenever the minute is over, within a step or between two, the continuation is the same.
    """
    run = replace(training(None, {"accumulate_grad_batches": 2}), checkpoint_minutes=1.0)
    whole = make_work("whole")
    train_sft(run, student, instructions, whole)
    clock = (seconds * tick for tick in itertools.count())
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    for stops in ([Stop(ZeroDivisionError())], []):
        killed = make_work("killed")
        with suppress(ZeroDivisionError):
            train_sft(replace(run, callbacks=stops), student, instructions, killed)
    one, two = (weights(w.folder / CHECKPOINT) for w in (whole, killed))
    torch.testing.assert_close(one, two, rtol=0, atol=0)


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Lightning switches Ctrl-C off when it meets one."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_is_passed_on(
    student: Student, instructions: list[Instruction], make_work: MakeWork
) -> None:
    run = replace(training(), callbacks=[Stop(KeyboardInterrupt())])
    with pytest.raises(KeyboardInterrupt):
        train_sft(run, student, instructions, make_work())


def test_nothing_left_to_train_on_is_told(
    student: Student, instructions: list[Instruction], make_work: MakeWork
) -> None:
    run = replace(training(), batching=replace(BATCHING, max_length=5, on_too_long="drop"))
    with pytest.raises(DataError, match="6 of them were dropped.*batching.max_length=5.*Cure"):
        train_sft(run, student, instructions, make_work())


PROBING = Probe(every=2, prompts=2, max_new_tokens=6)
CALM = {"displacement": WARN, "divergence": WARN, "length_growth": WARN, "repetition": WARN}


def watched(window: int = 1, probe: Probe = PROBING, **rules: Rule) -> GuardRails:
    return GuardRails(window=window, probe=probe, **CALM | rules)


def test_a_watched_training_is_the_training_that_is_not(
    student: Student, start: Path, ranking: Path, make_work: MakeWork
) -> None:
    """Probes draw no random number and leave mode and attention as they were."""
    plain, probed = (make_work(name, model=start, ranking=ranking) for name in ("plain", "probed"))
    train_ranked(training(TUNA), student, plain)
    train_ranked(training(TUNA, rails=watched()), student, probed)
    ours, theirs = (weights(work.folder / CHECKPOINT) for work in (plain, probed))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    lengths = [row["probe/length"] for row in curve(probed) if "probe/length" in row]
    assert len(lengths) == 2  # before the first of three steps, and after the second


def test_a_rule_that_warns_is_told_once_and_kept(
    student: Student, start: Path, ranking: Path, make_work: MakeWork, caplog: Any
) -> None:
    work = make_work(model=start, ranking=ranking)
    always = Rule(-1e9, "warn")
    train_ranked(training(TUNA, rails=watched(displacement=always)), student, work)
    told = [r.message for r in caplog.records if "guard_rails.displacement" in r.message]
    assert len(told) == 1
    assert Notebook(work.folder).facts()["alerts"] == told


def test_a_rule_that_stops_keeps_the_model(
    student: Student, start: Path, ranking: Path, make_work: MakeWork, tiny_folder: Path
) -> None:
    """Told after the first of three steps: the second is not taken, the model is there."""
    work = make_work(model=start, ranking=ranking)
    always = Rule(-1e9, "stop")
    train_ranked(training(TUNA, rails=watched(displacement=always)), student, work)
    assert [row["step"] for row in curve(work) if "loss" in row] == [0]
    assert changed(work.folder / CHECKPOINT, tiny_folder)


@pytest.mark.parametrize("name", ["displacement", "divergence", "length_growth", "repetition"])
def test_a_rule_that_fails_ends_the_run(
    name: str, student: Student, start: Path, ranking: Path, make_work: MakeWork
) -> None:
    work = make_work(model=start, ranking=ranking)
    rails = watched(**{name: Rule(-1e9, "fail")})
    with pytest.raises(DataError, match=rf"was ended: after \d optimizer steps .*{name}.limit"):
        train_ranked(training(TUNA, rails=rails), student, work)


def test_what_was_seen_survives_a_checkpoint() -> None:
    watch = Watch(watched(), [], 0, lambda words: None)
    watch.losses.add(2.0)
    watch.lengths.append(3.0)
    watch.told.append("divergence")
    again = Watch(watched(), [], 0, lambda words: None)
    again.load_state_dict(watch.state_dict())
    assert again.state_dict() == watch.state_dict()


def test_only_rules_that_stop_decide_a_training() -> None:
    assert watched().deciding() == {}
    assert list(watched(repetition=Rule(0.5, "stop")).deciding()) == [
        "window",
        "probe",
        "repetition",
    ]


def test_no_memory_left_says_what_to_change(
    student: Student, instructions: list[Instruction], make_work: MakeWork
) -> None:
    """The callback asks for 2^60 bytes in the second step, as a large micro-batch would."""

    class Greedy(Callback):
        def on_train_batch_start(self, *arguments: Any) -> None:
            if arguments[-1] == 1:
                torch.empty(2**60, dtype=torch.uint8)

    run = replace(training(), callbacks=[Greedy()])
    with pytest.raises(DataError, match=r"step 2: Cure: batching.micro_batch_positions=\d+ inst"):
        train_sft(run, student, instructions, make_work())
