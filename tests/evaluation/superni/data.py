"""Small task files for the tests, and where the real ones are where they are here."""

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.evaluation.superni import SuperNIBenchmark
from tuna_exp.models.tiny import TinyModel

_BESIDE = Path(__file__).parents[4] / "shared"
SHARED = Path(os.environ.get("TUNA_EXP_SHARED", _BESIDE)) / "data" / "superni"
NEEDS_SHARED = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the collected Super-NI files are not beside this checkout"
)
SETTINGS: dict[str, Any] = {
    "name": "superni",
    "path": None,
    "task_list": None,
    "hub_id": None,
    "revision": None,
    "shots": 0,
    "instances": 100,
    "max_source_tokens": None,
    "tokenizer_of": TinyModel(),
    "max_new_tokens": 16,
    "batch_size": 4,
}


def benchmark(path: Path | None, **changes: Any) -> SuperNIBenchmark:
    """A benchmark of what is at `path`."""
    return SuperNIBenchmark(**SETTINGS | {"path": None if path is None else str(path)} | changes)


def task(category: str = "Word Analogy", instances: int = 3, **changes: Any) -> dict[str, Any]:
    """The content of a task file."""
    made = [{"id": f"i{n}", "input": f"Is {n} big?", "output": ["yes"]} for n in range(instances)]
    return {
        "Categories": [category, "Other"],
        "Definition": [" Answer the question"],
        "Positive Examples": [
            {"input": "Is 9 big?", "output": "no", "explanation": "It is small."},
            {"input": "Is 10 big", "output": "yes!", "explanation": "It is."},
        ],
        "Instances": made,
    } | changes


def checkout(folder: Path, tasks: dict[str, Any], names: list[str] | None = None) -> Path:
    """Lay out task files as the release does; `names` are those of its list (None: all)."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "splits" / "default").mkdir(parents=True)
    listed = "\n".join(list(tasks) if names is None else names) + "\n"
    (folder / "splits" / "default" / "test_tasks.txt").write_text(listed)
    for name, content in tasks.items():
        (folder / "tasks" / f"{name}.json").write_text(json.dumps(content))
    return folder


def packed(folder: Path, path: Path) -> Path:
    """Pack a folder as a release archive is packed, below a folder of its own."""
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, "natural-instructions-master")
    return path
