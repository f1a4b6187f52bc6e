"""From a composed config to a finished comparison: the only code that builds parts from a config.

In the order of what can fail cheaply: values, folders, the dataset, whether ranker and dataset fit;
only then are torch and its friends imported.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tuna_exp.config_types import OF_ALL_BENCHMARKS, check_config
from tuna_exp.errors import ConfigError, UserError, in_short
from tuna_exp.parallel.launched import ALONE
from tuna_exp.quiet import quiet_libraries, quiet_lightning, quiet_tracker
from tuna_exp.records import Instruction, RankedExample
from tuna_exp.sweeps.identity import identity
from tuna_exp.sweeps.job import place_of_process, typed
from tuna_exp.tracking.described import Described, described
from tuna_exp.tracking.settings import Tracking

if TYPE_CHECKING:
    from lightning import Trainer

    from tuna_exp.evaluation.base import Benchmark
    from tuna_exp.lab import Lab, Part
    from tuna_exp.models.student import Student
    from tuna_exp.parallel.team import Team

SAVED = ".hydra"
# Trainings with a ranking term, and those on one response per instruction.
RANKED, PLAIN = ("tuna_p", "tuna_c", "mixed"), ("sft", "best_of_n")


def native_precision() -> str:
    """Return bf16-mixed where the machine multiplies bfloat16 natively, else 32-true."""
    import torch

    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "bf16-mixed" if "avx512_bf16" in flags or "amx_bf16" in flags else "32-true"


def ranker_for(dataset: str) -> str:
    """Return the ranker that a dataset gets where none is named: the truth where there is one."""
    return "verifier" if dataset == "verifiable" else "contextual"


OmegaConf.register_new_resolver("native_precision", native_precision, replace=True)
OmegaConf.register_new_resolver("ranker_for", ranker_for, replace=True)

make = partial(hydra.utils.instantiate, _convert_="all")


def run_experiment(
    config: DictConfig, settings: Path, output: Path, overrides: Sequence[str], show: bool
) -> None:
    """Check a config, run its methods and compare them; the run's record goes to `output`.

    Of several processes that were launched one does so, and the others train along.
    `settings` is the folder of our YAML files, `overrides` what was asked for on the command line;
    `show` prints the comparison. Raises UserError for what the user can mend.
    """
    # Threads that wait without spinning: where others use the cores too, spinning made a small
    # product ten times slower; where none do, the difference is within the noise.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    quiet_libraries()  # first, as the check may import a module of the user's, and that torch
    check_config(config, settings)
    data = checked_data(config)
    team = gathered(config, output)
    try:
        if team.rank == 0:
            lead(config, data, output, overrides, show, team)
        else:
            from tuna_exp.parallel.following import follow

            follow(config, team)
    finally:
        team.dismiss()


def checked_data(config: DictConfig) -> tuple[Any, Sequence[Instruction]]:
    """Return the dataset and its instructions, where folder, data, ranker and strategy are right.

    Raises UserError for what is not: all of it can be told without importing torch.
    """
    from tuna_exp.parallel.checks import check_strategy

    check_folder(Path(config.artifacts), "artifacts")
    check_strategy(config)
    dataset = make(config.dataset)
    instructions: Sequence[Instruction] = dataset.load()
    check_rankers(config, instructions)
    return dataset, instructions


def gathered(config: DictConfig, output: Path) -> "Team":
    """Return the processes of a run's trainings, already connected if a launcher started them."""
    from tuna_exp.parallel.launched import launched
    from tuna_exp.parallel.team import Team, join

    if launched() > 1:
        return join(trial_trainer(config))
    if config.trainer.devices in (1, "1") and config.trainer.num_nodes == 1:
        return Team()
    from tuna_exp.parallel.local import Local

    return Local(partial(trial_trainer, config), output)


def trial_trainer(config: DictConfig, **options: Any) -> "Trainer":
    """Return a trainer that is only asked about its strategy and its place among processes."""
    trainer: Trainer = call(config.trainer, logger=False, enable_checkpointing=False, **options)
    return trainer


def lead(
    config: DictConfig,
    data: tuple[Any, Sequence[Instruction]],
    output: Path,
    overrides: Sequence[str],
    show: bool,
    team: "Team",
) -> None:
    """Run the methods of a checked config and compare them (see `run_experiment`)."""
    # Imported late: what was checked before must not wait for this.
    from tuna_exp.runs import Run, run_methods, show_comparison

    lab = build_lab(config, *data, team)
    lab.check()
    save_settings(config, overrides, output)
    name = identity(config)
    run = Run(
        Path(config.artifacts),
        output,
        tuple(overrides),
        make(config.account),
        config.seed,
        name,
        tracking_of(config),
        described_run(config, name, lab.student.source.digest()),
        make(config.executor),
    )

    def check() -> None:
        check_login(config)
        check_library_parts(config)

    artifact = run_methods(lab, make(config.method), run, check)
    if show:
        show_comparison(artifact)


