"""Ratios, tables and their words, from rounds made by hand."""

import json
from pathlib import Path

import pytest

from experiments.speed import plot, table
from experiments.speed.cases import Case
from experiments.speed.counting import Work
from experiments.speed.machine import Machine
from experiments.speed.memory import peak, settle
from experiments.speed.protocol import Answer
from experiments.speed.results import CaseResult, Check, Report, Variant, memory, ratio

CASE = Case(name="alpaca-4x4", profile="alpaca", prompts=4, responses=4)


def rounds(*seconds: float, mebibytes: int = 100) -> list[Answer]:
    counted = {"tokens": 50, "needed": 40, "flops": 6e9, "gemm": 4e9, "work": Work(positions=80)}
    return [Answer(seconds=s, memory=mebibytes * 2**20, **counted) for s in seconds]


@pytest.fixture
def report() -> Report:
    found = CaseResult(
        case=CASE,
        shared_worker=False,
        variants=[
            Variant(form="released", precision="bf16", rounds=rounds(6, 9, 8, mebibytes=600)),
            Variant(
                form="released", precision="fp32", skipped="needs about 30 GiB, 9 GiB are free"
            ),
            Variant(form="shared_prompt", precision="bf16", rounds=rounds(3, 3, 2)),
            Variant(form="shared_prompt", precision="fp32", rounds=rounds(6, 3, 4)),
        ],
        checks=[
            Check(form="shared_prompt", against="released", loss_error=2e-7, gradient_error=3e-6)
        ],
    )
    machine = Machine(
        device="cpu", processor="A CPU", cores=2, features=["avx2"], free_gib=9, versions={}
    )
    return Report(
        suite="quick", command="speed quick", started="today", machine=machine, shape="smollm2",
        seed=0, rounds=3, asked=["alpaca-4x4", "rag-1x4"], results=[found],
    )  # fmt: skip


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """6/3, 9/3 and 8/2 are 2, 3 and 4; the ratio of the medians would be 8/3."""
    assert ratio(rounds(6, 9, 8), rounds(3, 3, 2)) == (3, 2, 4)
    assert ratio(rounds(1, mebibytes=600), rounds(1), memory).middle == 6


def test_the_last_lines_are_the_ratios(report: Report) -> None:
    assert list(table.sentences(report)) == [
        "shared_prompt is 3.0 x faster than released and takes 6.0 x less memory "
        "(bf16, N=4, 4 prompts, Alpaca lengths)",
        "shared_prompt in bf16 is 2.0 x faster than in fp32 (N=4, 4 prompts, Alpaca lengths)",
    ]


def test_the_markdown_says_what_is_missing_and_why(report: Report) -> None:
    text = table.markdown(report)
    assert "not measured: needs about 30 GiB, 9 GiB are free" in text
    assert "unfinished, not measured yet: rag-1x4" in text
    # 50 tokens in 3 s, 40 of 80 positions, 6e9 FLOPs in 3 s of 4e9 a second.
    cells = "| 3.00 | 17 | 50 | 50 | 100 | 3.00 (2.00 to 4.00) | – | – | 6.00 (6.00 to 6.00) |"
    assert cells in text
    assert "2e-07, 3e-06" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1


def test_the_report_is_stored_whole_and_drawn(report: Report, tmp_path: Path) -> None:
    assert Report.model_validate(json.loads(report.model_dump_json())) == report
    plot.draw(report, tmp_path / "quick.svg")
    assert (tmp_path / "quick.svg").read_text().startswith("<svg")


def test_the_peak_is_what_the_block_took() -> None:
    settle("cpu")
    with peak("cpu", 0) as empty:
        pass
    with peak("cpu", empty.over_model) as taken:
        held = bytearray(64 * 2**20)
    assert len(held) <= taken.over_model + 2**20 < 2 * len(held)
