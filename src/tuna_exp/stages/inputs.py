"""The artifacts that a comparison is made from: what made what, and what each took."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuna_exp.comparison.results import StageCost, Tokens
from tuna_exp.efficiency.meters import noted
from tuna_exp.stages.judge import OURS

TRAINING_STAGES = ("train", "tokenise", "sample", "rank", "proxy")
MAKING_STAGES = (*TRAINING_STAGES, "mix")


class Inputs:
    """The artifacts that a comparison is made from, by folder name, with their manifests."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = dict(folders)
        self.manifests = {
            name: json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            for name, folder in folders.items()
        }

    def ancestors(self, name: str) -> list[str]:
        """Return the names of everything that an artifact was made from, each once, itself last."""
        found: dict[str, None] = {}
        for made in self.manifests[name]["inputs"].values():
            found |= dict.fromkeys(self.ancestors(f"{made['stage']}-{made['digest'][:16]}"))
        return [*found, name]

    def made_from(self, name: str, role: str = "predictions") -> str:
        """Return the name of what an artifact was made from; of figures: the marked answers."""
        made = self.manifests[name]["inputs"][role]
        return f"{made['stage']}-{made['digest'][:16]}"

    def asked(self, figures: str) -> str:
        """Return the name of the evaluation that figures are of, before any judge marked it."""
        marked = self.made_from(figures)
        judged = self.manifests[marked]["stage"] == "judge"
        return self.made_from(marked, OURS) if judged else marked

    def training_facts(self, name: str) -> list[dict[str, Any]]:
        """Return what the stages noted that a model was made by."""
        made = (self.manifests[ancestor] for ancestor in self.ancestors(name))
        return [noted(one) for one in made if one["stage"] in MAKING_STAGES]

    def cost(self, name: str) -> tuple[float, Tokens]:
        """Return seconds and tokens that making this artifact took, its ancestors included."""
        parts = [
            self.manifests[n]
            for n in self.ancestors(name)
            if self.manifests[n]["stage"] in TRAINING_STAGES
        ]
        return sum(p["wall_seconds"] for p in parts), sum(map(tokens_of, parts), Tokens())


def stage_cost(manifest: Mapping[str, Any]) -> StageCost:
    """Read what one stage took."""
    return StageCost(
        label=manifest["label"],
        stage=manifest["stage"],
        seconds=manifest["wall_seconds"],
        tokens=tokens_of(manifest),
        reused=False,
        digest=manifest["digest"][:16],
    )


def tokens_of(manifest: Mapping[str, Any]) -> Tokens:
    """Return the tokens that a stage trained on, generated and had a judge read, and dollars."""
    facts = manifest["facts"]
    return Tokens(
        trained=int(facts.get("trained_tokens", 0)),
        generated=int(facts.get("generated_tokens", 0)),
        judge_read=int(facts.get("judge_read_tokens", 0)),
        usd=float(facts.get("usd", 0.0)),
    )


def read_curve(folder: Path) -> list[dict[str, float | None]]:
    """Read the metrics of a training by step; a continuation wins over the attempt it overlaps."""
    by_step: dict[float, dict[str, float | None]] = {}
    for path in sorted(folder.glob("logs/**/metrics.csv"), key=lambda p: p.stat().st_mtime):
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                values = {key: float(value) if value else None for key, value in row.items()}
                by_step.setdefault(float(row["step"]), {}).update(
                    {k: v for k, v in values.items() if v is not None}
                )
    return [by_step[step] for step in sorted(by_step)]
