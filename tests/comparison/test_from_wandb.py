"""A comparison that is read back from W&B: the one that was logged there, seeds pooled."""

import random
from pathlib import Path

import pytest
import wandb

from tests.tracking.conftest import wandb_server
from tests.wandb_server.server import Server
from tuna_exp.commands import compare
from tuna_exp.comparison import results, tracking
from tuna_exp.comparison.from_wandb import read_project
from tuna_exp.comparison.results import MethodResult, Tokens
from tuna_exp.comparison.tracking import Shown, log_comparison
from tuna_exp.errors import UserError
from tuna_exp.records import Instruction, Prediction
from tuna_exp.tracking.client import Client
from tuna_exp.tracking.described import Described
from tuna_exp.tracking.settings import Tracking

__all__ = ["wandb_server"]  # a fixture
ITEMS, SHARES = 40, {"base": 0.1, "sft": 0.1, "tuna_c": 0.9}


def answers(method: str, seed: int) -> list[Prediction]:
    """Right with the method's share of all items."""
    draw = random.Random(f"{method} {seed}")
    made = []
    for number in range(ITEMS):
        right = draw.random() < SHARES[method]
        asked = Instruction(id=f"i{number}", instruction="Add.", kind=f"k{number % 8}", split="x")
        made.append(
            Prediction(instruction=asked, text="4", tokens=2, passed=right, score=float(right))
        )
    return made


def log(folder: Path, seed: int, loss: str = "tuna", rows: int = 10, scores: int = 99) -> None:
    """Log the comparison of a job of a sweep, as the compare stage does."""
    methods = [
        MethodResult(
            name, answers(name, 0 if name == "base" else seed), 10.0 * seed, Tokens(trained=100),
            seed="" if name == "base" else str(seed),
        )
        for name in SHARES
    ]  # fmt: skip
    made = results.compare(methods, [], [], "sft", 0.95, 2000, 0)
    told = {"ranking_loss": loss, "seed": seed, "cfg": {"seed": seed, "ranking_loss": {"m": loss}}}
    tracking = Tracking("online", "ranked", rows=rows, score_rows=scores)
    client = Client(tracking, folder, Described("sweep", told))
    parts = {"base": "base", "sft": f"sft {seed}", "tuna_c": f"tuna_c {seed} {loss}"}
    shown = {name: Shown([part]) for name, part in parts.items()}
    log_comparison(made, client, shown, Shown([]))


def test_seeds_are_pooled_and_settings_told_apart(
    wandb_server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wandb.Table, "MAX_ROWS", 20)  # the client cuts files of tables there
    log(tmp_path, 0)
    log(tmp_path, 1)
    log(tmp_path, 0, loss="simpo")
    out = tmp_path / "paper"
    assert compare(["wandb=tester/ranked", f"out={out}"]) == 0
    lines = (out / "table.csv").read_text().splitlines()
    head = lines[0].split(",")
    rows = [dict(zip(head, line.split(","), strict=True)) for line in lines[1:]]
    found = {row["method"]: row for row in rows if row["split"] == "all"}
    assert {name: row["seeds"] for name, row in found.items()} == {
        "base": "1", "sft": "2", "tuna_c": "2", "tuna_c ranking_loss=simpo": "1"
    }  # fmt: skip
    every = [p.score for seed in (0, 1) for p in answers("tuna_c", seed)]
    assert float(found["tuna_c"]["score"]) == pytest.approx(sum(every) / len(every))
    assert found["tuna_c"]["verdict"] == "better" and found["tuna_c"]["seconds"] == "5.0"
    assert "tuna_c" in capsys.readouterr().out
    # Samples are of the ten items whose texts were logged.
    report = (out / "report.html").read_text()
    assert report.count('<article class="sample">') == 8 and "<pre>Add.</pre>" in report
    assert "<pre>i" not in report
    with pytest.raises(UserError, match="baseline=stf.*'sft'"):
        compare(["wandb=tester/ranked", "baseline=stf"])


def test_a_part_of_the_answers_is_not_tested(
    wandb_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log(tmp_path, 0, scores=10)
    assert compare(["wandb=tester/ranked"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Nothing is pooled or tested" in told and "10 of 40" in told and "better" in told
    assert "logger.wandb.score_rows=40" in told
    with pytest.raises(UserError, match="no comparison to write"):
        compare(["wandb=tester/ranked", f"out={tmp_path / 'x'}"])
    with pytest.raises(UserError, match="no finished run"):
        compare(["wandb=tester/empty"])


def test_a_project_from_before_there_were_tables_of_scores_is_read(
    wandb_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "ALL_SCORES", "of_another_name")
    log(tmp_path, 0, rows=200)
    assert {one.rows for one in read_project("tester/ranked")} == {ITEMS}
