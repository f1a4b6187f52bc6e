"""All that a dashboard shows, as one JSON value: runs, and what their artifacts hold, each once.

    at          Unix time of the reading
    common      settings that all runs share, by dotted name
    runs        state, settings of its own, progress, and keys into the parts below
    curves      of a training: columns of numbers by metric, and `step`
    answers     of a model to a benchmark: score per item, texts of some items
    asked       those items' instructions
    rankings    figures, verdicts, some ranked sets
    stages      what each artifact took

Left out: grouping and intervals over a group, which the reader changes and the page computes.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuna_exp.dashboard.runs import RunFolder, find_runs
from tuna_exp.dashboard.shelf import Node, Shelf, cost

PARTS = ("curves", "answers", "asked", "rankings", "stages")


class Board:
    """Reads the runs below some folders again and again, finished artifacts only once."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = list(folders)
        self._shelves: dict[Path, Shelf] = {}

    def snapshot(self) -> dict[str, Any]:
        """Return the state of now; raises UserError where a folder is not there."""
        found = find_runs(self.folders)
        common = _common(found)
        parts: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
        runs = [self._run(run, common, parts) for run in found]
        return {"at": time.time(), "common": common, "runs": runs, **parts}

    def _run(
        self, run: RunFolder, common: Mapping[str, Any], parts: Mapping[str, dict[str, Any]]
    ) -> dict[str, Any]:
        settings = run.settings
        own = {name: settings.get(name) for name in settings if name not in common}
        shown = {
            "id": run.id,
            "state": run.state,
            "reason": run.reason,
            "again": run.again,
            "overrides": list(run.overrides),
            "seed": run.seed,
            "asked": _asked(run),
            "own": own,
            "began": run.began,
            "ended": run.ended,
        }
        nodes = self._nodes(run)
        return shown | _progress(run, nodes) | self._content(run, nodes, parts)

    def _nodes(self, run: RunFolder) -> dict[str, Node]:
        """Return every step of a run that is known, inputs first."""
        if run.artifacts is None:
            return {}
        shelf = self._shelf(run.artifacts)
        last = [run.comparison] if run.comparison else []
        last += [step.key for step in run.planned.steps] if run.planned else []
        last += [key for made in run.methods.values() for key in made.values()]
        nodes: dict[str, Node] = {}
        for key in last:
            if key not in nodes:
                nodes |= shelf.ancestors(key, run.planned)
        return nodes

    def _content(
        self, run: RunFolder, nodes: Mapping[str, Node], parts: Mapping[str, dict[str, Any]]
    ) -> dict[str, Any]:
        if run.artifacts is None:
            return {"models": {}, "rankings": [], "stages": []}
        shelf = self._shelf(run.artifacts)
        rankings, stages = list[str](), list[str]()
        truths = [
            t for node in nodes.values() if node.stage == "compare" for t in shelf.truths(node)
        ]
        for key, node in nodes.items():
            if node.finished:
                parts["stages"][key] = cost(node)
                stages.append(key)
            ranking = shelf.ranking(node) if node.stage == "rank" else None
            if ranking is not None:
                rankings.append(key)
                parts["rankings"].setdefault(key, ranking | {"truth": _truth(ranking, truths)})
        models = {
            method: self._model(figures, shelf, nodes, parts)
            for method, figures in run.methods.items()
        }
        return {"models": models, "rankings": rankings, "stages": stages}

    def _model(
        self,
        figures: Mapping[str, str],
        shelf: Shelf,
        nodes: Mapping[str, Node],
        parts: Mapping[str, dict[str, Any]],
    ) -> dict[str, Any]:
        """Return the keys of a model's last training, of all it stands on, and of its answers."""
        answers, made = dict[str, str](), dict[str, None]()
        for benchmark, key in figures.items():
            node = nodes.get(key)
            answered = nodes.get(node.inputs.get("predictions", "")) if node else None
            if answered is None:
                continue
            made |= dict.fromkeys(_below(answered, nodes))
            read = shelf.answers(answered)
            if read is not None:
                parts["asked"].setdefault(benchmark, {}).update(read["asked"])
                kept = {name: value for name, value in read.items() if name != "asked"}
                parts["answers"].setdefault(answered.key, kept)
                answers[benchmark] = answered.key
        trained = [key for key in made if nodes[key].stage == "train"]
        for key in trained:
            columns = shelf.curves(nodes[key])
            if columns is not None:
                parts["curves"].setdefault(key, {"label": nodes[key].label, "columns": columns})
        spent = [key for key in made if nodes[key].stage not in ("evaluate", "judge")]
        return {"train": trained[-1] if trained else "", "made": spent, "answers": answers}

    def _shelf(self, root: Path) -> Shelf:
        return self._shelves.setdefault(root, Shelf(root))


def _below(node: Node, nodes: Mapping[str, Node]) -> list[str]:
    """Return the keys of all that a node was made from, inputs first, each once."""
    found: dict[str, None] = {}
    for key in node.inputs.values():
        if key in nodes:
            found |= dict.fromkeys([*_below(nodes[key], nodes), key])
    return list(found)


def _progress(run: RunFolder, nodes: Mapping[str, Node]) -> dict[str, Any]:
    """Return how many steps are done, of how many, and which one is being done."""
    steps = [nodes[step.key] for step in run.planned.steps] if run.planned else []
    open_steps = [node for node in steps if not node.finished]
    begun = next((node for node in open_steps if node.folder.exists()), None)
    current = begun or next(iter(open_steps), None)
    going = run.state != "finished"
    return {
        "done": len(steps) - len(open_steps),
        "total": len(steps),
        "step": current.label if current and going else "",
    }


def _asked(run: RunFolder) -> list[str]:
    """Return the methods that a run was for; base and sft are evaluated beside them anyway."""
    named = [name.split(".")[1] for name in run.settings if name.startswith("method.")]
    asked = list(dict.fromkeys(named))
    return [name for name in asked if not run.methods or name in run.methods] or list(run.methods)


def _common(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """Return the settings that all runs with a config share."""
    known = [run.settings for run in runs if run.settings]
    if not known:
        return {}
    first, *rest = known
    return {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in rest)
    }


def _truth(ranking: Mapping[str, Any], truths: Sequence[Mapping[str, Any]]) -> list[float] | None:
    """Return a ranking's agreement with the truth, its interval and sets, where that is known."""
    name = str(ranking["label"]).removeprefix("rank ").removeprefix("measure ")
    for one in truths:
        agreement = one.get("agreement")
        if one.get("name") == name and isinstance(agreement, dict):
            return [agreement[key] for key in ("value", "low", "high", "items")]
    return None
