"""From a file to rows of JSON: opening, unpacking, decoding, and saying exactly what went wrong.

JSON lines that are many stay on disk, and each is read when it is asked for.

Knows JSON lists and JSON lines, plain or gzipped (seen by the first two bytes, not by the name),
strict UTF-8 with or without a byte order mark. What a row must hold is the business of `checking`.
Left out: CSV, Parquet and folders of files, which `hub` reads through the `datasets` library.
"""

import codecs
import gzip
import hashlib
import json
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tuna_exp.errors import ConfigError, DataError, nearest
from tuna_exp.sequences import HELD_BYTES, Lines

_GZIP_MAGIC = b"\x1f\x8b"
_BETWEEN_RECORDS = re.compile(r"[ \t\r\n,]*")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SHOWN_CHARACTERS = 60


class MalformedError(ValueError):
    """One row cannot be used; the message names the field, what was expected and what was found."""


@dataclass(frozen=True)
class Rows:
    """What a source holds: parsed values, or a `MalformedError` where a row is no JSON.

    `place(i)` names row i for a message, as in "data.jsonl line 3".
    """

    source: str
    values: Sequence[object]
    place: Callable[[int], str]


@dataclass(frozen=True)
class _ListPlaces:
    """Lines of a JSON list's records, worked out only when a message needs them."""

    name: str
    text: str

    @cached_property
    def lines(self) -> list[int]:
        return _record_lines(self.text, len(self.text))

    def __call__(self, index: int) -> str:
        return f"{self.name} line {self.lines[index]} (record {index + 1})"


def read_rows(path: Path, limit: int | None) -> Rows:
    """Read the first `limit` rows (None: all) of a JSON list or a JSON-lines file.

    Raises ConfigError for a limit that cannot work and DataError for a file that cannot be read
    as a whole. A broken line of a JSON-lines file becomes a `MalformedError` value instead.
    """
    check_limit(limit)
    if _is_large(path):
        return _large_rows(path, limit)
    text = read_text(path)
    start = len(text) - len(text.lstrip())
    try:
        if text[start] == "[":
            return _list_rows(path, text, limit)
        if text[start] == "{":
            _refuse_spread_object(path, text, start)
            return _line_rows(path, text, limit)
    except RecursionError as error:
        raise DataError(
            f"{path}: lists or objects are nested too deeply to be read; expected records with "
            "strings and lists of them. Cure: write them flat."
        ) from error
    raise DataError(
        f"{path}: expected a JSON list or JSON lines, found text that starts with "
        f"{_from(text, start)}. Cure: convert the file to JSON lines, "
        "one object per line."
    )


def read_text(path: Path) -> str:
    """Return the file's text, unpacked where it is gzip, without a byte order mark.

    Raises DataError for a missing, unreadable, damaged, wrongly encoded or empty file.
    """
    data = _require_file(path).read_bytes()
    if not data:
        raise DataError(f"{path} is empty (0 bytes). Cure: download or write it again.")
    if data.startswith(_GZIP_MAGIC):
        data = _unpack(path, data)
    text = _decode(path, data)
    if not text.strip():
        raise DataError(
            f"{path} holds only white space ({len(data)} bytes), expected records. "
            "Cure: download or write it again."
        )
    return text


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of the file's bytes in hexadecimal; raises DataError without a file."""
    with _require_file(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_whole(archive: tarfile.TarFile) -> None:
    """Read an open tar to its end, where a packed one has the check sum of all that was read.

    Raises OSError, EOFError or zlib.error where it is cut short or damaged.
    """
    assert archive.fileobj is not None
    while archive.fileobj.read(2**20):
        pass


def check_limit(limit: int | None) -> None:
    """Raise ConfigError unless `limit` is null or a whole number of at least 1."""
    if limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit >= 1):
        return
    raise ConfigError(
        f"dataset.limit={limit!r}: expected null (all records) or a whole number of at least 1. "
        "Cure: dataset.limit=100, or dataset.limit=null."
    )


