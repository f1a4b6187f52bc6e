"""What evaluation sets share with a dataset: whole texts, runs of words, and neither."""

import gzip
import json
from pathlib import Path

import pytest

from tests.diagnosis.conftest import MakeSet
from tuna_exp.datasets.overlap import Index
from tuna_exp.datasets.verifiable import generate
from tuna_exp.diagnosis.findings import Finding
from tuna_exp.diagnosis.loading import RankedSet
from tuna_exp.diagnosis.overlap import build, overlaps, texts_of
from tuna_exp.errors import ConfigError, DataError


def found(sets: list[RankedSet], *texts: str, size: int = 5) -> dict[str, Finding]:
    index = Index(size)
    index.add("exam", texts)
    return {finding.name: finding for finding in overlaps(sets, index)}


def test_a_whole_instruction_is_an_error_whatever_its_case(make_set: MakeSet) -> None:
    sets = [make_set("a", ["x", "y"], instruction="Name the largest Tuna!"), make_set("b", ["x"])]
    (finding,) = found(sets, "name the largest tuna").values()
    assert (finding.name, finding.severity, finding.count, finding.of) == (
        "instruction_in_evaluation",
        "error",
        1,
        2,
    )


def test_a_run_of_words_in_a_response_is_a_warning(make_set: MakeSet) -> None:
    """Five words in common where five make a run; four do not."""
    sets = [make_set("a", ["I say: one two three four five.", "y"])]
    (finding,) = found(sets, "zero one two three four five six").values()
    assert (finding.name, finding.severity) == ("response_shares_words_with_evaluation", "warning")
    assert "one two three four five" in finding.example
    assert found(sets, "zero one two three four 5 6") == {}


def test_short_whole_texts_are_common_property(make_set: MakeSet) -> None:
    sets = [make_set("a", ["yes of course", "no way at all"])]
    assert list(found(sets, "Yes, of course.")) == []
    assert list(found(sets, "No way at all.")) == ["response_in_evaluation"]


def test_texts_of_every_kind_of_file(tmp_path: Path) -> None:
    """Instruction and input also as one text; nested strings too; lines of plain text."""
    record = {"instruction": "Add.", "input": "1 2", "turns": ["a", {"b": "c"}], "n": 3}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps([record]).encode()))
    (tmp_path / "c.txt").write_text("one\ntwo\n")
    told = [list(texts_of(tmp_path / name)) for name in ("a.jsonl", "b.json.gz", "c.txt")]
    assert told[0] == told[1] == ["Add.\n\n1 2", "Add.", "1 2", "a", "c"]
    assert told[2] == ["one", "two"]


def test_folders_hold_files_and_held_out_tasks_are_always_there(
    tmp_path: Path, make_set: MakeSet
) -> None:
    (tmp_path / "exam").mkdir()
    (tmp_path / "exam" / "c.txt").write_text("one two three four\n")
    (task,) = generate("held_out", 1, 1)
    index = build([tmp_path / "exam"], [task], "held out", 13)
    sets = [make_set("a", ["x", "y"], instruction=task.text), make_set("b", ["One two three four"])]
    first, second = overlaps(sets, index)
    assert "c.txt" in first.message and first.name == "response_in_evaluation"
    assert "held out" in second.message and second.severity == "error"


def test_what_cannot_be_compared_with_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no .json.*Cure"):
        build([tmp_path], [], "held out", 13)
    with pytest.raises(ConfigError, match="--ngram is 0.*Cure"):
        build([], [], "held out", 0)
    (tmp_path / "bad.jsonl").write_text('{"a": "b"}\n{"a"\n')
    with pytest.raises(DataError, match=r"bad.jsonl line 2.*Cure"):
        build([tmp_path], [], "held out", 13)
