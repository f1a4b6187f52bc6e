"""The journal: whatever byte a kill tears it at, the work goes on from the last whole batch."""

from collections.abc import Iterable, Iterator, Sequence
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
SIZES = [2, 1, 2]
ITEMS = [record for batch in BATCHES for record in batch]


def journal(folder: Path) -> Journal[Record]:
    return Journal(folder / "journal.jsonl", [Candidate, Refusal])


def read(journal: Journal[Record]) -> list[Record]:
    """What whole batches hold."""
    journal.finished(SIZES)
    return [*journal.records()]


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    for batch in BATCHES:
        journal(tmp_path).append(batch)
    return journal(tmp_path).path.read_bytes()


def test_what_was_appended_is_read(whole: bytes, tmp_path: Path) -> None:
    assert journal(tmp_path).finished(SIZES) == 3 and read(journal(tmp_path)) == ITEMS
    (tmp_path / "other").mkdir()
    assert journal(tmp_path / "other").finished(SIZES) == 0
    assert not len(journal(tmp_path / "other").records())


def test_torn_at_any_byte_it_goes_on_after_the_last_whole_batch(
    whole: bytes, tmp_path: Path
) -> None:
    """Also right before a line's end, where the line is whole but for its line break.

    The batches have 2, 1 and 2 records: 0 or 1 lines make none, 2 make one, 3 and 4 two, 5 three.
    """
    for cut in range(len(whole) + 1):
        torn = journal(tmp_path)
        torn.path.write_bytes(whole[:cut])
        batches, records = {0: (0, 0), 1: (0, 0), 2: (1, 2), 3: (2, 3), 4: (2, 3), 5: (3, 5)}[
            whole[:cut].count(b"\n")
        ]
        assert torn.finished(SIZES) == batches
        assert [*torn.records()] == ITEMS[:records]
        assert torn.path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:records])


@pytest.mark.parametrize("damage", [b"\0" * 40, b"[1]\n", b'[["Other", {}]]\n', b"\xff\n"])
def test_a_damaged_end_is_dropped(damage: bytes, whole: bytes, tmp_path: Path) -> None:
    journal(tmp_path).path.write_bytes(whole + damage)
    assert journal(tmp_path).finished([*SIZES, 1]) == 3
    assert journal(tmp_path).path.read_bytes() == whole


def test_a_journal_of_an_older_form_is_begun_anew(tmp_path: Path) -> None:
    """A batch on each line: its first word is no kind of record."""
    journal(tmp_path).path.write_bytes(b'[["Candidate", {"text": "a"}], ["Candidate", {}]]\n')
    assert journal(tmp_path).finished(SIZES) == 0
    assert journal(tmp_path).path.read_bytes() == b""


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_only_what_is_missing_is_done(kept: int, tmp_path: Path) -> None:
    """Five items, two at a time: batches 0, 1 and 2; the bar begins at what was done before."""
    sizes: list[int] = []

    def do(batches: Iterable[Sequence[Record]]) -> Iterator[Sequence[Record]]:
        for batch in batches:
            sizes.append(len(batch))
            yield batch

    for start in range(0, 2 * kept, 2):
        journal(tmp_path).append(ITEMS[start : start + 2])
    bar = StepBar("", 1.0, lambda: None)
    assert [*journal(tmp_path).complete(ITEMS, 2, do, bar, "items")] == ITEMS
    assert sizes == [2, 2, 1][kept:]
    assert (bar.done, bar.total, bar.unit) == (5, 5, "items")
    assert journal(tmp_path).finished([2, 2, 1]) == 3
    assert [*journal(tmp_path).records()] == ITEMS