def show(value: object) -> str:
    """Return a JSON value on one line, cut to about 60 characters, safe to write anywhere."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "..."
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _from(text: str, position: int) -> str:
    rest = text[position : position + _SHOWN_CHARACTERS].strip()
    return show(rest) if rest else "the end"


def _require_file(path: Path) -> Path:
    path = path.expanduser()
    if path.is_dir():
        inside = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) or "nothing"
        raise DataError(
            f"{path} is a folder, expected a file; it holds {inside}. Cure: name a file in it."
        )
    if not path.parent.is_dir():
        raise DataError(
            f"{path} does not exist, nor does its folder {path.parent}. Cure: correct the path; "
            f"a relative one starts at {Path.cwd()}."
        )
    if not path.exists():
        guess = nearest(path.name, (entry.name for entry in path.parent.iterdir()))
        raise DataError(
            f"{path} does not exist.{guess} Cure: correct the path; a relative one starts at "
            f"{Path.cwd()}."
        )
    if not os.access(path, os.R_OK):
        raise DataError(f"{path} may not be read by this user. Cure: chmod u+r {path}")
    return path


def _unpack(path: Path, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path}: its {len(data)} bytes of gzip are cut short or damaged ({error}). "
            "Cure: download or pack it again; `gzip -t` tells whether a copy is whole."
        ) from error


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        utf16 = data.startswith(_UTF16_MARKS)
        guess = " It begins like UTF-16." if utf16 else ""
        raise DataError(
            f"{path} line {line}: byte 0x{data[error.start]:02x} at offset {error.start} of the "
            f"(unpacked) text is not UTF-8.{guess} Cure: convert the file, for instance with "
            f"`iconv -f {'utf-16' if utf16 else 'latin1'} -t utf-8`."
        ) from error


def _is_large(path: Path) -> bool:
    """Whether a file is JSON lines, not packed, and more than is held."""
    if _require_file(path).stat().st_size <= HELD_BYTES:
        return False
    with path.open("rb") as file:
        return file.read(2**16).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def _large_rows(path: Path, limit: int | None) -> Rows:
    lines = Lines(path, _parse_bytes, limit)
    return Rows(str(path), lines, lambda index: f"{path.name} line {lines.line(index)}")


def _parse_bytes(line: bytes) -> object:
    try:
        return _parse_line(line.removeprefix(codecs.BOM_UTF8).decode("utf-8").strip())
    except UnicodeDecodeError as error:
        return MalformedError(
            f"byte 0x{line[error.start]:02x} at offset {error.start} of the line is not UTF-8"
        )
    except RecursionError:
        return MalformedError("lists or objects are nested too deeply to be read")


def _list_rows(path: Path, text: str, limit: int | None) -> Rows:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        good = len(_record_lines(text, error.pos))
        raise DataError(
            f"{path} line {error.lineno} column {error.colno}: invalid JSON ({error.msg}), found "
            f"{_from(text, error.pos)}; {good} whole records before "
            "it. Cure: correct the file there, or download it again if it ends early."
        ) from error
    except ValueError as error:  # a number beyond all reason
        raise DataError(f"{path}: {error}. Cure: correct the file, which holds no data.") from error
    if not values:
        raise DataError(f"{path} holds an empty list, expected records. Cure: write it again.")
    return Rows(str(path), values[:limit], _ListPlaces(path.name, text))


def _line_rows(path: Path, text: str, limit: int | None) -> Rows:
    # Only "\n" ends a line: str.splitlines would also cut at U+2028 inside a string.
    lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    lines = lines[:limit]
    values = [_parse_line(line) for _, line in lines]
    return Rows(str(path), values, lambda index: f"{path.name} line {lines[index][0]}")


def _parse_line(line: str) -> object:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return MalformedError(
            f"expected one JSON object on the line, found invalid JSON at column {error.colno} "
            f"({error.msg}), found {_from(line, error.pos)}"
        )
    except ValueError as error:
        return MalformedError(f"expected one JSON object on the line: {error}")


def _refuse_spread_object(path: Path, text: str, start: int) -> None:
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return  # told line by line, with the good lines counted
    if "\n" in text[start:end]:
        raise DataError(
            f"{path}: expected a JSON list or one JSON object per line, found a JSON object over "
            f"several lines, with fields {show(list(value))}. Cure: keep the list of records "
            "alone, or write each object on a line of its own."
        )


def _record_lines(text: str, end: int) -> list[int]:
    """Line numbers at which the whole records of a JSON list start, up to offset `end`."""
    decoder, lines, line, seen = json.JSONDecoder(), list[int](), 1, 0
    position = text.index("[") + 1
    while True:
        separator = _BETWEEN_RECORDS.match(text, position)
        position = separator.end() if separator else position
        if position >= end or text[position] == "]":
            return lines
        line, seen = line + text.count("\n", seen, position), position
        try:
            _, position = decoder.raw_decode(text, position)
        except ValueError:
            return lines
        lines.append(line)
