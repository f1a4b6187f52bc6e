"""Whole runs of the command on a random model: data, methods, sweeps, parts of a user's own.

The command runs in this process, in an empty folder, on a few instructions.
"""

import csv
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tuna_exp import cli
from tuna_exp.run_records import RunRecord, named_apart, read_runs
from tuna_exp.store import Artifact, Store
from tuna_exp.sweeps.outcomes import RUN_FILE

SMALL = (
    "model=tiny", "logger=csv", "comparison.tracking=disabled", "comparison.resamples=100",
    "evaluation.verifiable.count=8", "evaluation.verifiable.max_new_tokens=4",
    "batching.batch_size=4",
    "sampling.decoding.max_new_tokens=6", "sampling.decoding.responses=2",
    "sampling.diversity=null", "hydra.run.dir=run", "hydra.sweep.dir=sweep",
)  # fmt: skip
Command = Callable[..., int | str | None]


@pytest.fixture
def tuna_exp(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """The command with small settings; arguments in, status out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNA_EXP_ARTIFACTS", raising=False)
    handlers, level = logging.root.handlers[:], logging.root.level
    # When Hydra sets logging up, absl closes the stream it was imported under: pytest's own.
    monkeypatch.setattr("absl.logging.PythonHandler.close", logging.Handler.close)

    def call(*arguments: str) -> int | str | None:
        command = arguments[:1] if arguments[0] in cli.COMMANDS else ()
        small = () if command in (("compare",), ("dashboard",)) else SMALL
        rest = arguments[len(command) :]
        monkeypatch.setattr(sys, "argv", ["tuna-exp", *command, *small, *rest])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code

    yield call
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(False)


def stages() -> dict[str, Any]:
    """The manifests of all finished artifacts by label."""
    entries = Store(Path("artifacts")).entries()
    assert {entry.state for entry in entries} == {"finished"}
    return {str(entry.manifest["label"]): dict(entry.manifest) for entry in entries}


def record(folder: str = "run") -> RunRecord:
    return RunRecord.model_validate_json((Path(folder) / RUN_FILE).read_text())


def alpaca(count: int = 10) -> list[dict[str, str]]:
    return [
        {"instruction": f"Name a word with {c}.", "input": "", "output": f"{c}at"}
        for c in "abcdefghij"[:count]
    ]


@pytest.mark.slow
def test_alpaca_is_ranked_by_the_judge(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("alpaca.json").write_text(json.dumps(alpaca()))
    status = tuna_exp("dataset=alpaca", "dataset.path=alpaca.json", "dataset.limit=8")
    assert status == 0 and "Report with plots: " in capsys.readouterr().out
    done = stages()
    assert done["sample teacher"]["facts"]["sets"] == 8
    ranker = done["rank samples of Tuna-p model"]["settings"]["ranker"]
    assert ranker["ranker"] == "contextual" and set(record().evaluated) == {"base", "sft", "tuna"}


def test_methods_are_judged_beside_the_baseline(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny model judges: SFT ties with itself unasked, the base model is compared with it."""
    asked = [{"prompt": f"Say {i}."} for i in range(4)]
    Path("prompts.jsonl").write_text("\n".join(map(json.dumps, asked)))
    status = tuna_exp(
        "method=sft", "dataset.count=8", "evaluation=[verifiable,open_ended]",
        "evaluation.open_ended.path=prompts.jsonl", "evaluation.open_ended.drawn.max_new_tokens=4",
        "evaluation.open_ended.judging.answer=first_token", "objective.sft.learning_rate=0.01",
    )  # fmt: skip
    assert status == 0, capsys.readouterr().err
    judged = {label: made for label, made in stages().items() if made["stage"] == "judge"}
    itself = "judge SFT on open_ended against SFT on open_ended"
    other = "judge base model on open_ended against SFT on open_ended"
    assert set(judged) == {itself, other}
    assert judged[itself]["facts"]["ties"] == 4 and judged[other]["facts"]["items"] == 4
    assert (
        judged[itself]["facts"]["judge_read_tokens"]
        == 0
        < judged[other]["facts"]["judge_read_tokens"]
    )
    folder = Path("artifacts/compare") / record().comparison
    told = json.loads((folder / "comparison.json").read_text())
    (judging,) = (one for one in told["benchmarks"] if one["name"] == "open_ended")
    rows = {r["method"]: r for r in judging["rows"] if r["metric"] == "win rate"}
    assert rows["sft"]["interval"]["value"] == 0.5 and rows["base"]["difference"] is not None
    base, *_ = csv.DictReader((folder / "table.csv").read_text().splitlines())
    assert base["method"] == "base" and base["trained_tokens"] == "0"  # not its baseline's cost


@pytest.mark.slow
def test_nothing_but_our_display_is_on_the_screen(tmp_path: Path, tiny_folder: Path) -> None:
    """In a process of its own, where libraries are imported in the order of a real run."""
    command = [sys.executable, "-m", "tuna_exp", *SMALL, "method=sft", "logger=wandb"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("[")] == []
    assert done.stdout.count("Report with plots: ") == 1
    assert "GPU available" in (tmp_path / "run" / "tuna_exp.log").read_text()
    assert_nobody_wrote_after_the_commit(tmp_path / "artifacts")


def assert_nobody_wrote_after_the_commit(root: Path) -> None:
    """A tracker that is closed only as the process ends makes finished artifacts look damaged."""
    entries = Store(root).entries()
    assert len(entries) == 7  # base evaluated (2), SFT tokenised, trained, evaluated (2), compared
    changed = {e.folder.name: Store(root).verify(Artifact(e.folder, e.manifest)) for e in entries}
    assert set(map(tuple, changed.values())) == {()}, changed
    assert list((root.parent / "run").glob("wandb/offline-run-*/*.wandb"))


@pytest.mark.parametrize(
    "overrides, words",
    [
        (
            "objective.sft.learning_rate=1e38 schedule.warmup_steps=0",
            "the training was ended after 2 optimizer steps: the loss is nan.*Cure",
        ),
        ("trainer.devices=2", "strategy=single trains on one device.*Cure: strategy=ddp"),
        ("strategy=fsdp2", "strategy=fsdp2 on one device.*Cure"),
        ("comparison.tracking=online", "there is no login. Cure: `wandb login`"),
        ("logger=wandb logger.wandb.mode=online", "there is no login. Cure: `wandb login`"),
    ],
)
def test_what_cannot_end_well_is_told_in_words(
    overrides: str,
    words: str,
    tuna_exp: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    assert tuna_exp("method=sft", "dataset.count=8", *overrides.split()) == 2
    assert re.search(words, capsys.readouterr().err)


def test_a_second_run_reuses_all(tuna_exp: Command, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert tuna_exp("method=sft", "dataset.count=8") == 0
        said = capsys.readouterr()
    assert said.err == "[1/1] compare: reused\n" and "Report with plots" in said.out
    assert "Report" in said.out and Path("run/.hydra/config.yaml").exists()


TEMPLATE = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\n{}\n\n### Response:"
)


def training_row(number: int) -> dict[str, object]:
    text = TEMPLATE.format(f"Name a word with {number}.")
    responses = [f"the word {number}", f"no word {number}", "no"]
    return {"instruction": text, "output": responses, "score": [3, 2, 1], "id": number}


def raw_row(number: int) -> dict[str, object]:
    texts = {"text": ["one", "two"], "avg_token_prob": [0.5, 0.4], "length": [3, 2]}
    return {"orig": alpaca()[number], "logprob": [-2.0, -9.0], **texts}


@pytest.mark.parametrize("row", [training_row, pytest.param(raw_row, marks=pytest.mark.slow)])
def test_a_published_ranking_is_used(
    row: Callable[[int], dict[str, object]], tuna_exp: Command
) -> None:
    Path("released.json").write_text("\n".join(json.dumps(row(number)) for number in range(6)))
    status = tuna_exp("dataset=tuna_release", "dataset.path=released.json", "method=tuna_p")
    done = stages()
    assert status == 0 and "sample teacher" not in done
    published = done["take over published ranking"]
    tokens = done["tokenise published ranking"]
    assert tokens["inputs"]["ranking"]["digest"] == published["digest"]
    assert done["train Tuna-p"]["inputs"]["tokens"]["digest"] == tokens["digest"]
    assert published["facts"]["ordered_sets"] == 6


@pytest.mark.slow
def test_methods_by_list_low_rank_and_a_random_teacher(tuna_exp: Command) -> None:
    status = tuna_exp(
        "method=[sft,tuna_p]", "lora=lora", "lora.rank=2", "ranker@teacher_ranker=random"
    )
    assert status == 0 and set(record().evaluated) == {"base", "sft", "tuna_p"}
    done = stages()
    assert done["rank teacher's samples"]["settings"]["ranker"]["ranker"] == "RandomRanker"
    assert done["train SFT"]["settings"]["model"]["lora"]["rank"] == 2


def test_a_sweep_ends_in_one_comparison_and_a_bad_job_stops_no_other(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    losses = "ranking_loss=tuna,dpo"
    assert tuna_exp("-m", "method=tuna_p", losses, "objective.tuna_p.epochs=1,0") == 2
    said = capsys.readouterr()
    assert said.out.count("Report with plots") == 1
    assert "2 job(s) of the sweep have no result" in said.err
    assert "1 setting(s) cannot be used" in said.err and "hydra.run.dir=sweep/3" in said.err
    names = named_apart(read_runs([Path("sweep")]))
    assert list(names) == ["base", "sft", "tuna_p tuna", "tuna_p dpo"]
    assert tuna_exp("compare", "runs=sweep/0,sweep/2") == 0
    assert "tuna_p dpo" in capsys.readouterr().out


def test_a_sweep_over_seeds_ends_in_one_row_per_method(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 methods and 2 seeds of 8 items: pooled, tested, against any of them, in files.

    Then seed 1 once more, as if a YAML file had changed: what no override tells, its settings do.
    """
    assert tuna_exp("-m", "method=sft,tuna_p", "seed=0,1", "dataset.count=8") == 0
    assert "2 seeds" in capsys.readouterr().out
    assert tuna_exp("compare", "runs=sweep", "baseline=tuna_p", "out=made") == 0
    made = json.loads(Path("made/comparison.json").read_text())
    rows = {row["method"]: row for row in made["rows"] if row["split"] == "all"}
    assert {name: row["seeds"] for name, row in rows.items()} == {"base": 1, "sft": 2, "tuna_p": 2}
    assert rows["tuna_p"]["difference"] is None and rows["sft"]["difference"]["seeds"] == 2
    assert "\\toprule" in Path("made/table.tex").read_text()
    assert Path("made/pareto-compute.png").read_bytes().startswith(b"\x89PNG")

    assert tuna_exp("method=sft", "seed=1", "dataset.count=8", "objective.sft.epochs=2") == 0
    told = record().model_dump(mode="json")
    told["overrides"] = [o for o in told["overrides"] if "epochs" not in o]
    changed = Path("changed") / RUN_FILE
    changed.parent.mkdir()
    changed.write_text(json.dumps(told))
    assert tuna_exp("compare", "runs=sweep/0,changed", "out=apart") == 0
    said = Path("apart/table.md").read_text()
    assert re.search(r"\| sft epochs=2 \| 8 \| 1 \|", said)
    assert (
        'sft with seed 1 is not pooled with seed 0: "train SFT" has objective.epochs 2, not 1'
        in said
    )


def test_runs_of_two_artifact_folders_are_compared(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two machines, one seed each; then the second's folder was moved."""
    for seed in "01":
        run = ("method=sft", f"seed={seed}", f"hydra.run.dir=run{seed}", f"artifacts=store{seed}")
        assert tuna_exp(*run, "dataset.count=8") == 0
    capsys.readouterr()
    assert tuna_exp("compare", "runs=run0,run1") == 0
    assert "2 seeds" in capsys.readouterr().out
    Path("store1").rename("moved")
    assert tuna_exp("compare", "runs=run0,run1") == 2
    assert "artifacts=FOLDER" in capsys.readouterr().err
    assert tuna_exp("compare", "runs=run0,run1", "artifacts=moved") == 0
    assert "compare: reused" in capsys.readouterr().err


def test_a_dashboard_is_written_for_a_run(tuna_exp: Command) -> None:
    assert tuna_exp("method=sft", "dataset.count=8") == 0
    assert tuna_exp("dashboard", "runs=run", "out=page.html") == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "sft" in page
    assert "Content-Security-Policy" in page


OWN = """
from dataclasses import dataclass
from torch import Tensor
from tuna_exp.losses.callbacks import Ranked, RankingLoss
from tuna_exp.rankers.base import ScoreRanker
from tuna_exp.records import CandidateSet, Instruction

class Longest(ScoreRanker):
    def __init__(self, weight: float) -> None:
        self.weight = weight

    def scores(self, candidates: CandidateSet) -> list[float]:
        return [self.weight * len(c.text) for c in candidates.candidates]

class Squared(RankingLoss):
    def __init__(self, scale: float) -> None:
        super().__init__(length_exponent=1.0)
        self.scale = scale

    def per_example(self, ranked: Ranked) -> Tensor:
        return self.scale * (ranked.score_BN**2).sum(1)

@dataclass(frozen=True)
class Colours:
    count: int

    def load(self) -> list[Instruction]:
        texts = [f"Name colour {i}." for i in range(self.count)]
        return [Instruction(id=t, instruction=t, reference="red") for t in texts]

    def digest(self) -> dict[str, object]:
        return {"dataset": "colours", "count": self.count}
"""


@pytest.fixture
def own_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the user's own, importable, and a folder with an option for each of its parts."""
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_parts", raising=False)
    parts = {"dataset": ("Colours", "count: 6"), "ranker": ("Longest", "weight: 1.0")}
    for group, (name, setting) in {**parts, "ranking_loss": ("Squared", "scale: 0.5")}.items():
        path = tmp_path / "own" / group / "mine.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(f"_target_: own_parts.{name}\n{setting}\n")


@pytest.mark.usefixtures("own_parts")
def test_parts_of_the_users_own(tuna_exp: Command, capsys: pytest.CaptureFixture[str]) -> None:
    mine = ("--config-dir", "own", "dataset=mine", "ranker=mine", "ranking_loss=mine")
    assert tuna_exp("method=tuna_c", *mine) == 0
    done = stages()
    ranker = done["rank samples of SFT model"]["settings"]["ranker"]
    assert ranker == {"ranker": "Longest", "weight": 1}
    loss = done["train Tuna-c"]["settings"]["objective"]["ranking_loss"]
    assert loss == {"_target_": "own_parts.Squared", "scale": 0.5}
    capsys.readouterr()
    assert tuna_exp(*mine, "dataset.count=x", "ranker.weight=heavy") == 2
    assert "2 setting(s) cannot be used" in capsys.readouterr().err


def test_comparing_runs_whose_artifacts_are_gone(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuna_exp("method=sft", "dataset.count=8") == 0
    store = Store(Path("artifacts"))
    for entry in store.entries():
        if entry.manifest["stage"] == "train":
            store.remove(entry)
    capsys.readouterr()
    assert tuna_exp("compare", "runs=run") == 2
    assert "is gone from" in capsys.readouterr().err
