"""Tokens on disk: what is written is what is read, and nothing is loaded before it is asked for."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.batching import tokens
from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.batching.tokens import Tokens, write_tokens

IDS = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5)


@st.composite
def examples(draw: st.DrawFn) -> TokenizedExample:
    responses = draw(st.lists(IDS, min_size=1, max_size=4))
    ranks = [draw(st.integers(-1, 3)) for _ in responses]
    trained = [draw(st.booleans()) for _ in responses]
    return TokenizedExample(draw(st.text(max_size=5)), draw(IDS), responses, ranks, trained)


@given(made=st.lists(examples(), min_size=1, max_size=7), rows=st.integers(1, 3))
def test_what_is_written_is_read(
    tmp_path_factory: object, made: list[TokenizedExample], rows: int
) -> None:
    path = tmp_path_factory.mktemp("tokens") / "tokens.arrow"  # type: ignore[attr-defined]
    before, tokens.ROWS = tokens.ROWS, rows
    assert write_tokens(path, iter(made)) == len(made)
    tokens.ROWS = before
    read = Tokens(path)
    assert list(read) == made == [read[i] for i in range(len(read))] == read[:]


def test_reference_log_probabilities_come_along(tmp_path: Path) -> None:
    example = TokenizedExample("x", [1], [[2], [3]], [0, 1], [True, False])
    write_tokens(tmp_path / "t", [example])
    read = Tokens(tmp_path / "t")
    read.reference_logps = [(-1.0, -2.0)]
    assert read[0] == replace(example, reference_logps=(-1.0, -2.0))


def test_the_file_is_mapped_into_memory(tmp_path: Path) -> None:
    write_tokens(tmp_path / "t", [TokenizedExample("x", [1], [[2]], [0], [True])])
    assert Tokens(tmp_path / "t").table.cache_files == [{"filename": str(tmp_path / "t")}]
