"""Why one artifact is not another: what differs in what made them, down to the root cause.

Only what the digest covers is compared; facts and environment do not decide an artifact's name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuna_exp.store import Entry


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Nested JSON as one level of dotted paths: {"a": {"b": [1]}} is {"a.b[0]": 1}."""
    if isinstance(value, Mapping) and value:
        parts = [(f"{path}.{key}" if path else key, item) for key, item in value.items()]
    elif isinstance(value, list) and value:
        parts = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    else:
        return {path: value}
    return {name: leaf for at, item in parts for name, leaf in flat(item, at).items()}


def nearest_earlier(entry: Entry, entries: Sequence[Entry]) -> Entry | None:
    """Of the artifacts of the stage that are older: most settings equal, most inputs, latest.

    `entries` are the store's, oldest first.
    """
    settings = flat(entry.manifest.get("settings", {}))

    def alike(other: Entry) -> tuple[int, int]:
        theirs = flat(other.manifest.get("settings", {}))
        same = sum(path in theirs and theirs[path] == leaf for path, leaf in settings.items())
        return same, len(entry.made_from.items() & other.made_from.items())

    older = entries[: entries.index(entry)]
    same_stage = [e for e in older if e.folder.parent == entry.folder.parent and e.key != entry.key]
    return max(reversed(same_stage), key=alike, default=None)


class Reasons:
    """Compares entries of one store; `entries` are all that it has."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_key = {entry.key: entry for entry in entries}

    def between(self, old: Entry, new: Entry) -> list[str]:
        """One line per root cause, such as "input ranking differs because count 128 -> 64"."""
        return self._between(old, new, set())

    def _between(self, old: Entry, new: Entry, told: set[tuple[str, str]]) -> list[str]:
        causes = _changes(old, new)
        for name in {**old.made_from, **new.made_from}:
            keys = (old.made_from.get(name, "absent"), new.made_from.get(name, "absent"))
            if keys[0] != keys[1] and keys not in told:
                told.add(keys)
                causes += [f"input {name} differs {why}" for why in self._input(keys, told)]
        return causes

    def _input(self, keys: tuple[str, str], told: set[tuple[str, str]]) -> list[str]:
        old, new = (self._by_key.get(key) for key in keys)
        if old is None or new is None:
            return [f"({keys[0]} -> {keys[1]}; no longer both in the store: cannot look deeper)"]
        return [f"because {cause}" for cause in self._between(old, new, told)]


def _changes(old: Entry, new: Entry) -> list[str]:
    before, after = (_decisive(entry) for entry in (old, new))
    paths = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    return [f"{p} {before.get(p, 'absent')} -> {after.get(p, 'absent')}" for p in paths]


def _decisive(entry: Entry) -> dict[str, Any]:
    version = {"version of the stage's code": entry.manifest.get("version")}
    stage = {"stage": entry.folder.parent.name}
    return {**stage, **version, **flat(entry.manifest.get("settings", {}))}
