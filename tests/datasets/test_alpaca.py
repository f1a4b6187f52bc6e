"""The Alpaca file: small ones written here, and the real one where it is at hand."""

import gzip
import json
import logging
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import Dataset
from tuna_exp.datasets.alpaca import AlpacaDataset
from tuna_exp.errors import DataError, UserError

REAL = Path(__file__).parents[3] / "shared" / "data" / "alpaca" / "alpaca_data.json.gz"
needs_real = pytest.mark.skipif(not REAL.exists(), reason="the real Alpaca file is not at hand")
ROWS = [
    {"instruction": "Add.", "input": "1, 2", "output": "3"},
    {"instruction": "Say nothing.", "input": "", "output": ""},
]
alpaca_rows = st.fixed_dictionaries(
    {"instruction": st.text().filter(str.strip), "input": st.text(), "output": st.text()}
)


def dataset(path: Path | None, hub_id: str = "none", limit: int | None = None) -> AlpacaDataset:
    return AlpacaDataset(path=None if path is None else str(path), hub_id=hub_id, limit=limit)


@pytest.fixture
def offline(monkeypatch):
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@given(rows=st.lists(alpaca_rows, min_size=1), packed=st.booleans())
def test_written_records_read_back_equal(tmp_path_factory, rows, packed):
    text = json.dumps(rows, ensure_ascii=False).encode()
    path = tmp_path_factory.mktemp("alpaca") / "alpaca.json"
    path.write_bytes(gzip.compress(text) if packed else text)
    loaded = dataset(path).load()
    assert [(i.instruction, i.input) for i in loaded] == [
        (row["instruction"], row["input"]) for row in rows
    ]
    assert [i.reference for i in loaded] == [
        row["output"] if row["output"].strip() else None for row in rows
    ]


def test_ids_come_from_the_position(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(ROWS))
    assert [i.id for i in dataset(path).load()] == ["alpaca-000000", "alpaca-000001"]
    assert len(dataset(path, limit=1).load()) == 1


def test_empty_output_is_kept_without_reference_and_told(tmp_path, caplog):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(ROWS))
    with caplog.at_level(logging.WARNING):
        assert [i.reference for i in dataset(path).load()] == ["3", None]
    assert "1 of 2 records have an empty response" in caplog.text


def test_misfits_name_file_line_and_field(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([*ROWS, {"instruction": "x", "input": None, "output": "y"}]))
    with pytest.raises(DataError) as caught:
        dataset(path).load()
    assert "2 records are good, 1 are not" in str(caught.value)
    assert "a.json line 1 (record 3): field 'input': expected a string, found null" in str(
        caught.value
    )


def test_digest_follows_the_bytes_and_the_limit_not_the_path(tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(json.dumps(ROWS))
    two.write_text(json.dumps(ROWS))
    assert dataset(one).digest() == dataset(two).digest()
    assert dataset(one).digest() != dataset(one, limit=1).digest()
    two.write_text(json.dumps(ROWS[:1]))
    assert dataset(one).digest() != dataset(two).digest()


def test_hub_id_reads_through_the_library(tmp_path):
    Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"))
    hub = dataset(None, hub_id=str(tmp_path / "saved"))
    assert [i.reference for i in hub.load()] == ["3", None]
    assert hub.digest() == hub.digest()


def test_unreachable_hub_says_how_to_give_a_file(offline):
    with pytest.raises(UserError, match=r"cannot be reached.*Cure: .*dataset\.path="):
        dataset(None, hub_id="tatsu-lab/no-such-alpaca").load()


@needs_real
def test_first_hundred_real_records():
    loaded = dataset(REAL, limit=100).load()
    assert len(loaded) == 100
    assert loaded[0].instruction == "Give three tips for staying healthy."
    assert all(instruction.reference for instruction in loaded)


@needs_real
def test_all_real_records_within_three_seconds():
    start = time.process_time()
    loaded = dataset(REAL).load()
    assert time.process_time() - start < 3
    assert len(loaded) == 52_002
    assert sum(instruction.reference is None for instruction in loaded) == 46
