"""A task's items as our Instructions, and what decides them as JSON values.

Left out of an item's text are the few-shot examples: they are in the digest, and would be found in
training data where the items are not.
"""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from inspect import getsource
from typing import Any

from tuna_exp.records import Instruction

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
# Where its data lies and how it is called decide nothing: the items themselves are in the digest.
_UNDECISIVE = ("dataset_kwargs", "task_alias", "tag")


def items_of(name: str, task: Any, docs: Sequence[Any]) -> list[Instruction]:
    """Return the items of a task, in its order; the task's name is their kind."""
    return [_item(name, task, doc, number) for number, doc in enumerate(docs)]


def doc_number(item: Instruction) -> int:
    """Return which of its task's documents an item is."""
    return int(item.id.rpartition("/")[2])


def _item(name: str, task: Any, doc: Any, number: int) -> Instruction:
    target = _target(task, doc)
    text = task.doc_to_text(doc)
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        text, target = target, None
    elif not isinstance(text, str):  # the harness asks about each choice in a prompt of its own
        text, target = "\n".join(map(str, task.doc_to_choice(doc))), str(target)
    return Instruction(
        id=f"{name}/{number}",
        instruction=text if str(text or "").strip() else f"{name} {number}",
        reference=target,
        kind=name,
        split="test",
    )


def _target(task: Any, doc: Any) -> str | None:
    target = task.doc_to_target(doc)
    if isinstance(target, int) and task.get_config("doc_to_choice") is not None:
        choices = task.doc_to_choice(doc)
        return str(choices[target]) if 0 <= target < len(choices) else None
    if isinstance(target, list | tuple):
        return "\n".join(map(str, target))
    return None if target is None else str(target)


def task_digest(task: Any, docs: Sequence[Any]) -> dict[str, object]:
    """Return a task's version, its settings and its data, few-shot examples included."""
    settings = {k: v for k, v in task.config.__dict__.items() if k not in _UNDECISIVE}
    shots = int(task.get_config("num_fewshot") or 0)
    examples = list(task.fewshot_docs() or ()) if shots else []
    return {
        "version": str(task.VERSION),
        "num_fewshot": shots,
        "settings": _sha256(settings),
        "items": _sha256(docs),
        "examples": _sha256(examples),
    }


def group_digest(group: Any) -> dict[str, object]:
    """Return which tasks a group's figures are over, and how they are made of theirs."""
    return {
        "tasks": sorted(task.task_name for task in group.get_all_tasks()),
        "metrics": [dict(vars(one)) for one in group.aggregate_metric_list],
    }


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=_as_json)
    return sha256(text.encode()).hexdigest()


def _as_json(value: Any) -> Any:
    if callable(value):
        try:
            return getsource(value)
        except (TypeError, OSError):
            return _ADDRESS.sub("", str(value))
    return getattr(value, "__dict__", None) or _ADDRESS.sub("", str(value))
