"""Which W&B runs and artifacts stand for a plan's steps, and which were made from which.

The file `lineage.json` in a run's folder keeps it: offline the client refuses to say what a run
used, so that `tuna-exp track sync` says it later.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tuna_exp.durable import write_durably
from tuna_exp.records import Record
from tuna_exp.tracking.described import short_digest

if TYPE_CHECKING:
    from tuna_exp.plan import Step

LINEAGE_FILE = "lineage.json"
DATASET = "dataset"
# The type of the artifact that a stage makes. What only prepares another stage has none.
KINDS = {
    "sample": "candidates",
    "rank": "ranking",
    "mix": "ranking",
    "proxy": "proxy",
    "train": "checkpoint",
    "evaluate": "evaluation",
    "judge": "evaluation",
}
# The job type of a stage's run, where it is not the stage: `evaluate` is a method's own run.
JOBS = {"evaluate": "answer"}
_KEY = 16


class Node(Record):
    """A W&B run: what it uses and makes, by names of artifacts; "" where it makes none.

    `folder` is that of our artifact, below the store's root.
    """

    run: str
    name: str
    job_type: str
    inputs: tuple[str, ...] = ()
    artifact: str = ""
    kind: str = ""
    folder: str = ""
    metadata: dict[str, Any] = {}


class Lineage(Record):
    """The nodes of a run, inputs before those that use them; `root` is the store's folder."""

    project: str
    entity: str | None
    root: str
    group: str
    nodes: tuple[Node, ...] = ()


def node_of(step: "Step") -> Node | None:
    """Return the node of a step, None for a stage that is not tracked."""
    if step.stage not in KINDS:
        return None
    key = step.digest[:_KEY]
    return Node(
        run=f"{step.stage}-{key}",
        name=step.label,
        job_type=JOBS.get(step.stage, step.stage),
        inputs=tuple(dict.fromkeys(sources(step))),
        artifact=f"{KINDS[step.stage]}-{key}",
        kind=KINDS[step.stage],
        folder=f"{step.stage}/{key}",
    )


def data_node(data: Mapping[str, Any]) -> Node:
    """Return the node of a dataset, known by all that decides it."""
    name = f"{DATASET}-{short_digest(data)}"
    return Node(
        run=name,
        name=str(data.get("dataset", DATASET)),
        job_type=DATASET,
        artifact=name,
        kind=DATASET,
        metadata=json.loads(json.dumps(data)),
    )


def sources(step: "Step") -> Iterable[str]:
    """Yield the artifacts that a step was made from, through stages that have none."""
    if data := step.settings.get("data"):
        yield data_node(data).artifact
    for made in step.inputs.values():
        if made.stage in KINDS:
            yield f"{KINDS[made.stage]}-{made.digest[:_KEY]}"
        else:
            yield from sources(made)


def nodes_of(steps: Sequence["Step"]) -> list[Node]:
    """Return the nodes of steps that come dependencies first, their datasets among them."""
    found: dict[str, Node] = {}
    for step in steps:
        if data := step.settings.get("data"):
            node = data_node(data)
            found.setdefault(node.run, node)
        own = node_of(step)
        if own is not None:
            found[own.run] = own
    return list(found.values())


def read_lineage(path: Path) -> Lineage | None:
    """Return what a file holds, None where it is not there or torn."""
    with suppress(OSError, ValidationError):
        return Lineage.model_validate_json(path.read_bytes())
    return None


def keep_lineage(folder: Path, lineage: Lineage) -> None:
    """Write a run's lineage into its folder, with what is known from an earlier attempt."""
    path = folder / LINEAGE_FILE
    earlier = read_lineage(path)
    known = {node.run: node for node in (*(earlier.nodes if earlier else ()), *lineage.nodes)}
    folder.mkdir(parents=True, exist_ok=True)
    kept = lineage.model_copy(update={"nodes": tuple(known.values())})
    write_durably(path, kept.model_dump_json(indent=1))


def metadata_of(node: Node, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an artifact in W&B is told of ours: digests of it, its inputs and its files."""
    files = manifest.get("files", {})
    return {
        **node.metadata,
        "digest": manifest["digest"],
        "stage": manifest["stage"],
        "version": manifest["version"],
        "inputs": {name: made["digest"] for name, made in manifest["inputs"].items()},
        "made_from": list(node.inputs),
        "files": {name: file["sha256"] for name, file in files.items()},
    }
