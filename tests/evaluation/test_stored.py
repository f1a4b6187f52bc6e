"""Answers of a file as a model: each item's own, whole or refused."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.errors import ConfigError, DataError
from tuna_exp.evaluation.lm_eval.benchmark import LmEvalBenchmark
from tuna_exp.evaluation.stored import StoredAnswers
from tuna_exp.evaluation.verifiable import VerifiableBenchmark
from tuna_exp.llms.decoding import Decoding

FIELDS = {"id": "id", "answer": "answer"}
BENCHMARK = VerifiableBenchmark(12, 1, None, 4, 4)


def written(path: Path, rows: Sequence[dict[str, Any]]) -> StoredAnswers:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return StoredAnswers(str(path), None, FIELDS, {})


def test_each_item_gets_its_own_answer(tmp_path: Path) -> None:
    """In whatever order they are asked and stored; the file's name is the model's."""
    items = BENCHMARK.items()
    rows = [{"id": item.id, "answer": f"to {item.id}"} for item in reversed(items)]
    stored = written(tmp_path / "gpt-4.jsonl", rows)
    stored.check()
    stored.check_items(items)
    said = stored.open().answer(items[3:5], Decoding.greedy(4), 0)
    assert [one.text for (one,) in said] == [f"to {item.id}" for item in items[3:5]]
    assert stored.called == "gpt-4" and replace(stored, name="other").called == "other"
    assert stored.digest() == replace(stored, name="other").digest()


def test_what_it_leaves_open_is_told(tmp_path: Path) -> None:
    items = BENCHMARK.items()
    stored = written(tmp_path / "a.jsonl", [{"id": i.id, "answer": ""} for i in items[:5]])
    words = rf"answers 5 of the 12 items that are asked; none for '{items[5].id}'. It has 5 answers"
    with pytest.raises(DataError, match=words):
        stored.check_items(items)
    with pytest.raises(DataError, match="(?s)field 'answer' is missing.*answers.fields"):
        written(tmp_path / "b.jsonl", [{"id": "1", "output": "x"}]).check()
    with pytest.raises(DataError, match="an id of its own"):
        written(tmp_path / "c.jsonl", [{"id": "1", "answer": "x"}] * 2).check()
    with pytest.raises(ConfigError, match="takes no stored answers"):
        LmEvalBenchmark.check_model(None, stored)  # type: ignore[arg-type]