def check_folder(folder: Path, key: str) -> None:
    """Raise ConfigError where a folder to write to is no folder or may not be written."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise ConfigError(
            f"{key}={folder}: {there} is a file, expected a folder. Cure: {key}=FOLDER."
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{key}={folder}: {there} may not be written. Cure: chmod u+w {there}, or {key}=FOLDER."
        )


def check_rankers(config: DictConfig, instructions: Sequence[Instruction]) -> None:
    """Raise ConfigError where a ranker that needs no model cannot rank these instructions."""
    for node in (config.ranker, config.teacher_ranker, *config.extra_rankers.values()):
        if not any(isinstance(value, DictConfig) for value in node.values()):
            make(node).check(instructions)


def check_library_parts(config: DictConfig) -> None:
    """Raise ConfigError where Lightning or torch refuse their settings in a trial."""
    import torch

    from tuna_exp.losses.head import check_head
    from tuna_exp.models.compiling import check_compiler

    check_head(config.objective.head)
    if config.model.compile:
        check_compiler()
    weight = torch.nn.Parameter(torch.zeros(1))
    trials: dict[str, Callable[[], Any]] = {
        "trainer": lambda: trial_trainer(config),
        "optimizer": lambda: call(config.optimizer, [weight], lr=1.0),
    }
    for name, node in config.logger.items():
        if "_partial_" in node:
            trials[f"logger.{name}"] = partial(call, node, save_dir=tempfile.gettempdir(), name="")
    for group, trial in trials.items():
        try:
            trial()
        except Exception as error:
            # What a library raises for a wrong argument is its own affair and changes.
            reason = in_short(error, 400)
            node = OmegaConf.select(config, group)
            settings = OmegaConf.to_yaml(node, resolve=True).replace("\n", "; ")
            raise ConfigError(
                f"{group} cannot be made: {reason}\nIts settings: {settings[:600]}\n"
                f"Cure: correct {group}.KEY=VALUE."
            ) from error
    tensor = config.strategy.get("tensor_parallel_size", 1)
    if tensor > 1:
        from tuna_exp.models.loading import load_config
        from tuna_exp.parallel.sharding import layer_plan

        layer_plan(load_config(make(config.model.source).resolve()), tensor)


def check_login(config: DictConfig) -> None:
    """Raise ConfigError where W&B is to be sent runs that it would refuse without a login."""
    tracking = tracking_of(config)
    modes = (config.comparison.tracking, tracking.mode if tracking else "disabled")
    if "online" not in modes or os.environ.get("WANDB_MODE") in ("offline", "disabled"):
        return
    import wandb

    if not wandb.login(prompt=False, verify=False):
        raise ConfigError(
            "runs are to be sent to W&B (logger.wandb.mode=online or comparison.tracking=online), "
            "but there is no login. Cure: `wandb login`, or logger.wandb.mode=offline."
        )


def tracking_of(config: DictConfig) -> Tracking | None:
    """Return what is asked of the tracker, None where none is asked."""
    made = (make(node) for node in config.logger.values() if "_partial_" not in node)
    return next((one for one in made if isinstance(one, Tracking)), None)


def described_run(config: DictConfig, name: str, base: Mapping[str, Any]) -> Described:
    """Return what W&B may be told of a run of that identity; `base` decides the model it trains.

    Its group is the sweep, else the experiment, else the run itself.
    """
    choices: Mapping[str, Any] = {}
    group = name[:8]
    if HydraConfig.initialized():
        settings = HydraConfig.get()
        choices = settings.runtime.choices
        place = place_of_process(typed(settings.overrides.task))
        if settings.mode == RunMode.MULTIRUN or place is not None:
            sweep = place.sweep if place else Path(settings.sweep.dir)
            group = "-".join(sweep.parts[-2:])
        elif choices.get("experiment"):
            group = str(choices["experiment"])
    return described(config, choices, group, base)


def save_settings(config: DictConfig, overrides: Sequence[str], output: Path) -> None:
    """Write what Hydra would have written, after the check: nothing secret is in it then."""
    folder = output / SAVED
    try:
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "config.yaml")
        OmegaConf.save(OmegaConf.create(list(overrides)), folder / "overrides.yaml")
    except OSError as error:
        raise UserError(
            f"{error.filename}: {error.strerror}. Cure: another folder with hydra.run.dir=FOLDER."
        ) from error


def build_lab(
    config: DictConfig,
    dataset: Any,
    instructions: Sequence[Instruction],
    team: "Team | None" = None,
) -> "Lab":
    """Make every part of the lab from its group; `team` are the processes of its trainings."""
    from tuna_exp.lab import Lab

    return Lab(
        data=dataset.digest(),
        instructions=instructions,
        published=published_in(dataset),
        student=build_student(config),
        teacher=make(config.teacher),
        scorer=make(config.score_with) or None,
        teacher_sampling=make(config.sampling_of_teacher),
        student_sampling=make(config.sampling),
        teacher_ranker=make(config.teacher_ranker),
        ranker=make(config.ranker),
        extra_rankers=make(config.extra_rankers),
        max_refused=config.max_refused,
        allow_contaminated=make(config.allow_contaminated),
        run_of_words=config.contamination.run_of_words,
        trainings={name: build_training(config, name, team) for name in (*RANKED, *PLAIN)},
        benchmarks=build_benchmarks(config),
        comparison=make(config.comparison),
        seed=config.seed,
    )


def published_in(dataset: Any) -> Sequence[RankedExample] | None:
    """Return the rankings that a dataset came with, None where it has none."""
    ranked: Sequence[RankedExample] | None = (
        dataset.load_ranked() if getattr(dataset, "ranked", False) else None
    )
    return ranked


def build_student(config: DictConfig) -> "Student":
    """Make the student from its groups."""
    from tuna_exp.models.student import Student

    # `name` and `revision` are there to be overridden; the source holds them.
    model = {k: v for k, v in make(config.model).items() if k not in ("name", "revision")}
    return Student(**model, lora=make(config.lora) or None, sampler=make(config.sampler))


def build_benchmarks(config: DictConfig) -> dict[str, "Benchmark"]:
    """Make the chosen benchmarks, each cut down to `evaluation.limit` items."""
    from tuna_exp.evaluation.subset import Drawn, Subset

    asked = config.evaluation
    drawn = Drawn(asked.temperature, asked.top_p, asked.top_k, asked.seed)
    chosen = {str(n): node for n, node in asked.items() if n not in OF_ALL_BENCHMARKS}
    return {name: Subset(make(node), asked.limit, drawn) for name, node in chosen.items()}


def build_training(config: DictConfig, name: str, team: "Team | None" = None) -> "Part":
    """Make one training and collect the settings that decide its result."""
    from tuna_exp.lab import Part
    from tuna_exp.parallel.team import Team
    from tuna_exp.stages.callbacks import FinishTrackers, RefuseDiverged
    from tuna_exp.stages.tokenise import Reading
    from tuna_exp.stages.train import Training
    from tuna_exp.sweeps.agents_curve import curve_for_agent
    from tuna_exp.sweeps.pruning import callbacks_here

    objective, own = config.objective, config.objective[name]
    loss = make(config.ranking_loss) if name in RANKED else None
    batching = make(config.batching)
    training = Training(
        objective=partial(call, own.module, **_objective_parts(config, name, loss)),
        trainer=partial(call, config.trainer),
        loggers=[partial(call, node) for node in config.logger.values() if "_partial_" in node],
        callbacks=[
            *make(config.callbacks).values(),
            *callbacks_here(name),
            *curve_for_agent(name),
            RefuseDiverged(),
            FinishTrackers(),
        ],
        batching=batching,
        epochs=own.epochs,
        seed=config.seed,
        checkpoint_minutes=objective.checkpoint_minutes,
        checkpoint_steps=objective.checkpoint_steps,
        guard_rails=make(config.guard_rails),
        ranking_loss=loss,
        name=name,
        team=team or Team(),
    )
    reading = Reading(batching, objective.mle_on, objective.use_unordered, objective.share)
    return Part(_decisive(config, name), training, reading)


def call(node: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Call what a node with `_partial_` makes; its class is imported only now."""
    make_it = make(node)
    quiet_lightning()
    made = make_it(*args, **kwargs)
    if "wandb" in str(node["_target_"]).lower():
        quiet_tracker(offline=bool(node.get("offline")))
    return made


