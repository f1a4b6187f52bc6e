"""A run: the plan of its methods, its execution, its record, and comparisons of several runs."""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from tuna_exp import comparable
from tuna_exp.errors import UserError, nearest
from tuna_exp.executors.base import Executor
from tuna_exp.plan import Step, Workspace, execute, json_value, missing_steps
from tuna_exp.planned import write_planned
from tuna_exp.progress import Display
from tuna_exp.records import Record
from tuna_exp.store import MANIFEST, Artifact, Store
from tuna_exp.stores import Stores
from tuna_exp.sweeps.outcomes import RUN_FILE
from tuna_exp.tracking.described import Described
from tuna_exp.tracking.settings import Tracking

if TYPE_CHECKING:
    from tuna_exp.evaluation.contamination import Contamination
    from tuna_exp.lab import Lab
    from tuna_exp.services.account import Account
    from tuna_exp.stages.compare import Settings
    from tuna_exp.tracking.tracker import Tracker

COPIED = ("table.md", "table.tex", "table.csv", "figures.csv", "comparison.json", "report.html")
# Overrides that say where things go and who pays, which makes no other method.
_UNTOLD = ("method=", "artifacts=", "hydra.", "logger", "comparison.", "budget.", "transport=")
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Scored(Record):
    """The digests of a model's answers to a benchmark and of the figures over them."""

    answers: str
    figures: str


class Model(Record):
    """What tells a model from others, and its scores by benchmark."""

    model: str
    scores: dict[str, Scored]

    def agrees(self, other: "Model") -> bool:
        """Whether it is the same model with the same answers, where both were asked."""
        shared = self.scores.keys() & other.scores.keys()
        same = all(self.scores[name].answers == other.scores[name].answers for name in shared)
        return self.model == other.model and same


class RunRecord(Record):
    """Where a run's artifacts are, its comparison, what it evaluated, what was asked.

    `seed` is null in records that were written before it was kept. `identity` is the digest of its
    settings: a sweep does not run again what has the same.
    """

    artifacts: str
    comparison: str
    evaluated: dict[str, Model]
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    identity: str = ""

    @property
    def known_seed(self) -> str | None:
        """The seed as a word, also where only an override tells it."""
        if self.seed is not None:
            return str(self.seed)
        told = [o.partition("=")[2] for o in self.overrides if o.startswith("seed=")]
        return told[-1] if told else None


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


def compare_runs(
    folders: Sequence[Path],
    baseline: str | None = None,
    out: Path | None = None,
    roots: Sequence[Path] = (),
) -> Artifact:
    """Compare the methods of all finished runs below the folders, and print the comparison.

    Against `baseline`, or that of the first run. Its files are copied to the folder `out`.
    Artifacts are looked for below `roots` and where the runs had them, and the comparison goes to
    the first of these. Raises UserError where there is nothing to compare, an artifact is gone or
    nothing has that name.
    """
    records = read_runs(folders)
    places = [*roots, *(Path(record.artifacts) for record in records)]
    finished = Finished(Stores(list(dict.fromkeys(places))))
    # Imported late, with torch and all: folders without a run are told at once.
    from tuna_exp.scoring import compare_step

    named, remarks = told_apart(named_apart(records), finished)
    evaluated = {method: _by_benchmark(finished, models) for method, models in named.items()}
    settings = finished.settings(records[0].comparison)
    base = comparable.chosen_baseline(baseline, settings.baseline, list(evaluated))
    settings = replace(settings, baseline=base)
    remarks += unlike(named, settings.baseline, finished)
    measured = [step for record in records for step in finished.rankings(record.comparison)]
    overlaps = [one for record in records for one in finished.overlaps(record.comparison)]
    final = compare_step(evaluated, settings, measured, list(dict.fromkeys(overlaps)), remarks)
    with Display() as display:
        artifact = execute([final], finished.store, display)[final.digest]
    if out is not None:
        copy_comparison(artifact.folder, out)
    show_comparison(artifact)
    return artifact


Named = Mapping[str, Mapping[str, Model]]


