"""A run: the plan of its methods, its execution, its record, and comparisons of several runs."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from tuna_exp.errors import UserError, nearest
from tuna_exp.plan import Step, Workspace, execute, missing_steps
from tuna_exp.progress import Display
from tuna_exp.records import Record
from tuna_exp.store import MANIFEST, Artifact, Store

if TYPE_CHECKING:
    from tuna_exp.lab import Lab
    from tuna_exp.services.account import Account
    from tuna_exp.stages.compare import Settings

RUN_FILE = "run.json"
_log = logging.getLogger(__name__)
T = TypeVar("T")


class RunRecord(Record):
    """Where a run's artifacts are, its comparison, what it evaluated, what was asked."""

    artifacts: str
    comparison: str
    evaluated: dict[str, str]
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """Where a run's artifacts and its record go, the overrides that tell it from others, and who
    pays for services.
    """

    root: Path
    output: Path
    overrides: tuple[str, ...] = ()
    account: "Account | None" = None


def run_methods(
    lab: "Lab",
    recipes: Mapping[str, Callable[["Lab"], Step]],
    run: Run,
    check: Callable[[], None],
) -> Artifact:
    """Build everything the recipes need and return their comparison.

    `check` is called before the first step that must be built, and not where all is there.
    """
    final = lab.compare({name: recipe(lab) for name, recipe in recipes.items()})
    store = Store(run.root)
    if store.find(final) is None:
        check()
        agree_on_cost(final, store, run)
    with Display() as display:
        artifact = execute([final], store, display)[final.digest]
    record = RunRecord(
        artifacts=str(run.root.resolve()),
        comparison=artifact.folder.name,
        evaluated={
            name: final.inputs[key].digest for name, key in final.settings["methods"].items()
        },
        overrides=run.overrides,
    )
    (run.output / RUN_FILE).write_text(record.model_dump_json(indent=1), encoding="utf-8")
    _log.info("comparison: %s", artifact.folder)
    return artifact


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


def compare_runs(folders: Sequence[Path]) -> None:
    """Compare the methods of all finished runs below the folders, and print the comparison.

    Raises UserError where there is nothing to compare or an artifact is gone.
    """
    records = read_runs(folders)
    roots = {record.artifacts for record in records}
    if len(roots) > 1:
        raise UserError(
            f"the runs keep their artifacts in different folders ({', '.join(sorted(roots))}). "
            "Cure: compare those of one folder."
        )
    finished = Finished(Store(Path(roots.pop())))
    # Imported late, with torch and all: folders without a run are told at once.
    from tuna_exp.lab import compare_step

    evaluated = {name: finished.step(key) for name, key in named_apart(records).items()}
    settings = finished.settings(records[0].comparison)
    if settings.baseline not in evaluated:
        settings = replace(settings, baseline=_first_like(settings.baseline, list(evaluated)))
    measured = [step for record in records for step in finished.rankings(record.comparison)]
    final = compare_step(evaluated, settings, measured)
    with Display() as display:
        artifact = execute([final], finished.store, display)[final.digest]
    show_comparison(artifact)


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
    return [_read(path, RunRecord.model_validate_json) for path in dict.fromkeys(paths)]


def named_apart(records: Sequence[RunRecord]) -> dict[str, str]:
    """Return the digest of each evaluation under a name of its own.

    A method that several runs have with one result is one; where results differ, what was asked of
    only some of the runs is added to the name, as in "tuna_p dpo" or "tuna_p seed=1".
    """
    asked = Counter(override for record in records for override in set(record.overrides))
    digests: dict[str, set[str]] = {}
    for record in records:
        for name, digest in record.evaluated.items():
            digests.setdefault(name, set()).add(digest)
    named: dict[str, str] = {}
    for number, record in enumerate(records):
        differing = [o for o in record.overrides if asked[o] < len(records)]
        own = [_short(o) for o in differing if not o.startswith("method=")]
        for name, digest in record.evaluated.items():
            apart = name if len(digests[name]) == 1 else " ".join([name, *own])
            if named.get(apart, digest) != digest:
                apart = f"{apart} run {number}"
            named[apart] = digest
    return named


def _short(override: str) -> str:
    """The part of an override that tells it from others: a word as it is, a number with its key."""
    key, _, value = override.partition("=")
    return value if value.isidentifier() else f"{key.rpartition('.')[2]}={value}"


def _first_like(baseline: str, names: Sequence[str]) -> str:
    return next((name for name in names if name.startswith(f"{baseline} ")), names[0])


@dataclass(frozen=True)
class Finished:
    """Steps and settings of finished artifacts, made again from their manifests."""

    store: Store

    def step(self, digest: str) -> Step:
        """Return an artifact's step with all it was made from; UserError where one is gone."""
        return self._steps({}, digest)

    def settings(self, comparison: str) -> "Settings":
        """Return the settings of a comparison."""
        from tuna_exp.stages.compare import Settings

        given = self._manifest(comparison)["settings"]
        return Settings(**{key: value for key, value in given.items() if key != "methods"})

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
        folders = sorted(self.store.root.glob(f"*/{digest[:16]}"))
        if not folders:
            raise UserError(
                f"artifact {digest[:16]} is gone from {self.store.root}. Cure: run its experiment "
                "again."
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