def _objective_parts(config: DictConfig, name: str, loss: Any) -> dict[str, Any]:
    from tuna_exp.objectives.ranking import Weights

    objective = config.objective
    optimizer = partial(call, plain(config.optimizer), lr=objective[name].learning_rate)
    parts = {"optimizer": optimizer, "schedule": make(config.schedule), "head": objective.head}
    if loss is None:
        return parts
    return parts | {
        "ranking_loss": loss,
        "weights": Weights(objective.ranking_weight, objective.mle_weight),
        "gradient_share_every": objective.gradient_share_every,
    }


def _decisive(config: DictConfig, name: str) -> dict[str, Any]:
    """Return the settings that decide what a training makes."""
    groups = ["optimizer", "schedule", "batching", "trainer", "callbacks", "seed"]
    keys: list[str] = []
    if name in RANKED:
        groups.append("ranking_loss")
        keys = ["ranking_weight", "mle_weight"]
    chosen = {key: plain(config[key]) for key in groups}
    # How many devices share the work decides nothing: a killed training continues on others.
    chosen["trainer"] |= ALONE
    # What examples look like decides their tokens, an input; workers decide nothing.
    for elsewhere in ("max_length", "on_too_long", "workers"):
        del chosen["batching"][elsewhere]
    own = plain(config.objective[name])
    if rails := make(config.guard_rails).deciding():
        own["guard_rails"] = rails
    return {"name": name, **own, **chosen, **{key: config.objective[key] for key in keys}}


def plain(config: Any) -> Any:
    """Return a config node as plain dicts, lists and numbers, interpolations resolved."""
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