def told_apart(named: Named, finished: "Finished") -> tuple[dict[str, dict[str, Model]], list[str]]:
    """Return the models by name and seed, and in words which were not seeds of one method.

    What overrides cannot tell is asked of all that made the models (see `comparable`).
    """
    found: dict[str, dict[str, Model]] = {}
    told: list[str] = []
    for name, models in named.items():
        made = {seed: finished.lineage(model) for seed, model in models.items()}
        first, *others = comparable.groups(made)
        told += comparable.not_pooled(name, made, [first, *others])
        found[name] = {seed: models[seed] for seed in first}
        for number, part in enumerate(others, 1):
            change = comparable.first_change(made, part, first)
            own = f"{name} {change.key.rpartition('.')[2]}={change.one}"
            free = f"{own} {number}" if own in {**found, **named} else own
            found[free] = {seed: models[seed] for seed in part}
    return found, told


def unlike(named: Named, baseline: str, finished: "Finished") -> list[str]:
    """Return in words what the methods do not have in common with the baseline."""
    first = {name: next(iter(models.values())) for name, models in named.items()}
    made = {name: finished.lineage(model) for name, model in first.items()}
    return comparable.remarks(made, baseline)


def copy_comparison(comparison: Path, out: Path) -> None:
    """Copy the files of a comparison that people and programs read. Raises UserError on failure."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in (*COPIED, *(plot.name for plot in comparison.glob("pareto-*"))):
            shutil.copyfile(comparison / name, out / name)
    except OSError as error:
        raise UserError(
            f"out={out}: {error.strerror}. Cure: a folder that can be written."
        ) from error


def read_runs(folders: Sequence[Path]) -> list[RunRecord]:
    """Return the records of the runs below folders; raises UserError where there are none."""
    for folder in folders:
        if not folder.is_dir():
            beside = [p.name for p in folder.parent.iterdir()] if folder.parent.is_dir() else []
            raise UserError(
                f"runs={folder}: there is no such folder.{nearest(folder.name, beside)} Cure: give "
                "the folder that a run or a sweep wrote, runs/DATE/TIME."
            )
    paths = [path for folder in folders for path in sorted(folder.rglob(RUN_FILE))]
    if not paths:
        names = ", ".join(map(str, folders))
        raise UserError(
            f"no finished run below {names}: no {RUN_FILE} there. Cure: give the folder that a run "
            "or a sweep wrote, runs/DATE/TIME."
        )
    # A job that was done before is a link to that run, which may lie below a folder as well.
    paths = list(dict.fromkeys(path.resolve() for path in paths))
    return [_read(path, RunRecord.model_validate_json) for path in paths]


def named_apart(records: Sequence[RunRecord]) -> dict[str, dict[str, Model]]:
    """Return each method's models by seed, under a name that tells it from the others.

    Runs that differ by their seed alone are one method. Where results differ otherwise, what was
    asked of only some of the runs is added to the name, as in "tuna_p dpo". A model that all runs
    have, as the base model, has the seed "": none had a part in it.
    """
    asked = Counter(override for record in records for override in set(record.overrides))
    found: dict[str, list[Model]] = {}
    for record in records:
        for name, model in record.evaluated.items():
            found.setdefault(name, []).append(model)
    named: dict[str, dict[str, Model]] = {}
    for number, record in enumerate(records):
        for name, model in record.evaluated.items():
            seed = record.known_seed
            if all(a.agrees(b) for a, b in combinations(found[name], 2)):
                apart, seed = name, "" if len(found[name]) > 1 else seed
            else:
                apart = " ".join([name, *_own(record, name, records, asked)])
            apart, seed = _place(named, apart, seed, model, number)
            earlier = named.setdefault(apart, {}).get(seed)
            scores = {**model.scores, **(earlier.scores if earlier else {})}
            named[apart][seed] = Model(model=model.model, scores=scores)
    return named


def _place(
    named: Mapping[str, Mapping[str, Model]],
    apart: str,
    seed: str | None,
    model: Model,
    number: int,
) -> tuple[str, str]:
    """Return the name and seed under which a model stands, in the way of no other."""
    there = named.get(apart, {})
    if seed is None:  # not pooled with any: who knows what it was trained with
        return (apart if not there else f"{apart} run {number}"), ""
    if seed in there and not there[seed].agrees(model):
        return f"{apart} run {number}", seed
    return apart, seed


def _own(
    record: RunRecord, name: str, records: Sequence[RunRecord], asked: Mapping[str, int]
) -> tuple[str, ...]:
    """Return what tells a run's models from those of other runs, besides method and seed.

    Nothing, where what was asked otherwise made no difference to the models of one seed. Where no
    two runs share a seed nobody knows that, and they are not taken for one method.
    """
    by_own: dict[tuple[str, ...], dict[str | None, Model]] = {}
    for other in records:
        if name in other.evaluated:
            models = by_own.setdefault(_differing(other, len(records), asked), {})
            models[other.known_seed] = other.evaluated[name]
    pairs = combinations(by_own.values(), 2)
    if all(
        one.keys() & other.keys()
        and all(one[seed].agrees(other[seed]) for seed in one.keys() & other.keys())
        for one, other in pairs
    ):
        return ()
    return _differing(record, len(records), asked)


def _differing(record: RunRecord, runs: int, asked: Mapping[str, int]) -> tuple[str, ...]:
    """Return what only some of the runs were asked, besides method, places and a known seed."""
    told = _UNTOLD if record.known_seed is None else (*_UNTOLD, "seed=")
    return tuple(_short(o) for o in record.overrides if asked[o] < runs and not o.startswith(told))


def _by_benchmark(finished: "Finished", models: Mapping[str, Model]) -> dict[str, dict[str, Step]]:
    """Return the steps of a method's figures, by benchmark and seed."""
    made: dict[str, dict[str, Step]] = {}
    for seed, model in models.items():
        for name, scored in model.scores.items():
            made.setdefault(name, {})[seed] = finished.step(scored.figures)
    return made


