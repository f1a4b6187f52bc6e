"""A run: the plan of its methods, its execution and its record."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from tuna_exp.executors.base import Executor
from tuna_exp.plan import Step, execute, json_value, missing_steps
from tuna_exp.planned import write_planned
from tuna_exp.progress import Display
from tuna_exp.run_records import Model, RunRecord, Scored
from tuna_exp.store import Artifact, Store
from tuna_exp.sweeps.outcomes import RUN_FILE
from tuna_exp.tracking.described import Described
from tuna_exp.tracking.settings import Tracking

if TYPE_CHECKING:
    from tuna_exp.lab import Lab
    from tuna_exp.services.account import Account
    from tuna_exp.tracking.tracker import Tracker

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """Where a run's artifacts and its record go, the overrides that tell it from others, who pays
    for services, its seed, and the digest of its settings.

    `tracking` is None where nothing is told to W&B; `described` is what is told of the settings.
    `executor` works on the batches of stages.
    """

    root: Path
    output: Path
    overrides: tuple[str, ...] = ()
    account: "Account | None" = None
    seed: int | None = None
    identity: str = ""
    tracking: Tracking | None = None
    described: Described = Described("")
    executor: Executor | None = None


def run_methods(
    lab: "Lab",
    recipes: Mapping[str, Callable[["Lab"], Step]],
    run: Run,
    check: Callable[[], None],
) -> Artifact:
    """Build everything the recipes need and return their comparison (see `run_comparison`)."""
    final = lab.compare({name: recipe(lab) for name, recipe in recipes.items()})
    return run_comparison(final, run, check)


def run_comparison(final: Step, run: Run, check: Callable[[], None]) -> Artifact:
    """Build a comparison and all it stands on, and write the run's record.

    `check` is called before the first step that must be built, and not where all is there.
    """
    store = Store(run.root)
    if store.find(final) is None:
        check()
        if run.executor is not None:
            run.executor.check()
        agree_on_cost(final, store, run)
    write_planned(final, run.root, run.output)
    with Display() as display:
        artifact = execute([final], store, display, tracker_of(run), run.executor)[final.digest]
    record = RunRecord(
        artifacts=str(run.root.resolve()),
        comparison=artifact.folder.name,
        evaluated={
            method: model_of({name: final.inputs[_only(keys)] for name, keys in made.items()})
            for method, made in final.settings["methods"].items()
        },
        overrides=run.overrides,
        seed=run.seed,
        identity=run.identity,
    )
    (run.output / RUN_FILE).write_text(record.model_dump_json(indent=1), encoding="utf-8")
    _log.info("comparison: %s", artifact.folder)
    return artifact


def tracker_of(run: Run) -> "Tracker | None":
    """Return who tells W&B of a run, None where nobody does."""
    if run.tracking is None or run.tracking.allowed == "disabled":
        return None
    from tuna_exp.tracking.tracker import Tracker

    return Tracker(run.tracking, run.output, run.described, run.root)


def _only(by_seed: Mapping[str, str]) -> str:
    """Return the one entry: a run has one seed."""
    (only,) = by_seed.values()
    return only


def model_of(figures: Mapping[str, Step]) -> Model:
    """Return the record of a model from the steps of its figures, by benchmark."""
    from tuna_exp.stages.judge import OURS

    answers = {name: step.inputs["predictions"] for name, step in figures.items()}
    first = next(iter(answers.values()))
    first = first.inputs.get(OURS, first)  # what a judge has marked, a model had answered
    inputs = {name: made.digest for name, made in first.inputs.items()}
    told = json_value({"llm": first.settings["llm"], "inputs": inputs}, "model")
    return Model(
        model=sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        scores={
            name: Scored(answers=answers[name].digest, figures=step.digest)
            for name, step in figures.items()
        },
    )


def agree_on_cost(final: Step, store: Store, run: Run) -> None:
    """Have the user agree to what services will be paid. Raises ConfigError where they do not."""
    from tuna_exp.services.account import agree
    from tuna_exp.services.billing import Bill

    total = Bill()
    for step in missing_steps([final], store):
        if step.bill:
            if step.ready:
                step.ready()  # what is missing for it comes before its cost
            total += step.bill()
    if run.account is not None:
        agree(run.account, total.usd, total.bound)


def show_comparison(artifact: Artifact) -> None:
    """Print a comparison and where its report lies."""
    from tuna_exp.stages.compare import TABLE

    console = Console(highlight=False)
    console.print(Text.from_ansi((artifact.folder / TABLE).read_text(encoding="utf-8")))
    console.print(f"Report with plots: {artifact.folder / 'report.html'}", soft_wrap=True)
