"""The records of finished runs: what each evaluated, and which of their models are one method."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from tuna_exp.errors import UserError, nearest
from tuna_exp.records import Record
from tuna_exp.sweeps.outcomes import RUN_FILE

# Overrides that say where things go and who pays, which makes no other method.
_UNTOLD = ("method=", "artifacts=", "hydra.", "logger", "comparison.", "budget.", "transport=")
T = TypeVar("T")


class Scored(Record):
    """The digests of a model's answers to a benchmark and of the figures over them."""

    answers: str
    figures: str


class Model(Record):
    """What tells a model from others, and its scores by benchmark."""

    model: str
    scores: dict[str, Scored]

    def agrees(self, other: "Model") -> bool:
        """Whether it is the same model with the same answers, where both were asked."""
        shared = self.scores.keys() & other.scores.keys()
        same = all(self.scores[name].answers == other.scores[name].answers for name in shared)
        return self.model == other.model and same


class RunRecord(Record):
    """Where a run's artifacts are, its comparison, what it evaluated, what was asked.

    `seed` is null in records that were written before it was kept. `identity` is the digest of its
    settings: a sweep does not run again what has the same.
    """

    artifacts: str
    comparison: str
    evaluated: dict[str, Model]
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    identity: str = ""

    @property
    def known_seed(self) -> str | None:
        """The seed as a word, also where only an override tells it."""
        if self.seed is not None:
            return str(self.seed)
        told = [o.partition("=")[2] for o in self.overrides if o.startswith("seed=")]
        return told[-1] if told else None


def read_runs(folders: Sequence[Path]) -> list[RunRecord]:
    """Return the records of the runs below folders; raises UserError where there are none."""
    check_folders(folders, "runs/DATE/TIME")
    paths = [path for folder in folders for path in sorted(folder.rglob(RUN_FILE))]
    if not paths:
        names = ", ".join(map(str, folders))
        raise UserError(
            f"no finished run below {names}: no {RUN_FILE} there. Cure: give the folder that a run "
            "or a sweep wrote, runs/DATE/TIME."
        )
    # A job that was done before is a link to that run, which may lie below a folder as well.
    paths = list(dict.fromkeys(path.resolve() for path in paths))
    return [read_whole(path, RunRecord.model_validate_json) for path in paths]


def check_folders(folders: Sequence[Path], given: str) -> None:
    """Raise UserError where a folder is not there; `given` says which may be."""
    for folder in folders:
        if not folder.is_dir():
            beside = [p.name for p in folder.parent.iterdir()] if folder.parent.is_dir() else []
            raise UserError(
                f"runs={folder}: there is no such folder.{nearest(folder.name, beside)} Cure: give "
                f"the folder that a run or a sweep wrote, {given}."
            )


def named_apart(records: Sequence[RunRecord]) -> dict[str, dict[str, Model]]:
    """Return each method's models by seed, under a name that tells it from the others.

    Runs that differ by their seed alone are one method. Where results differ otherwise, what was
    asked of only some of the runs is added to the name, as in "tuna_p dpo". A model that all runs
    have, as the base model, has the seed "": none had a part in it.
    """
    asked = Counter(override for record in records for override in set(record.overrides))
    found: dict[str, list[Model]] = {}
    for record in records:
        for name, model in record.evaluated.items():
            found.setdefault(name, []).append(model)
    named: dict[str, dict[str, Model]] = {}
    for number, record in enumerate(records):
        for name, model in record.evaluated.items():
            seed = record.known_seed
            if all(a.agrees(b) for a, b in combinations(found[name], 2)):
                apart, seed = name, "" if len(found[name]) > 1 else seed
            else:
                apart = " ".join([name, *_own(record, name, records, asked)])
            apart, seed = _place(named, apart, seed, model, number)
            earlier = named.setdefault(apart, {}).get(seed)
            scores = {**model.scores, **(earlier.scores if earlier else {})}
            named[apart][seed] = Model(model=model.model, scores=scores)
    return named


def _place(
    named: Mapping[str, Mapping[str, Model]],
    apart: str,
    seed: str | None,
    model: Model,
    number: int,
) -> tuple[str, str]:
    """Return the name and seed under which a model stands, in the way of no other."""
    there = named.get(apart, {})
    if seed is None:  # not pooled with any: who knows what it was trained with
        return (apart if not there else f"{apart} run {number}"), ""
    if seed in there and not there[seed].agrees(model):
        return f"{apart} run {number}", seed
    return apart, seed


def _own(
    record: RunRecord, name: str, records: Sequence[RunRecord], asked: Mapping[str, int]
) -> tuple[str, ...]:
    """Return what tells a run's models from those of other runs, besides method and seed.

    Nothing, where what was asked otherwise made no difference to the models of one seed. Where no
    two runs share a seed nobody knows that, and they are not taken for one method.
    """
    by_own: dict[tuple[str, ...], dict[str | None, Model]] = {}
    for other in records:
        if name in other.evaluated:
            models = by_own.setdefault(_differing(other, len(records), asked), {})
            models[other.known_seed] = other.evaluated[name]
    pairs = combinations(by_own.values(), 2)
    if all(
        one.keys() & other.keys()
        and all(one[seed].agrees(other[seed]) for seed in one.keys() & other.keys())
        for one, other in pairs
    ):
        return ()
    return _differing(record, len(records), asked)


def _differing(record: RunRecord, runs: int, asked: Mapping[str, int]) -> tuple[str, ...]:
    """Return what only some of the runs were asked, besides method, places and a known seed."""
    told = _UNTOLD if record.known_seed is None else (*_UNTOLD, "seed=")
    return tuple(_short(o) for o in record.overrides if asked[o] < runs and not o.startswith(told))


def _short(override: str) -> str:
    """The part of an override that tells it from others: a word as it is, a number with its key."""
    key, _, value = override.partition("=")
    return value if value.isidentifier() else f"{key.rpartition('.')[2]}={value}"


def read_whole(path: Path, parse: Callable[[str], T]) -> T:
    """Return what a file holds; raises UserError where it cannot be read."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} cannot be read: {reason}. Cure: run its experiment again."
        ) from error
