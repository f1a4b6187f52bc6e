"""Follows a plan's execution: a W&B run for each stage that is built, with its inputs and output.

A stage that an earlier run has built is not told again; where the server does not know what it
made (it was built without a tracker), that is logged when another stage uses it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuna_exp.efficiency.meters import noted
from tuna_exp.plan import Step, in_order
from tuna_exp.store import MANIFEST, Artifact, Store
from tuna_exp.tracking.client import Client, not_fatal
from tuna_exp.tracking.described import Described
from tuna_exp.tracking.lineage import Node, data_node, metadata_of, node_of, nodes_of
from tuna_exp.tracking.settings import Mode, Tracking
from tuna_exp.tracking.tables import ranked_table

if TYPE_CHECKING:
    import wandb
    from lightning.pytorch.loggers import Logger

_CURRENT: ContextVar["Tracker | None"] = ContextVar("tracker", default=None)
_NUMBERS = (int, float)


class Tracker:
    """Tells W&B of the steps of one run, whose folder is `folder` and whose store is `root`."""

    def __init__(self, tracking: Tracking, folder: Path, described: Described, root: Path) -> None:
        self.client = Client(tracking, folder, described, root, self.log_missing)
        self.store = Store(root)
        self.steps: dict[str, Step] = {}
        self.methods: dict[str, list[str]] = {}
        self.run: wandb.Run | None = None
        self._known: set[str] = set()

    def planned(self, final: Sequence[Step]) -> None:
        """Take note of a plan: what its artifacts are called, and which method each step is of."""
        ordered = in_order(final)
        self.steps = {node.artifact: step for step in ordered if (node := node_of(step))}
        self.methods = methods_of(final)
        if self.client.mode != "disabled":
            with not_fatal("the lineage"):
                self.client.keep(nodes_of(ordered))

    @contextmanager
    def building(self, step: Step) -> Iterator[Callable[[Artifact], None]]:
        """Track a step while the block builds it; what is given is called with its artifact."""
        node = node_of(step)
        token = _CURRENT.set(self)
        try:
            if node is None:
                yield _told_nobody
                return
            self._log_data(step)
            with self.client.running(node, self._about(step)) as run:
                self.run = run
                yield lambda artifact: self._built(run, node, artifact)
        finally:
            self.run = None
            _CURRENT.reset(token)

    def log_missing(self, name: str) -> None:
        """Log an artifact that the server does not know, as a run of its own."""
        step = self.steps.get(name)
        artifact = self.store.find(step) if step else None
        node = node_of(step) if step else None
        if step is not None and node is not None and artifact is not None:
            self._log_data(step)
            with self.client.running(node, self._about(step)) as run:
                self._built(run, node, artifact)

    def _about(self, step: Step) -> dict[str, Any]:
        methods = self.methods.get(step.digest, [])
        own = {"method": methods[0]} if methods else {}
        return {**own, "methods": methods, "stage": step.stage, "digest": step.digest}

    def _log_data(self, step: Step) -> None:
        """Log the dataset that a step or what it is made from reads, once."""
        for made in in_order([step]):
            data = made.settings.get("data")
            if not data or (node := data_node(data)).run in self._known:
                continue
            self._known.add(node.run)
            with self.client.running(node, {"stage": node.job_type}) as run, not_fatal(node.run):
                if run is not None and self.client.tracking.log_artifacts != "none":
                    log_artifact(run, node, node.metadata)

    def _built(self, run: "wandb.Run | None", node: Node, artifact: Artifact) -> None:
        """Log what a stage noted, its table and its artifact."""
        if run is None:
            return
        manifest, tracking = artifact.manifest, self.client.tracking
        with not_fatal(f"the figures of {node.run}"):
            run.summary.update(figures_of(manifest))
        with not_fatal(f"the table of {node.run}"):
            self._log_tables(run, node, artifact)
        if tracking.log_artifacts != "none":
            with not_fatal(f"the artifact {node.artifact}"):
                whole = artifact.folder if tracking.log_artifacts == "files" else None
                log_artifact(run, node, metadata_of(node, manifest), artifact.folder, whole)

    def _log_tables(self, run: "wandb.Run", node: Node, artifact: Artifact) -> None:
        if node.kind == "ranking":
            from tuna_exp.stages.rank import RANKING

            rows = self.client.tracking.rows
            run.log({"ranked_samples": ranked_table(artifact.folder / RANKING, rows)})


def curve_loggers() -> "list[Logger]":
    """Return what writes a training's curve to the W&B run of the step that is being built."""
    tracker = _CURRENT.get()
    if tracker is None or tracker.run is None:
        return []
    from tuna_exp.tracking.curves import Curves

    return [Curves(tracker.run, tracker.client.tracking.axis)]


def client_for(mode: Mode, project: str, folder: Path, group: str) -> Client | None:
    """Return who logs a comparison: the tracker's client, or one of its own below `folder`.

    None where nothing is to be logged.
    """
    if mode == "disabled":
        return None
    tracker = _CURRENT.get()
    if tracker is None:
        return Client(Tracking(mode, project), folder, Described(group))
    if tracker.client.tracking.mode != mode:
        own = replace(tracker.client.tracking, mode=mode)
        return replace(tracker.client, tracking=own)
    return tracker.client


def log_artifact(
    run: "wandb.Run",
    node: Node,
    metadata: Mapping[str, Any],
    folder: Path | None = None,
    whole: Path | None = None,
) -> None:
    """Log a node's artifact: the manifest in `folder`, all files of `whole` where they are asked.

    Files are read where they lie; no second copy of a checkpoint is made.
    """
    import wandb

    artifact = wandb.Artifact(node.artifact, type=node.kind, metadata=dict(metadata))
    if whole is not None:
        artifact.add_dir(str(whole), policy="immutable", skip_cache=True)
    elif folder is not None:
        artifact.add_file(str(folder / MANIFEST), MANIFEST, policy="immutable")
    run.log_artifact(artifact)


def figures_of(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers that a stage noted and that were metered, and the seconds it took."""
    facts = noted(manifest)
    numbers = {name: value for name, value in facts.items() if isinstance(value, _NUMBERS)}
    return {**numbers, "seconds": manifest["wall_seconds"]}


def methods_of(final: Sequence[Step]) -> dict[str, list[str]]:
    """Return the methods that each step of a comparison is for, by digest.

    First comes the one whose model the step itself is of: of a training that several methods start
    from it is the method that ends there.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    for comparison in final:
        for method, benchmarks in comparison.settings.get("methods", {}).items():
            names = [name for seeds in benchmarks.values() for name in seeds.values()]
            steps = in_order([comparison.inputs[name] for name in names])
            for step in steps:
                found.setdefault(step.digest, []).append((len(steps), method))
    # The method that needs fewest steps is the one that ends first.
    return {digest: [method for _, method in sorted(made)] for digest, made in found.items()}


def _told_nobody(artifact: Artifact) -> None:
    pass