def _short(override: str) -> str:
    """The part of an override that tells it from others: a word as it is, a number with its key."""
    key, _, value = override.partition("=")
    return value if value.isidentifier() else f"{key.rpartition('.')[2]}={value}"


@dataclass(frozen=True)
class Finished:
    """Steps and settings of finished artifacts, made again from their manifests."""

    store: Stores

    def step(self, digest: str) -> Step:
        """Return an artifact's step with all it was made from; UserError where one is gone."""
        return self._steps({}, digest)

    def settings(self, comparison: str) -> "Settings":
        """Return the settings of a comparison."""
        from tuna_exp.stages.compare import Settings

        given = self._manifest(comparison)["settings"]
        own = {field.name for field in fields(Settings)}
        return Settings(**{key: value for key, value in given.items() if key in own})

    def overlaps(self, comparison: str) -> "list[Contamination]":
        """Return how much of each benchmark stood in a comparison's training data."""
        from tuna_exp.evaluation.contamination import Contamination

        found = self._manifest(comparison)["settings"].get("overlaps", [])
        return [Contamination.model_validate(one) for one in found]

    def lineage(self, model: Model) -> comparable.Lineage:
        """Return all that made a model."""
        figures = next(iter(model.scores.values())).figures
        return comparable.lineage(self.step(figures), self._folder)

    def _folder(self, step: Step) -> Path | None:
        found = self.store.find(step)
        return found.folder if found else None

    def rankings(self, comparison: str) -> list[Step]:
        """Return the steps of all rankings that a comparison measured."""
        made = self._manifest(comparison)["inputs"].values()
        return [self.step(one["digest"]) for one in made if one["stage"] == "rank"]

    def _steps(self, known: dict[str, Step], digest: str) -> Step:
        if digest not in known:
            manifest = self._manifest(digest)
            inputs = {n: self._steps(known, m["digest"]) for n, m in manifest["inputs"].items()}
            parts = {key: manifest[key] for key in ("stage", "label", "version", "settings")}
            known[digest] = Step(**parts, inputs=inputs, run=partial(_gone, parts["label"]))
        return known[digest]

    def _manifest(self, digest: str) -> Any:
        roots = self.store.roots
        folders = [f for root in roots for f in sorted(root.glob(f"*/{digest[:16]}"))]
        if not folders:
            raise UserError(
                f"artifact {digest[:16]} is gone from {', '.join(map(str, roots))}. Cure: run its "
                "experiment again, or name the folder that artifacts were moved to: "
                "tuna-exp compare runs=FOLDER artifacts=FOLDER."
            )
        return _read(folders[0] / MANIFEST, json.loads)


def _gone(label: str, work: Workspace) -> None:
    """Stand for the work of a step that is known from its manifest alone."""
    raise UserError(
        f"'{label}' in {work.folder} is not whole and cannot be made from its manifest. Cure: run "
        "its experiment again."
    )


def _read(path: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} cannot be read: {reason}. Cure: run its experiment again."
        ) from error
