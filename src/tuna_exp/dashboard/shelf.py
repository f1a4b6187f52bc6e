"""The artifacts of runs, read once: a finished one never changes, an unfinished one is looked at
again whenever its files have changed.

What is read here is drawn as it stands; no figure is computed anew but the mean of a stretch of
steps. Left out: every answer of every model, of which a page holds a sample.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuna_exp.dashboard.curves import Columns, metrics_files, read_columns, rounded
from tuna_exp.planned import Planned
from tuna_exp.rankers.base import ranker_of
from tuna_exp.records import Prediction, RankedExample, Record

# Items of a benchmark, and sets of a ranking, whose texts are shown.
SAMPLES = 40
_LONGEST_TEXT = 1500
_LONGEST_RAW = 600


@dataclass
class Node:
    """One step of a run: its artifact's folder, whether that is finished, and its inputs' keys."""

    key: str
    stage: str
    label: str
    folder: Path
    finished: bool
    inputs: Mapping[str, str]
    manifest: Mapping[str, Any] = field(default_factory=dict)


class Shelf:
    """The artifacts below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._manifests: dict[str, Mapping[str, Any]] = {}
        self._read: dict[tuple[str, str], Any] = {}

    def node(self, key: str, planned: Planned | None = None) -> Node | None:
        """Return a step by the key of its artifact; None where nothing is known of it."""
        manifest = self._manifest(key)
        if manifest:
            inputs = {name: made["digest"][:16] for name, made in manifest["inputs"].items()}
            stage, label = str(manifest["stage"]), str(manifest["label"])
            return Node(key, stage, label, self.root / stage / key, True, inputs, manifest)
        for step in planned.steps if planned else ():
            if step.key == key:
                folder = self.root / step.stage / f"{key}.partial"
                return Node(key, step.stage, step.label, folder, False, step.inputs)
        return None

    def ancestors(self, key: str, planned: Planned | None = None) -> dict[str, Node]:
        """Return a step and all it stands on by their keys, inputs first."""
        found: dict[str, Node] = {}

        def visit(key: str) -> None:
            node = None if key in found else self.node(key, planned)
            if node is not None:
                for name in node.inputs.values():
                    visit(name)
                found[key] = node

        visit(key)
        return found

    def curves(self, node: Node) -> Columns | None:
        """Return the curves of a training, None where it has written none."""
        if node.finished and ("curves", node.key) in self._read:
            known: Columns | None = self._read["curves", node.key]
            return known
        columns: Columns | None = None
        with suppress(OSError, UnicodeDecodeError):
            files = metrics_files(node.folder)
            mark = (node.key, str([(path, path.stat().st_size) for path in files]))
            if mark not in self._read:
                self._read[mark] = read_columns(files) if files else None
            columns = self._read[mark]
        if node.finished:
            self._read["curves", node.key] = columns
        return columns

    def answers(self, node: Node) -> dict[str, Any] | None:
        """Return the score of every item of a finished evaluation, and its texts by item."""
        found: dict[str, Any] | None = self._once("answers", node, self._answers)
        return found

    def ranking(self, node: Node) -> dict[str, Any] | None:
        """Return a finished ranking's figures, verdicts and some of its sets."""
        found: dict[str, Any] | None = self._once("ranking", node, self._ranking)
        return found

    def truths(self, node: Node) -> Sequence[Mapping[str, Any]]:
        """Return how far rankings agree with the truth, as a finished comparison says."""
        return self._once("truths", node, _truths) or ()

    def _once(self, what: str, node: Node, read: Any) -> Any:
        if not node.finished:
            return None
        if (what, node.key) not in self._read:
            try:
                self._read[what, node.key] = read(node)
            except (OSError, ValueError, KeyError, TypeError):
                return None
        return self._read[what, node.key]

    def _manifest(self, key: str) -> Mapping[str, Any] | None:
        if key not in self._manifests:
            for path in self.root.glob(f"*/{key}/manifest.json"):
                with suppress(OSError, ValueError):
                    self._manifests[key] = json.loads(path.read_bytes())
        return self._manifests.get(key)

    def _answers(self, node: Node) -> dict[str, Any]:
        found = list(_records(node.folder / "predictions.jsonl", Prediction))
        items = sorted(found, key=lambda p: p.instruction.id)
        drawn = sorted(items, key=lambda p: _draw(p.instruction.id))[:SAMPLES]
        ids = [p.instruction.id for p in items]
        return {
            "items": hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12],
            "kinds": [p.instruction.kind for p in items],
            "scores": [rounded(p.score) for p in items],
            "tokens": rounded(sum(p.tokens for p in items) / max(len(items), 1)),
            "shown": {
                p.instruction.id: [_cut(p.text), rounded(p.score), p.passed, p.tokens]
                for p in drawn
            },
            "asked": {
                p.instruction.id: {
                    "text": _cut(p.instruction.text),
                    "kind": p.instruction.kind,
                    "reference": _cut(p.instruction.reference or ""),
                }
                for p in drawn
            },
        }

    def _ranking(self, node: Node) -> dict[str, Any]:
        figures = json.loads((node.folder / "reliability.json").read_text(encoding="utf-8"))
        sets = list(_records(node.folder / "ranking.jsonl", RankedExample))
        drawn = sorted(sets, key=lambda example: _draw(example.instruction.id))[:SAMPLES]
        facts = node.manifest.get("facts", {})
        named = {
            name: [value["value"], value["low"], value["high"], value["items"]]
            for name, value in figures.items()
            if isinstance(value, dict) and "value" in value
        }
        return {
            "label": node.label,
            "ranker": ranker_of(node.manifest),
            "sets": facts.get("sets", len(sets)),
            "ordered": facts.get("ordered_sets"),
            "refused": sum(facts.get("refusals", {}).values()),
            "figures": named,
            "verdicts": [
                {key: str(one.get(key, "")) for key in ("severity", "message", "cure")}
                for one in figures.get("verdicts", [])
            ],
            "samples": [_set(example) for example in drawn],
        }


