"""A dataset that does not fit in memory: the same files come of it, and memory does not grow."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from tuna_exp.batching.tokenise import Batching
from tuna_exp.datasets.jsonl import JsonlDataset
from tuna_exp.llms.base import Sampling
from tuna_exp.llms.decoding import Decoding
from tuna_exp.models.student import Student
from tuna_exp.plan import Workspace
from tuna_exp.rankers.probabilistic import ProbabilisticRanker
from tuna_exp.stages.rank import RANKING, REFUSALS, RELIABILITY, rank
from tuna_exp.stages.sample import CANDIDATES, Drawing, sample
from tuna_exp.stages.tokenise import TOKENS, Reading, tokenise_instructions, tokenise_ranking

MakeWork = Callable[..., Workspace]
FIELDS = {"instruction": "ask", "output": "answer", "input": None, "id": None}
SAMPLING = Sampling(Decoding(2, 1.0, 1.0, 0, max_new_tokens=2), batch_size=64, diversity=None)
READING = Reading(Batching("padded", 8, 4096, 256, "truncate", 0), "best", True, 1.0)
FILES = {
    "sampled": [CANDIDATES],
    "ranked": [RANKING, REFUSALS, RELIABILITY],
    "read": [TOKENS],
    "own": [TOKENS],
}
# Of each record in the file and of each set that is made of it; the answers are of no use to it.
LONG = 4_000


def write(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for i in range(count):
            row = {"ask": "Count." * (1 + i % 3), "answer": f"{i} " + "word " * (LONG // 5)}
            file.write(json.dumps(row) + "\n")


def worked(path: Path, student: Student, make_work: MakeWork, name: str) -> dict[str, Workspace]:
    """Everything that is done with all of a dataset before a model is trained."""
    instructions = JsonlDataset(str(path), FIELDS, None).load()
    done = {"sampled": make_work(f"{name}-sampled")}
    sample(Drawing(student.llm(), SAMPLING, 0, None), instructions, done["sampled"])
    done["ranked"] = make_work(f"{name}-ranked", candidates=done["sampled"].folder)
    rank(ProbabilisticRanker(1.0), None, done["ranked"])
    done["read"] = make_work(f"{name}-read", ranking=done["ranked"].folder)
    tokenise_ranking(READING, student, done["read"])
    done["own"] = make_work(f"{name}-own")
    tokenise_instructions(READING, student, instructions, done["own"])
    return done


def on_disk(patch: pytest.MonkeyPatch) -> None:
    for module in ("records", "datasets.reading", "datasets.hub"):
        patch.setattr(f"tuna_exp.{module}.HELD_BYTES", 0)


def test_what_stays_on_disk_gives_the_same_files(
    student: Student, make_work: MakeWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.jsonl"
    write(path, 70)
    held = worked(path, student, make_work, "held")
    on_disk(monkeypatch)
    read = worked(path, student, make_work, "read")
    for stage, names in FILES.items():
        for name in names:
            one, other = held[stage].folder / name, read[stage].folder / name
            assert one.read_bytes() == other.read_bytes(), name


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data(
    student: Student, make_work: MakeWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another 300 records add less than 500 bytes each to the peak, of the 4,000 they have.

    What is held of so many records at a time, and n² for intervals of a few, has an end in both.
    """
    on_disk(monkeypatch)
    monkeypatch.setattr("tuna_exp.stages.working._MEASURED", 64)
    monkeypatch.setattr("tuna_exp.batching.tokens.ROWS", 64)
    monkeypatch.setattr("tuna_exp.comparison.statistics._MANY_UNITS", 10)
    peaks = []
    for count in (20, 300, 600):  # the first one fills caches
        path = tmp_path / f"{count}.jsonl"
        write(path, count)
        tracemalloc.start()
        worked(path, student, make_work, str(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[2] - peaks[1]) / 300 < 500, peaks
