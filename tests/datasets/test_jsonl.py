"""JSON lines with mapped fields, and the mapping's own mistakes."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.datasets.jsonl import JsonlDataset
from tuna_exp.errors import ConfigError, DataError

PLAIN = {"instruction": "instruction", "input": "input", "output": "output", "id": None}
RANKED = {"instruction": "task", "responses": "answers", "scores": "marks", "id": "key"}
ROW = {"task": "Add.", "answers": ["2", "3", "4"], "marks": [0.5, 1, 0.5], "key": 7}


def dataset(folder: Path, fields: dict[str, str | None], *rows: object) -> JsonlDataset:
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return JsonlDataset(path=str(path), fields=fields, limit=None)


def refusal(data: JsonlDataset) -> str:
    with pytest.raises(DataError) as caught:
        data.load_ranked() if "responses" in data.fields else data.load()
    return str(caught.value)


plain_rows = st.fixed_dictionaries(
    {
        "instruction": st.text().filter(str.strip),
        "input": st.text() | st.none(),
        "output": st.text() | st.none(),
    }
)


@given(rows=st.lists(plain_rows, min_size=1))
def test_written_records_read_back_equal(tmp_path_factory, rows):
    loaded = dataset(tmp_path_factory.mktemp("jsonl"), PLAIN, *rows).load()
    assert [(i.instruction, i.input) for i in loaded] == [
        (row["instruction"], row["input"] or "") for row in rows
    ]
    assert [i.id for i in loaded] == [f"jsonl-{n:06d}" for n in range(len(rows))]


def test_scored_responses_are_ranked_with_ties(tmp_path):
    [example] = dataset(tmp_path, RANKED, ROW).load_ranked()
    assert example.instruction.id == "7"
    assert [(r.text, r.rank) for r in example.responses] == [("3", 0), ("2", 1), ("4", 1)]


def test_responses_without_scores_stand_best_first(tmp_path):
    [example] = dataset(tmp_path, RANKED | {"scores": None}, ROW).load_ranked()
    assert [(r.text, r.rank) for r in example.responses] == [("2", 0), ("3", 1), ("4", 2)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"marks": [1, 2]},
            "field 'marks': expected 3 entries, one per entry of 'answers', found 2",
        ),
        (
            {"marks": [1, math.nan, 2]},
            "field 'marks[1]': expected a list of finite numbers, found NaN",
        ),
        ({"marks": None}, "field 'marks': expected a list, found null"),
        ({"answers": []}, "field 'answers': expected a list of at least one string"),
        ({"answers": ["2", 3, "4"]}, "field 'answers[1]': expected a list of at least one string"),
        ({"key": ""}, "field 'key': expected a non-blank string, an integer or null, found \"\""),
        ({"key": 1.5}, "field 'key': expected a non-blank string, an integer or null, found 1.5"),
    ],
)
def test_misfits_are_told_in_the_files_own_names(tmp_path, change, told):
    message = refusal(dataset(tmp_path, RANKED, ROW, ROW | {"key": 8} | change))
    assert "1 records are good, 1 are not" in message
    assert f"data.jsonl line 2: {told}" in message


def test_broken_line_missing_field_and_repeated_id_come_in_one_message(tmp_path):
    data = dataset(tmp_path, RANKED, ROW, ROW, {"task": "Add.", "answer": [], "key": 9})
    with Path(data.path).open("a") as stream:
        stream.write('{"task": "Add.",\n')
    message = refusal(data)
    assert "1 records are good, 3 are not" in message
    assert "line 2: field 'id': expected an id of its own" in message
    assert "line 3: field 'answers' is missing" in message
    assert "Did you mean 'answer'?" in message
    assert "line 4: expected one JSON object on the line, found invalid JSON" in message
    assert "dataset.fields.<role>=<field>" in message


def test_unranked_data_cannot_be_loaded_ranked(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset\.fields\.responses is null.*Cure"):
        dataset(tmp_path, PLAIN, ROW).load_ranked()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"instruktion": "x"}, "instruktion is no role.*Did you mean 'instruction'"),
        ({"instruction": None}, "dataset.fields.instruction is null"),
        ({"instruction": "x", "scores": "y"}, "dataset.fields.responses is null"),
    ],
)
def test_mapping_mistakes_are_setting_errors(tmp_path, fields, told):
    with pytest.raises(ConfigError, match=told):
        dataset(tmp_path, fields, ROW).load()


def test_digest_follows_the_mapping_and_is_json(tmp_path):
    plain, ranked = dataset(tmp_path, PLAIN, ROW), dataset(tmp_path, RANKED, ROW)
    assert plain.digest()["sha256"] == ranked.digest()["sha256"]
    assert plain.digest() != ranked.digest()
    assert json.loads(json.dumps(plain.digest())) == plain.digest()
    assert str(tmp_path) not in json.dumps(plain.digest())
