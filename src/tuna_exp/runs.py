"""A run: the plan of its methods, its execution, and what is shown at the end."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tuna_exp.errors import UserError
from tuna_exp.lab import Lab, compare_step
from tuna_exp.plan import Step, Workspace, execute
from tuna_exp.progress import Display
from tuna_exp.stages.compare import TABLE, Settings
from tuna_exp.store import Artifact, Store

RUN_FILE = "run.json"
log = logging.getLogger(__name__)


def run_methods(lab: Lab, recipes: Mapping[str, Callable[[Lab], Step]], root: Path, output: Path) -> None:
    """Build everything the recipes need, compare them and show the table; `output` gets the run's record."""
    final = lab.compare({name: recipe(lab) for name, recipe in recipes.items()})
    store = Store(root)
    with Display() as display:
        artifact = execute([final], store, display)[final.digest]
    output.mkdir(parents=True, exist_ok=True)
    evaluated = {name: final.inputs[key].digest for name, key in final.settings["methods"].items()}
    record = {"artifacts": str(root.resolve()), "comparison": artifact.folder.name, "evaluated": evaluated}
    (output / RUN_FILE).write_text(json.dumps(record, indent=2), encoding="utf-8")
    show(artifact)


def show(artifact: Artifact) -> None:
    """Print the comparison and where its report lies."""
    console = Console()
    console.print(Text.from_ansi((artifact.folder / TABLE).read_text(encoding="utf-8")))
    console.print(f"\nReport with plots: {artifact.folder / 'report.html'}", soft_wrap=True)


def compare_runs(folders: Sequence[Path]) -> None:
    """Compare the methods of finished runs, found below the folders by their `run.json`."""
    records = [json.loads(path.read_text()) for folder in folders for path in sorted(folder.rglob(RUN_FILE))]
    if not records:
        names = ", ".join(map(str, folders))
        raise UserError(f"no finished run below {names}: no {RUN_FILE} there. Cure: give the folder that a run or sweep wrote.")
    roots = {record["artifacts"] for record in records}
    if len(roots) > 1:
        raise UserError(f"the runs keep their artifacts in different folders ({', '.join(sorted(roots))}); compare those of one.")
    store = Store(Path(roots.pop()))
    evaluated = {name: restore(store, digest) for record in records for name, digest in record["evaluated"].items()}
    first = next(e for e in store.entries() if e.folder.name == records[0]["comparison"])
    settings = Settings(**{k: v for k, v in read_manifest(first.folder)["settings"].items() if k != "methods"})
    final = compare_step(evaluated, settings)
    with Display() as display:
        artifact = execute([final], store, display)[final.digest]
    show(artifact)


def restore(store: Store, digest: str) -> Step:
    """Make the step of a finished artifact again from its manifest, down to what it was made from.

    Raises UserError where it is gone.
    """
    found = [e.folder for e in store.entries() if e.folder.name == digest[:16]]
    if not found:
        raise UserError(f"artifact {digest[:16]} is gone from {store.root}. Cure: run its experiment again.")
    manifest = read_manifest(found[0])
    inputs = {name: restore(store, made["digest"]) for name, made in manifest["inputs"].items()}
    parts = (manifest[key] for key in ("stage", "label", "version", "settings"))
    return Step(*parts, inputs=inputs, run=gone)


def gone(work: Workspace) -> None:
    """Stand for the work of a step that is known from its manifest alone."""
    raise UserError(f"{work.folder} is no longer whole and cannot be made from its manifest. Cure: run its experiment again.")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read an artifact's manifest."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest
