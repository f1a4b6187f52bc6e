"""How long a stage will take and how much it writes, from what earlier ones of its kind took.

Of a kind are artifacts of one stage and one model, whatever its seed: their seconds per unit of
`work` (see `plan.Step`) are known from the store. Left out: the machine. A store that several
machines share mixes their speeds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Any

from tuna_exp.plan import Step, in_order
from tuna_exp.store import Entry

# Under these a stage's settings say who does the work.
_WORKERS = ("model", "llm", "ranker", "judging", "tokenizer")


@dataclass(frozen=True)
class Measured:
    """What a finished artifact took: work (see `plan.Step`), seconds, bytes written."""

    work: float
    seconds: float
    size: int


@dataclass
class Rates:
    """What was measured, by kind."""

    _recipes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _measured: dict[str, list[Measured]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Sequence[Entry], finals: Iterable[Step]) -> "Rates":
        """Learn from the finished artifacts of a store; `finals` are what is planned.

        An artifact that does not say how much work it was counts where a planned step does.
        """
        rates = cls()
        steps = {step.digest: step for step in in_order(list(finals))}
        rates._recipes = {digest: step.recipe for digest, step in steps.items()}
        finished = [e.manifest for e in entries if e.state == "finished"]
        rates._recipes |= {manifest["digest"]: manifest for manifest in finished}
        for manifest in finished:
            planned = steps.get(manifest["digest"])
            work = manifest.get("work", planned.work if planned else None)
            if work:
                size = sum(file["bytes"] for file in manifest["files"].values())
                one = Measured(work, manifest["wall_seconds"], size)
                rates._measured.setdefault(rates._kind(manifest), []).append(one)
        return rates

    def seconds(self, step: Step) -> float | None:
        """Return about how long a step takes; None where nothing of its kind was measured."""
        known = self._measured.get(self._kind(step.recipe), [])
        if not known:
            return None
        return step.work * sum(m.seconds for m in known) / sum(m.work for m in known)

    def size(self, step: Step) -> int | None:
        """Return about how many bytes a step writes: as many as one of like work, or None."""
        known = self._measured.get(self._kind(step.recipe), [])
        if not known:
            return None
        wanted = log(max(step.work, 1e-9))
        return min(known, key=lambda m: abs(log(max(m.work, 1e-9)) - wanted)).size

    def _kind(self, recipe: Mapping[str, Any]) -> str:
        settings = recipe["settings"]
        worker = next((settings[key] for key in _WORKERS if key in settings), None)
        from_training = [
            self._recipes[made["digest"]]["settings"].get("model")
            for made in recipe["inputs"].values()
            if made["stage"] == "train" and made["digest"] in self._recipes
        ]
        told = [recipe["stage"], without_seeds(worker), from_training[:1]]
        return json.dumps(told, sort_keys=True)


def without_seeds(value: Any) -> Any:
    """Return a JSON value without the seeds in it."""
    if isinstance(value, Mapping):
        return {key: without_seeds(v) for key, v in value.items() if key != "seed"}
    return [without_seeds(v) for v in value] if isinstance(value, list) else value
