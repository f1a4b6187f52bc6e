"""Comparisons of several finished runs, on artifacts made again from their manifests."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuna_exp import comparable
from tuna_exp.datasets.overlap import RUN_OF_WORDS
from tuna_exp.errors import UserError
from tuna_exp.plan import Step, Workspace, execute
from tuna_exp.progress import Display
from tuna_exp.run_records import Model, named_apart, read_runs, read_whole
from tuna_exp.runs import show_comparison
from tuna_exp.store import MANIFEST, Artifact
from tuna_exp.stores import Stores

if TYPE_CHECKING:
    from tuna_exp.evaluation.contamination import Contamination
    from tuna_exp.stages.compare import Settings

COPIED = ("table.md", "table.tex", "table.csv", "figures.csv", "comparison.json", "report.html")


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
    final = compare_step(
        evaluated,
        settings,
        measured,
        list(dict.fromkeys(overlaps)),
        remarks,
        finished.run_of_words(records[0].comparison),
    )
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


def _by_benchmark(finished: "Finished", models: Mapping[str, Model]) -> dict[str, dict[str, Step]]:
    """Return the steps of a method's figures, by benchmark and seed."""
    made: dict[str, dict[str, Step]] = {}
    for seed, model in models.items():
        for name, scored in model.scores.items():
            made.setdefault(name, {})[seed] = finished.step(scored.figures)
    return made


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

    def run_of_words(self, comparison: str) -> int:
        """Return how many words in a row were looked for in a comparison's training data."""
        return int(self._manifest(comparison)["settings"].get("run_of_words", RUN_OF_WORDS))

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
        return read_whole(folders[0] / MANIFEST, json.loads)


def _gone(label: str, work: Workspace) -> None:
    """Stand for the work of a step that is known from its manifest alone."""
    raise UserError(
        f"'{label}' in {work.folder} is not whole and cannot be made from its manifest. Cure: run "
        "its experiment again."
    )