def cost(node: Node) -> dict[str, Any]:
    """Return what making a finished artifact took: seconds, tokens and dollars."""
    facts = node.manifest.get("facts", {})
    kinds = ("trained_tokens", "generated_tokens", "judge_read_tokens")
    return {
        "label": node.label,
        "stage": node.stage,
        "seconds": float(node.manifest.get("wall_seconds", 0.0)),
        "tokens": sum(int(facts.get(kind, 0)) for kind in kinds),
        "usd": float(facts.get("usd", 0.0)),
    }


def _set(example: RankedExample) -> dict[str, Any]:
    return {
        "id": example.instruction.id,
        "text": _cut(example.instruction.text),
        "raw": (example.raw or "")[:_LONGEST_RAW],
        "responses": [
            {
                "text": _cut(response.text),
                "rank": response.rank,
                "score": None if response.score is None else rounded(response.score),
                "likelihood": (
                    None if response.likelihood is None else rounded(response.likelihood)
                ),
            }
            for response in example.responses
        ],
    }


def _truths(node: Node) -> list[Mapping[str, Any]]:
    said = json.loads((node.folder / "comparison.json").read_text(encoding="utf-8"))
    return [one for one in said.get("rankings", []) if isinstance(one, dict)]


def _records(path: Path, kind: type[Record]) -> Iterator[Any]:
    """Yield the records of a file; a line of another version of this project is left out."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            with suppress(ValidationError):
                yield kind.model_validate_json(line)


def _draw(item: str) -> str:
    """Order items by chance, in every evaluation alike: the same ones are shown of all."""
    return hashlib.sha256(item.encode()).hexdigest()


def _cut(text: str) -> str:
    left = len(text) - _LONGEST_TEXT
    return text if left <= 0 else f"{text[:_LONGEST_TEXT]} … ({left} more characters)"
