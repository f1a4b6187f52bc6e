"""`tuna-exp evaluate` and a run with the harness's tasks, on the tiny model; killed and resumed."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.loopback import Loopback
from tests.stages.conftest import MakeWork, make_work, student
from tuna_exp import cli
from tuna_exp.evaluation.lm_eval.benchmark import LmEvalBenchmark
from tuna_exp.evaluation.subset import Subset
from tuna_exp.models.student import Student
from tuna_exp.stages.harness import SAMPLES, evaluate_by_harness
from tuna_exp.store import Store

SMALL = (
    "evaluation=lm_eval", "comparison.tracking=disabled", "comparison.resamples=100",
    "hydra.run.dir=run", "evaluation.lm_eval.batch_size=4",
)  # fmt: skip
PRICE = ("vendor=null", "model=loopback-1", "read=1.0", "generated=2.0")
Command = Callable[..., int | str | None]
__all__ = ["make_work", "student"]  # fixtures


@pytest.fixture
def tuna_exp(
    tmp_path: Path, tasks: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """The command with small settings, which follow the command's name; status out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNA_EXP_ARTIFACTS", raising=False)
    handlers, level = logging.root.handlers[:], logging.root.level
    monkeypatch.setattr("absl.logging.PythonHandler.close", logging.Handler.close)
    path = f"evaluation.lm_eval.include_path={tasks}"

    def call(*arguments: str) -> int | str | None:
        first = arguments[:1] if arguments[0] in cli.COMMANDS else ()
        rest = arguments[len(first) :]
        monkeypatch.setattr(sys, "argv", ["tuna-exp", *first, *SMALL, path, *rest])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code

    yield call
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(False)


def manifests(stage: str) -> list[dict[str, Any]]:
    entries = Store(Path("artifacts")).entries()
    return [dict(e.manifest) for e in entries if e.folder.parent.name == stage]


def test_any_model_is_scored_and_a_subset_is_marked(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        tuna_exp(
            "evaluate", "model=tiny", "evaluation.limit=8",
            "evaluation.lm_eval.tasks=[own_choice,own_text]",
        )
        == 0
    )  # fmt: skip
    out = capsys.readouterr()
    assert "subset 8 of 17" in out.out and "word_perplexity" in out.out
    assert "warning" not in out.err.lower()
    (made,) = manifests("evaluate")
    assert made["facts"]["items"] == 8 and made["facts"]["of"] == 17
    assert made["settings"]["benchmark"]["subset"]["limit"] == 8


def test_methods_are_compared_on_it_beside_others(tuna_exp: Command) -> None:
    """A run's base model and checkpoints; what stands in the training data is told."""
    assert (
        tuna_exp(
            "experiment=tiny", "method=sft", "evaluation=[lm_eval,verifiable]", "dataset.count=8",
            "evaluation.lm_eval.tasks=[own_choice]", "evaluation.lm_eval.apply_chat_template=true",
        )
        == 0
    )  # fmt: skip
    (made,) = manifests("compare")
    told = json.loads(next(Path("artifacts/compare").glob("*/comparison.json")).read_text())
    assert [one["name"] for one in told["benchmarks"]] == ["lm_eval", "verifiable"]
    rows = told["benchmarks"][0]["rows"]
    assert {row["method"] for row in rows} == {"base", "sft"}
    assert {row["metric"] for row in rows} == {"acc", "acc_norm", "mcc"}
    assert [row["metric"] for row in rows if row["difference"]] == ["acc"]
    assert any("12 items of lm_eval" in note for note in told["notes"])


def test_a_service_is_asked_what_it_can_answer(
    tuna_exp: Command,
    server: Loopback,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its 9 answers are paid for once; a task of log-likelihoods is refused before it is asked."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-written")
    asked = (
        "evaluate", "subject=teacher", "teacher=openai", "budget.usd=1",
        f"teacher.endpoint.base_url={server.base_url}", "teacher.endpoint.model=loopback-1",
        *(f"teacher.endpoint.price.{price}" for price in PRICE),
        "evaluation.lm_eval.apply_chat_template=true",
    )  # fmt: skip
    assert tuna_exp(*asked, "evaluation.lm_eval.tasks=[own_answer,own_text]") == 2
    assert "log-likelihoods of given texts" in capsys.readouterr().err
    assert server.served()["answers"] == 0
    assert tuna_exp(*asked, "evaluation.lm_eval.tasks=[own_answer]") == 0
    (made,) = manifests("evaluate")
    assert made["facts"]["items"] == 9 and made["facts"]["usd"] > 0
    assert server.served()["answers"] == 9
    assert tuna_exp(*asked, "evaluation.lm_eval.tasks=[own_answer]", "evaluation.limit=4") == 0
    assert server.served()["answers"] == 9


def test_a_killed_evaluation_goes_on_with_the_task_under_way(
    student: Student, make_work: MakeWork, tasks: Path
) -> None:
    """After the first of two tasks, and within the second, whose line is torn."""
    harness = LmEvalBenchmark(
        "lm_eval", ["own_choice", "own_answer"], str(tasks), 2, False, {}, None, (), False, 4
    )
    benchmark, whole = Subset(harness, None), make_work("whole")
    evaluate_by_harness(student.llm(), harness, benchmark, whole)
    journal = (whole.scratch / SAMPLES).read_bytes()
    first = journal.index(b"\n") + 1
    for cut in (0, first, first + 9, len(journal)):
        killed = make_work(f"cut-{cut}")
        (killed.scratch / SAMPLES).write_bytes(journal[:cut])
        evaluate_by_harness(student.llm(), harness, benchmark, killed)
        for name in (SAMPLES, "predictions.jsonl"):
            assert (killed.folder / name).read_bytes() == (whole.folder / name).read_bytes()
