"""Files as a whole: what can be opened, what cannot, and what the message says then."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.datasets.reading import MalformedError, fingerprint, read_rows, show
from tuna_exp.errors import ConfigError, DataError

ROWS = [{"instruction": "Add 1 and 2."}, {"instruction": "Name a colour."}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
json_values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())


def written(folder: Path, content: str | bytes, name: str = "data.json") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_rows(path, None)
    message = str(caught.value)
    assert "Cure: " in message
    assert len(message.splitlines()) <= 20
    return message


@pytest.mark.parametrize("text", [json.dumps(ROWS), json.dumps(ROWS, indent=2), LINES])
@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_list_and_lines_plain_and_packed_read_the_same(tmp_path, text, pack, mark):
    rows = read_rows(written(tmp_path, pack(mark + text), "any.name"), None)
    assert rows.values == ROWS


@given(values=st.lists(st.dictionaries(st.text(), json_values), min_size=1), spread=st.booleans())
def test_any_json_lines_read_back_equal(tmp_path_factory, values, spread):
    """ensure_ascii=False keeps U+2028 and the like, which must not end a line."""
    dumped = [json.dumps(value, ensure_ascii=False) for value in values]
    text = ("\n\n" if spread else "\r\n").join(dumped)
    path = written(tmp_path_factory.mktemp("lines"), text)
    assert read_rows(path, None).values == values


def test_limit_takes_the_first_rows(tmp_path):
    assert read_rows(written(tmp_path, LINES), 1).values == ROWS[:1]
    assert read_rows(written(tmp_path, json.dumps(ROWS)), 1).values == ROWS[:1]
    assert read_rows(written(tmp_path, LINES), 9).values == ROWS


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "3"])
def test_limit_that_cannot_work_is_a_setting_error(tmp_path, limit):
    with pytest.raises(ConfigError, match=r"dataset\.limit=.*at least 1.*Cure"):
        read_rows(written(tmp_path, LINES), limit)


def test_places_count_lines_not_records(tmp_path):
    spaced = written(tmp_path, '{"a": 1}\n\n{"a": 2}\n', "spaced.jsonl")
    assert read_rows(spaced, None).place(1) == "spaced.jsonl line 3"
    indented = written(tmp_path, json.dumps(ROWS, indent=2), "indented.json")
    assert read_rows(indented, None).place(0) == "indented.json line 2 (record 1)"
    assert read_rows(indented, None).place(1) == "indented.json line 5 (record 2)"


def test_missing_file_names_its_nearest_neighbour(tmp_path):
    written(tmp_path, LINES, "alpaca_data.json")
    assert "Did you mean 'alpaca_data.json'?" in refusal(tmp_path / "alpaca-data.json")


def test_missing_folder_is_told(tmp_path):
    assert f"nor does its folder {tmp_path / 'none'}" in refusal(tmp_path / "none" / "x.json")


def test_folder_instead_of_file(tmp_path):
    written(tmp_path, LINES, "inside.json")
    assert "is a folder, expected a file; it holds inside.json" in refusal(tmp_path)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:20], lambda b: b + b"tail"])
def test_damaged_gzip(tmp_path, damage):
    packed = gzip.compress(LINES.encode() * 50)
    assert "cut short or damaged" in refusal(written(tmp_path, damage(packed)))


def test_wrong_encoding_names_line_byte_and_offset(tmp_path):
    """The first line has 8 bytes and a newline; 0xe9 is the 4th byte of the second: offset 12."""
    message = refusal(written(tmp_path, b'{"a": 1}\n{"b\xe9": 2}'))
    assert "line 2: byte 0xe9 at offset 12" in message


def test_utf16_is_recognised(tmp_path):
    message = refusal(written(tmp_path, LINES.encode("utf-16")))
    assert "begins like UTF-16" in message and "`iconv -f utf-16 -t utf-8`" in message


def test_empty_and_blank_files(tmp_path):
    assert "is empty (0 bytes)" in refusal(written(tmp_path, ""))
    assert "holds only white space (3 bytes)" in refusal(written(tmp_path, " \n\t"))
    assert "holds an empty list" in refusal(written(tmp_path, "[ ]"))


def test_object_instead_of_list(tmp_path):
    message = refusal(written(tmp_path, json.dumps({"data": ROWS}, indent=1)))
    assert "expected a JSON list" in message
    assert '["data"]' in message


def test_no_json_at_all(tmp_path):
    assert 'starts with "instruction,output' in refusal(written(tmp_path, "instruction,output\n"))


def test_broken_list_names_line_column_and_good_records(tmp_path):
    message = refusal(written(tmp_path, '[{"a": 1},\n {"a": 2},\n {"a" 3}]'))
    assert "line 3 column 7: invalid JSON (Expecting ':' delimiter)" in message
    assert "2 whole records before it" in message


def test_list_that_ends_early(tmp_path):
    assert "1 whole records before it" in refusal(written(tmp_path, '[{"a": 1}, {"a": "un'))


def test_line_that_ends_early(tmp_path):
    [row] = read_rows(written(tmp_path, '{"a": 1'), None).values
    assert str(row).endswith("found the end")


def test_broken_line_becomes_a_malformed_row(tmp_path):
    rows = read_rows(written(tmp_path, '{"a": 1}\n{"a": }\n{"a": 3}'), None)
    assert rows.values[::2] == [{"a": 1}, {"a": 3}]
    assert isinstance(rows.values[1], MalformedError)
    assert 'invalid JSON at column 7 (Expecting value), found "}"' in str(rows.values[1])


def test_numbers_beyond_all_reason_are_told(tmp_path):
    """Python turns no text of more than 4,300 digits into a number."""
    path = tmp_path / "rows.json"
    path.write_text("[" + "9" * 5000 + "]")
    with pytest.raises(DataError, match="4300 digits.*Cure"):
        read_rows(path, None)
    path.write_text('{"a": ' + "9" * 5000 + '}\n{"a": 1}\n')
    first, second = read_rows(path, None).values
    assert isinstance(first, MalformedError) and second == {"a": 1}


def test_fingerprint_is_the_sha256_of_the_bytes(tmp_path):
    path = written(tmp_path, LINES)
    assert fingerprint(path) == hashlib.sha256(LINES.encode()).hexdigest()
    with pytest.raises(DataError, match="does not exist"):
        fingerprint(tmp_path / "other")


@given(json_values)
def test_shown_values_are_short_and_writable(value):
    assert len(show(value)) <= 63
    assert "\n" not in show(value)


def test_shown_lone_surrogate_can_be_written():
    assert show("\ud800").encode() == b'"\\ud800"'
