"""The journal: whatever byte a kill tears it at, the work goes on from the last whole batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tuna_exp.progress import StepBar
from tuna_exp.rankers.base import Refusal
from tuna_exp.records import Candidate, Record
from tuna_exp.stages.journal import Journal

BATCHES: list[list[Record]] = [
    [Candidate(text='a"\n', token_ids=(1,), token_logprobs=(-0.1,)), Candidate(text="")],
    [Refusal(instruction_id="é", kind="empty", raw="\u2028 日本")],
    [Candidate(text="c", finish_reason="length"), Candidate(text="d")],
]
ITEMS = [record for batch in BATCHES for record in batch]


def journal(folder: Path) -> Journal[Record]:
    return Journal(folder / "journal.jsonl", [Candidate, Refusal])


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    for batch in BATCHES:
        journal(tmp_path).append(batch)
    return journal(tmp_path).path.read_bytes()


def test_what_was_appended_is_read(whole: bytes, tmp_path: Path) -> None:
    assert journal(tmp_path).read() == BATCHES
    assert journal(tmp_path / "nothing").read() == []


def test_torn_at_any_byte_it_goes_on_after_the_last_whole_line(
    whole: bytes, tmp_path: Path
) -> None:
    """Also right before a line's end, where the line is whole but for its line break."""
    for cut in range(len(whole) + 1):
        torn = journal(tmp_path)
        torn.path.write_bytes(whole[:cut])
        finished = whole[:cut].count(b"\n")
        assert torn.read() == BATCHES[:finished]
        assert torn.path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:finished])


@pytest.mark.parametrize("damage", [b"\0" * 40, b"[1]\n", b'[["Other", {}]]\n', b"\xff\n"])
def test_a_damaged_end_is_dropped(damage: bytes, whole: bytes, tmp_path: Path) -> None:
    journal(tmp_path).path.write_bytes(whole + damage)
    assert journal(tmp_path).read() == BATCHES
    assert journal(tmp_path).path.read_bytes() == whole


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_only_what_is_missing_is_done(kept: int, tmp_path: Path) -> None:
    """Five items, two at a time: batches 0, 1 and 2; the bar begins at what was done before."""
    sizes: list[int] = []

    def do(batches: Sequence[Sequence[Record]]) -> Iterator[Sequence[Record]]:
        for batch in batches:
            sizes.append(len(batch))
            yield batch

    for start in range(0, 2 * kept, 2):
        journal(tmp_path).append(ITEMS[start : start + 2])
    bar = StepBar("", 1.0, lambda: None)
    assert journal(tmp_path).complete(ITEMS, 2, do, bar, "items") == ITEMS
    assert sizes == [2, 2, 1][kept:]
    assert (bar.done, bar.total, bar.unit) == (5, 5, "items")
    assert [r for batch in journal(tmp_path).read() for r in batch] == ITEMS
