"""A small LMentry made here: all 41 files in the published layout, with arguments of our own."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.evaluation.lmentry.tasks import FILES

Files = dict[str, dict[str, Any]]

_CHOICES: list[dict[str, Any]] = [
    {"word1": "kite", "word2": "sun", "answer": "kite", "distractor": "sun", "answer_index": 0},
    {"word1": "sea", "word2": "lamp", "answer": "lamp", "distractor": "sea", "answer_index": 1},
]
_COUNTS = {"category": "fruit", "num_words": 5}
_SAID = {"sentence": "Anna saw a bird"}
_ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    **dict.fromkeys(
        ("word_containing", "word_not_containing", "starts_with_letter", "ends_with_letter"),
        [{"letter": "e"}, {"letter": "n"}],
    ),
    **dict.fromkeys(
        ("bigger_number", "smaller_number"),
        [
            {"n1": 12, "n2": 40, "answer": 12, "distractor": 40, "answer_index": 0},
            {"n1": 17, "n2": 80, "answer": 80, "distractor": 17, "answer_index": 1},
        ],
    ),
    **dict.fromkeys(("more_letters", "less_letters", "first_alphabetically"), _CHOICES),
    **dict.fromkeys(
        ("rhyming_word", "homophones"), [{**choice, "query": "bite"} for choice in _CHOICES]
    ),
    **dict.fromkeys(
        ("any_words_from_category", "all_words_from_category"),
        [{**_COUNTS, "num_distractors": 0}, {**_COUNTS, "num_distractors": 5}],
    ),
    **dict.fromkeys(
        ("most_associated_word", "least_associated_word"),
        [
            {"category": "fruit", "answer": word, "answer_index": 1, "distractors": ["hat", "bed"]}
            for word in ("plum", "fig")
        ],
    ),
    **dict.fromkeys(
        ("first_word", "last_word"), [{**_SAID, "answer": "Anna"}, {**_SAID, "answer": "bird"}]
    ),
    **dict.fromkeys(
        ("first_letter", "last_letter"),
        [{"word": "sun", "answer": "s"}, {"word": "hat", "answer": "h"}],
    ),
    **dict.fromkeys(
        ("word_after", "word_before"),
        [{**_SAID, "query": "saw", "answer": word} for word in ("a", "Anna")],
    ),
}
_WORDS = [{"word": "river"}, {"word": "cloud"}]


def task_file(name: str) -> dict[str, Any]:
    """Return a task file of two argument tuples under each of three templates: ids 1 to 6."""
    arguments = _ARGUMENTS.get(FILES[name], _WORDS)
    placed = [(template, values) for template in range(3) for values in arguments]
    return {
        "settings": {
            "name": name,
            "num_examples_per_template": len(arguments),
            "input_templates": ["Q: {x}?", "Q, {x}", "Write {x}:"],
            "canary": "of our own",
        },
        "examples": {
            str(number): {
                "input": f"{name} {number}:\n",
                "metadata": {**values, "template_id": template},
            }
            for number, (template, values) in enumerate(placed, start=1)
        },
    }


@pytest.fixture
def files() -> Files:
    return {name: task_file(name) for name in FILES}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Files], Path]:
    """Write task files to a folder `data` and return the folder above it."""

    def write_files(files: Files) -> Path:
        folder = tmp_path / "lmentry"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / "data" / f"{name}.json").write_text(json.dumps(content))
        return folder

    return write_files


@pytest.fixture
def folder(files: Files, write: Callable[[Files], Path]) -> Path:
    return write(files)


@pytest.fixture
def packed(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "lmentry.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder / "data", "data")
    return path
