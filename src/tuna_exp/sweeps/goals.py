"""What a search makes better: a figure of each run, by the name that it has in its tables."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuna_exp.errors import ConfigError, nearest
from tuna_exp.run_records import read_whole
from tuna_exp.sweeps.outcomes import RUN_FILE

TABLE, FIGURES = "table.csv", "figures.csv"
_ALL = "all"  # the name of the group of all items, as in the tables
Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Goal:
    """A figure that is to be as high or as low as can be, of one `method` or of a run's last.

    `name` is a column of table.csv (`score`, `response_tokens`), SPLIT/COLUMN for a part of the
    items, or BENCHMARK/METRIC of figures.csv.
    """

    direction: Direction
    name: str
    method: str = ""

    @property
    def maximises(self) -> bool:
        """Whether more is better."""
        return self.direction == "max"

    @property
    def label(self) -> str:
        """Its name, without the direction."""
        return str(self).partition(":")[2]

    def value(self, figures: dict[str, dict[str, float]]) -> float | None:
        """Return it from a run's figures by method (see `read_figures`), None where unknown.

        Raises ConfigError where no method has a figure of that name.
        """
        method = self.method or next(reversed(figures))
        if method not in figures:
            raise ConfigError(
                f"optimize={self}: the run has the methods {', '.join(figures)}."
                f"{nearest(method, figures)} Cure: one of these behind the @."
            )
        names = {name for one in figures.values() for name in one}
        if self.name not in names:
            raise ConfigError(
                f"optimize={self}: there is no such figure; there are {', '.join(sorted(names))}."
                f"{nearest(self.name, names)} Cure: one of these."
            )
        return figures[method].get(self.name)

    def __str__(self) -> str:
        return f"{self.direction}:{self.name}" + (f"@{self.method}" if self.method else "")


def goals_of(optimize: object) -> tuple[Goal, ...]:
    """Read `optimize`; raises ConfigError where it is no list of [max:|min:]NAME[@METHOD]."""
    given = [optimize] if isinstance(optimize, str) else optimize
    if not isinstance(given, Iterable) or not (words := list(given)):
        raise ConfigError(f"optimize={optimize}: allowed are figures. Cure: optimize=[max:score].")
    goals = tuple(map(goal_of, words))
    if len({(goal.name, goal.method) for goal in goals}) < len(goals):
        raise ConfigError(f"optimize={optimize}: a figure stands there twice. Cure: leave one out.")
    return goals


def goal_of(words: object) -> Goal:
    """Read one figure with its direction."""
    direction, colon, named = str(words).partition(":")
    name, _, method = named.partition("@")
    if not colon or direction not in ("max", "min") or not name:
        raise ConfigError(
            f"optimize={words}: allowed are max:NAME and min:NAME, of one method max:NAME@METHOD, "
            "with names of table.csv. Cure: optimize=[max:score]."
        )
    return Goal("max" if direction == "max" else "min", name, method)


def values_of(goals: Sequence[Goal], run: Path) -> list[float | None]:
    """Return the figures of the run that is finished in a folder."""
    figures = read_figures(run)
    return [goal.value(figures) for goal in goals]


def read_figures(run: Path) -> dict[str, dict[str, float]]:
    """Return the figures of a finished run by method, in the order of its table.

    Raises ConfigError where its comparison is gone, UserError where its record is damaged.
    """
    record = read_whole(run / RUN_FILE, json.loads)
    name = record["comparison"]
    folder = next(iter(Path(record["artifacts"]).glob(f"*/{name}")), None)
    if folder is None or not (folder / TABLE).exists():
        raise ConfigError(
            f"the comparison {name} of {run} is gone from {record['artifacts']}. Cure: run it "
            "again."
        )
    found: dict[str, dict[str, float]] = {}
    for row in _rows(folder / TABLE):
        split = row.pop("split")
        prefix = "" if split == _ALL else f"{split}/"
        own = {f"{prefix}{key}": number for key, number in _numbers(row)}
        found[row["method"]] = found.get(row["method"], {}) | own
    whole: dict[str, str] = {}  # of each benchmark the group of all its items, which comes first
    for row in _rows(folder / FIGURES):
        if row["group"] == whole.setdefault(row["benchmark"], row["group"]) and row["value"]:
            one = found.setdefault(row["method"], {})
            one[f"{row['benchmark']}/{row['metric']}"] = float(row["value"])
    return found


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        with path.open(encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)


def _numbers(row: dict[str, str]) -> Iterator[tuple[str, float]]:
    for key, text in row.items():
        try:
            yield key, float(text)
        except ValueError:
            continue  # a word, or unknown
