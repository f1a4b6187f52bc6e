"""The filters and orders that W&B's API sends as JSON, over our records of runs."""

import re
from collections.abc import Callable, Mapping
from typing import Any

NAMES = {
    "display_name": "displayName",
    "job_type": "jobType",
    "created_at": "createdAt",
    "heartbeat_at": "heartbeatAt",
    "sweep": "sweepName",
}
_OPERATORS: dict[str, Callable[[list[Any], Any], bool]] = {
    "$eq": lambda found, asked: asked in found,
    "$ne": lambda found, asked: asked not in found,
    "$in": lambda found, asked: any(one in asked for one in found),
    "$nin": lambda found, asked: not any(one in asked for one in found),
    "$regex": lambda found, asked: any(re.search(asked, str(one)) for one in found if one),
    "$exists": lambda found, asked: (found != [None]) == bool(asked),
    "$gt": lambda found, asked: found[0] > asked,
    "$gte": lambda found, asked: found[0] >= asked,
    "$lt": lambda found, asked: found[0] < asked,
    "$lte": lambda found, asked: found[0] <= asked,
}


def dig(values: Any, path: list[str]) -> Any:
    """Return what stands at a path, whose keys may hold dots."""
    for size in range(len(path), 0, -1):
        key = ".".join(path[:size])
        if isinstance(values, Mapping) and key in values:
            return values[key] if size == len(path) else dig(values[key], path[size:])
    return None


def value_of(run: Mapping[str, Any], key: str) -> Any:
    """Return a run's value under the name that a filter gives it."""
    head, *rest = key.split(".")
    if head == "config":
        config = {name: one.get("value") for name, one in run["config"].items()}
        rest = [part for i, part in enumerate(rest) if part != "value" or i == 0]
        return dig(config, rest)
    if head == "summary_metrics":
        return dig(run["summary"], rest)
    return run.get(NAMES.get(key, key))


def matches(run: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether a run is one that a filter asks for."""
    return all(_clause(run, key, value) for key, value in asked.items())


def _clause(run: Mapping[str, Any], key: str, value: Any) -> bool:
    if key == "$and":
        return all(matches(run, one) for one in value)
    if key == "$or":
        return not value or any(matches(run, one) for one in value)
    if key == "$not":
        return not matches(run, value)
    found = value_of(run, key)
    listed = found if isinstance(found, list) else [found]
    is_operators = isinstance(value, dict) and any(name.startswith("$") for name in value)
    operators = value if is_operators else {"$eq": value}
    try:
        return all(_OPERATORS[name](listed, one) for name, one in operators.items())
    except TypeError:  # unlike things have no order
        return False


def ordered(runs: list[dict[str, Any]], order: str | None) -> list[dict[str, Any]]:
    """Sort by "+key" or "-key"; what has no such value comes first or last."""
    if not order:
        return runs
    key = order.lstrip("+-")
    known = [run for run in runs if value_of(run, key) is not None]
    known.sort(key=lambda run: value_of(run, key), reverse=order.startswith("-"))
    return known + [run for run in runs if value_of(run, key) is None]
