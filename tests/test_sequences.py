"""Sequences on disk are what lists of the same would be."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.sequences import Lines, Mapped, Picked, ordered_by, turned_back, where

TEXTS = st.lists(st.sampled_from(["", " \t", "a", "é\u2028ü", '{"x": 1}', "b" * 300]), max_size=12)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines") / "file.txt"


@given(texts=TEXTS, ends=st.booleans(), limit=st.none() | st.integers(0, 5))
def test_lines_are_those_that_are_not_blank(
    texts: list[str], ends: bool, limit: int | None, file: Path
) -> None:
    """Each with its number in the file; a last line may lack its break."""
    file.write_bytes(("\n".join(texts) + ("\n" if ends and texts else "")).encode())
    wanted = [(text, n) for n, text in enumerate(texts, start=1) if text.strip()][:limit]
    lines = Lines(file, lambda line: line.decode().strip(), limit)
    assert list(lines) == [text for text, _ in wanted] == [lines[i] for i in range(len(lines))]
    assert [lines.line(i) for i in range(len(lines))] == [n for _, n in wanted]
    assert lines[1:3] == [text for text, _ in wanted][1:3]
    assert lines[::-1] == list(lines)[::-1]


def test_places_outside_are_refused(file: Path) -> None:
    file.write_text("a\nb\n")
    lines = Lines(file, bytes.strip)
    assert (lines[-1], lines[-2]) == (b"b", b"a")
    for outside in (2, -3):
        with pytest.raises(IndexError):
            lines[outside]


def test_another_process_reads_the_same(file: Path) -> None:
    file.write_text("a\nb\n")
    lines = Lines(file, bytes.strip)
    assert list(lines) == list(pickle.loads(pickle.dumps(lines))) == [b"a", b"b"]


def test_what_is_written_later_is_not_there(file: Path) -> None:
    file.write_text("a\n")
    lines = Lines(file, bytes.strip)
    with file.open("a") as more:
        more.write("b\n")
    assert list(lines) == [b"a"]


@given(st.lists(st.integers(0, 5), max_size=20))
def test_an_order_is_stable_and_can_be_turned_back(values: list[int]) -> None:
    order = ordered_by(np.array(values, dtype=np.int64))
    shown = Picked(values, order)
    assert list(shown) == sorted(values)
    assert list(order) == sorted(range(len(values)), key=values.__getitem__)
    assert list(Picked(shown, turned_back(order))) == values


def test_items_are_made_when_they_are_asked_for() -> None:
    asked: list[int] = []

    def double(index: int, item: int) -> int:
        asked.append(index)
        return 2 * item

    doubled = Mapped([5, 6, 7], double)
    odd = Picked(doubled, where([5, 6, 7], lambda item: item % 2 == 1))
    assert (len(odd), asked) == (2, [])
    assert (odd[1], asked) == (14, [2])
