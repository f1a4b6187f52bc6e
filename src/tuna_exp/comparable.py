"""What two models must share to be seeds of one method, and what is told where methods do not.

Overrides alone cannot say it: a YAML file, a default or the model behind a service's name may have
changed between two runs. So all that made a model is compared, from the settings of its stages and
the snapshots that services named. Left out: the items and settings of benchmarks, by which
`comparison.benchmarks` leaves a run out of a table.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuna_exp.errors import UserError, nearest
from tuna_exp.plan import Step, in_order
from tuna_exp.reasons import flat
from tuna_exp.records import CandidateSet, Origin, RankedExample, read_records

SNAPSHOT = "snapshot"
_MAKING = ("train", "tokenise", "sample", "rank", "mix", "proxy")
_TOLD = 3
Folder = Callable[[Step], Path | None]


def chosen_baseline(asked: str | None, usual: str, names: Sequence[str]) -> str:
    """Return the method that others are compared with: the one asked for, else the usual one.

    Where runs were told apart by more than their seed the first kind of the usual one stands for
    it. Raises UserError where nothing has the name that was asked for.
    """
    if asked is not None and asked not in names:
        raise UserError(
            f"baseline={asked}: the methods are {', '.join(names)}.{nearest(asked, names)} Cure: "
            "one of these."
        )
    if asked is not None or usual in names:
        return asked or usual
    return next((name for name in names if name.startswith(f"{usual} ")), names[0])


@dataclass(frozen=True)
class Change:
    """A setting of a stage, by its label, that two models do not share."""

    label: str
    key: str
    one: object
    other: object

    def __str__(self) -> str:
        """As in "train SFT" has objective.epochs 2, not 1."""
        return f'"{self.label}" has {self.key} {self.one}, not {self.other}'


@dataclass(frozen=True)
class Lineage:
    """All that made a model: (stage's label, dotted setting) to value, and its base model's."""

    settings: Mapping[tuple[str, str], object]
    base: Mapping[str, object]

    def changes(self, other: "Lineage", seeds: tuple[str, str]) -> list[Change]:
        """Return what two models do not share, besides what their seeds explain.

        A seed explains a setting named seed whose values are the two seeds themselves.
        """
        ours, theirs = self.settings, other.settings
        return [
            Change(label, key, *values)
            for label, key in {**theirs, **ours}
            if (values := (ours.get((label, key), "absent"), theirs.get((label, key), "absent")))
            and values[0] != values[1]
            and not (key.rpartition(".")[2] == "seed" and tuple(map(str, values)) == seeds)
        ]


# A method's lineages by seed.
BySeed = Mapping[str, Lineage]


def lineage(figures: Step, folder: Folder) -> Lineage:
    """Return what made the model whose figures a step holds; `folder` finds a step's files."""
    from tuna_exp.stages.judge import OURS

    answered = figures.inputs["predictions"]
    asked = answered.inputs.get(OURS, answered)  # what a judge has marked, a model had answered
    found: dict[tuple[str, str], object] = {
        ("asked", key): value for key, value in flat(asked.settings["llm"]).items()
    }
    for step in in_order([asked]):
        if step.stage in _MAKING:
            told = {**flat(step.settings), "version of the stage's code": step.version}
            told |= {SNAPSHOT: ", ".join(named)} if (named := snapshots(step, folder)) else {}
            found |= {(step.label, key): value for key, value in told.items()}
    return Lineage(found, _base(asked))


def snapshots(step: Step, folder: Folder) -> list[str]:
    """Return the models that services named in what a step sampled or ranked, none for others."""
    asks = any(key.rpartition(".")[2] == "service" for key in flat(step.settings))
    place = folder(step) if asks else None
    if place is None:
        return []
    return sorted({origin.model for origin in _origins(step.stage, place)})


def groups(models: BySeed) -> list[list[str]]:
    """Return the seeds that may be pooled with each other, in their order."""
    found: list[list[str]] = []
    for seed, made in models.items():
        alike = (g for g in found if not made.changes(models[g[0]], (seed, g[0])))
        group = next(alike, None)
        if group is None:
            found.append([seed])
        else:
            group.append(seed)
    return found


def first_change(models: BySeed, part: Sequence[str], first: Sequence[str]) -> Change:
    """Return a setting that tells the seeds of a part from those of the first part."""
    return models[part[0]].changes(models[first[0]], (part[0], first[0]))[0]


def not_pooled(name: str, models: BySeed, parts: Sequence[Sequence[str]]) -> list[str]:
    """Return in words why runs under one name are not seeds of one method."""
    first, *others = parts
    told = []
    for part in others:
        changes = models[part[0]].changes(models[first[0]], (part[0], first[0]))
        more = f"; {len(changes) - _TOLD} more" if len(changes) > _TOLD else ""
        why = "; ".join(map(str, changes[:_TOLD]))
        told.append(
            f"{name} with seed {', '.join(part)} is not pooled with seed {', '.join(first)}: "
            f"{why}{more}."
        )
    return told


def remarks(methods: Mapping[str, Lineage], baseline: str) -> list[str]:
    """Return in words which methods do not stand on what the baseline stands on.

    That is another base model, and another snapshot of what the settings call one judge or teacher.
    """
    base = methods[baseline]
    told = [
        f"{name} starts from another base model than {baseline} ({_unlike(made.base, base.base)}): "
        "their difference is one of base models too."
        for name, made in methods.items()
        if made.base and base.base and made.base != base.base
    ]
    return [*told, *_other_snapshots(methods)]


def _origins(stage: str, folder: Path) -> Iterator[Origin]:
    # Imported late: the stages import torch.
    from tuna_exp.stages.rank import RANKING
    from tuna_exp.stages.sample import CANDIDATES

    if stage == "sample":
        sets = read_records(folder / CANDIDATES, CandidateSet)
        yield from (c.origin for s in sets for c in s.candidates if c.origin)
    elif stage == "rank":
        examples = read_records(folder / RANKING, RankedExample)
        yield from (j.origin for e in examples for j in e.judgements if j.origin)


def _base(asked: Step) -> Mapping[str, object]:
    """Return what decides the weights that training began with; empty where nothing is known."""
    roots = [s for s in in_order([asked]) if s.stage == "train" and "model" not in s.inputs]
    told: Mapping[str, Any] = roots[0].settings["model"] if roots else asked.settings["llm"]
    source = told.get("source", {})
    return flat(source) if source else {}


def _unlike(ours: Mapping[str, object], theirs: Mapping[str, object]) -> str:
    keys = [key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key)]
    return "; ".join(
        f"{key} {ours.get(key, 'absent')}, not {theirs.get(key, 'absent')}" for key in keys[:_TOLD]
    )


def _other_snapshots(methods: Mapping[str, Lineage]) -> Iterator[str]:
    """Yield where stages of one label and one set of settings were answered by other snapshots."""
    first: dict[tuple[object, ...], tuple[str, object]] = {}
    for name, made in methods.items():
        for label in (label for label, key in made.settings if key == SNAPSHOT):
            own = {k: v for (at, k), v in made.settings.items() if at == label and k != SNAPSHOT}
            snapshot = made.settings[label, SNAPSHOT]
            key = (label, *sorted((k, str(v)) for k, v in own.items()))
            earlier, other = first.setdefault(key, (name, snapshot))
            if other != snapshot:
                yield (
                    f'"{label}" of {name} was answered by snapshot {snapshot}, that of {earlier} '
                    f"by {other}: their difference is one of snapshots too."
                )
