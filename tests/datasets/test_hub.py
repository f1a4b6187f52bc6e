"""Datasets through the library, offline: folders that it saved, and a folder of files."""

import json
from pathlib import Path

import pytest

from datasets import Dataset, DatasetDict
from tuna_exp.datasets.hub import HubDataset
from tuna_exp.errors import ConfigError, DataError, UserError

ROWS = [
    {"task": "Add.", "more": None, "answers": ["3", "2"]},
    {"task": "Name a colour.", "more": "light", "answers": ["pink"]},
]
FIELDS = {"instruction": "task", "input": "more", "responses": "answers"}


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "saved"
    DatasetDict({"train": Dataset.from_list(ROWS)}).save_to_disk(str(folder))
    return folder


def dataset(folder: Path, **changes: object) -> HubDataset:
    settings: dict[str, object] = {
        "subset": None, "split": "train", "revision": None, "fields": FIELDS, "limit": None
    }  # fmt: skip
    return HubDataset(hub_id=str(folder), **(settings | changes))


def test_saved_splits_load_with_mapped_fields(saved):
    first, second = dataset(saved).load()
    assert (first.instruction, first.input, first.split) == ("Add.", "", "train")
    assert (second.id, second.input) == ("hub-000001", "light")
    assert len(dataset(saved, limit=1).load()) == 1


def test_responses_load_ranked(saved):
    ranked = dataset(saved).load_ranked()
    assert [[r.text for r in example.responses] for example in ranked] == [["3", "2"], ["pink"]]


def test_saved_without_splits_loads_as_any_split(tmp_path):
    Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "flat"))
    assert len(dataset(tmp_path / "flat").load()) == 2


def test_folder_of_json_lines_loads(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "files").mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "files" / "train.jsonl").write_text(lines)
    assert len(dataset(tmp_path / "files").load()) == 2


def test_unknown_split_names_the_nearest(saved):
    with pytest.raises(UserError, match="dataset.split=trian.*Did you mean 'train'"):
        dataset(saved, split="trian").load()


@pytest.mark.parametrize("setting", [{"subset": "main"}, {"revision": "v1"}])
def test_folder_has_neither_subset_nor_revision(saved, setting):
    with pytest.raises(ConfigError, match="has neither"):
        dataset(saved, **setting).load()


def test_misfits_name_the_row(saved):
    with pytest.raises(DataError, match="split train row 1: field 'tasks' is missing.*'task'"):
        dataset(saved, fields={"instruction": "tasks"}).load()


def test_folder_without_data_and_split_without_rows(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"cannot be loaded: .*Cure"):
        dataset(tmp_path / "empty").load()
    Dataset.from_dict({"task": []}).save_to_disk(str(tmp_path / "none"))
    with pytest.raises(UserError, match="has 0 rows.*Cure"):
        dataset(tmp_path / "none").load()


def test_limit_is_checked_before_anything_is_loaded(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset\.limit=0"):
        dataset(tmp_path / "none", limit=0).load()


def test_digest_follows_the_rows_not_the_folder(saved, tmp_path):
    copy, other = tmp_path / "copy", tmp_path / "other"
    DatasetDict({"train": Dataset.from_list(ROWS)}).save_to_disk(str(copy))
    DatasetDict({"train": Dataset.from_list(ROWS[:1])}).save_to_disk(str(other))
    assert dataset(saved).digest() == dataset(copy).digest()
    assert dataset(saved).digest() != dataset(other).digest()
