"""Any ranked dataset: artifacts, files of ours, the released ones and mapped ones."""

import gzip
import json
from pathlib import Path

import pytest

from tuna_exp.diagnosis.loading import load
from tuna_exp.errors import DataError, UserError
from tuna_exp.rankers.base import Refusal
from tuna_exp.records import Instruction, RankedExample, write_records
from tuna_exp.stages.rank import RANKING, REFUSALS

TEMPLATE = (
    "Below is an instruction that describes a task. Write a response.\n\n"
    "### Instruction:\nName a fish.\n\n### Response:"
)
MAPPED = {"instruction": "Name a fish.", "responses": ["tuna", "cod", "tuna"], "scores": [3, 1, 2]}


def ours() -> RankedExample:
    return RankedExample.from_scores(Instruction(id="a", instruction="x"), ["b", "c"], [1.0, 0.0])


def lines(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_an_artifact_has_its_refusals(tmp_path: Path) -> None:
    write_records(tmp_path / RANKING, [ours()])
    write_records(tmp_path / REFUSALS, [Refusal(instruction_id="b", kind="empty", raw="")])
    data = load(str(tmp_path), {}, "train")
    assert (data.kind, data.refused) == ("ranking artifact", {"empty": 1})
    assert data.examples == [ours()]


def test_its_file_alone_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "any.jsonl.gz"
    path.write_bytes(gzip.compress(ours().model_dump_json().encode()))
    assert load(str(path), {}, "train").examples == [ours()]


def test_mapped_records_keep_repeated_texts(tmp_path: Path) -> None:
    (one,) = load(str(lines(tmp_path / "a.jsonl", MAPPED)), {}, "train").sets
    assert one.texts == ("tuna", "cod", "tuna")
    assert [(r.text, r.rank) for r in one.example.responses] == [("tuna", 0), ("cod", 1)]


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"prompt": "Name a fish.", "answers": ["tuna", "cod"]})
    fields = {"instruction": "prompt", "responses": "answers"}
    (one,) = load(str(path), fields, "train").sets
    assert one.example.instruction.text == "Name a fish." and one.texts == ("tuna", "cod")
    with pytest.raises(UserError, match=r"no field 'responses'.*answers.*--field responses=NAME"):
        load(str(path), {}, "train")


def test_released_files_are_known(tmp_path: Path) -> None:
    """In the second record the judge kept only its own response, number 2."""
    trained = {"instruction": TEMPLATE, "output": ["cod", "tuna"], "score": [1.0, 2.0], "id": 7}
    data = load(str(lines(tmp_path / "a.json", trained)), {}, "train")
    assert data.kind == "released Tuna file"
    assert data.examples[0].responses[0].text == "tuna"
    judged = {"instruct": TEMPLATE, "generation": ["cod", "tuna"], "gpt_eval": "said"}
    raw = [judged | {"id": 1, "rank": [1, 2, 0]}, judged | {"id": 2, "rank": [2]}]
    data = load(str(lines(tmp_path / "b.json", *raw)), {}, "train")
    assert [one.texts for one in data.sets] == [("tuna", "cod")]
    assert data.refused == {"judge_kept_only_its_own": 1}


def test_a_folder_of_the_datasets_library(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list([MAPPED]).save_to_disk(tmp_path / "saved")
    (one,) = load(str(tmp_path / "saved"), {}, "train").sets
    assert one.texts == ("tuna", "cod", "tuna")


def test_broken_records_are_told_with_their_place(tmp_path: Path) -> None:
    good = json.loads(ours().model_dump_json())
    bad = {"instruction": {"id": "b", "instruction": "x"}, "responses": [{"text": "a", "rank": 3}]}
    with pytest.raises(DataError, match=r"a.jsonl line 2.*must start at 0.*Cure"):
        load(str(lines(tmp_path / "a.jsonl", good, bad)), {}, "train")
    with pytest.raises(DataError, match="does not exist.*Cure"):
        load(str(tmp_path / "nowhere.jsonl"), {}, "train")
