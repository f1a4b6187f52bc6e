"""The evaluate command on a random model: benchmarks, subsets, checkpoints, what is reused."""

import csv
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from tests.services.loopback import running
from tuna_exp import cli
from tuna_exp.config_types import check_config
from tuna_exp.evaluate_command import USAGE, parsed_apart
from tuna_exp.evaluation.verifiable import VerifiableBenchmark
from tuna_exp.records import Candidate
from tuna_exp.store import Store

SMALL = (
    "model=tiny", "comparison.tracking=disabled", "comparison.resamples=100",
    "evaluation.verifiable.count=24", "evaluation.verifiable.max_new_tokens=4",
    "evaluation.verifiable.batch_size=4", "hydra.run.dir=run", "hydra.sweep.dir=sweep",
)  # fmt: skip
TRAINED = (
    "logger=csv", "method=sft", "dataset.count=8", "batching.batch_size=4",
    "sampling.decoding.max_new_tokens=6",
)  # fmt: skip
PRICE = ("vendor=null", "model=loopback-1", "read=1.0", "generated=2.0")
Command = Callable[..., int | str | None]


@pytest.fixture
def tuna_exp(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """The command with small settings, which follow the command's name; status out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNA_EXP_ARTIFACTS", raising=False)
    handlers, level = logging.root.handlers[:], logging.root.level
    monkeypatch.setattr("absl.logging.PythonHandler.close", logging.Handler.close)

    def call(*arguments: str) -> int | str | None:
        first = arguments[:1] if arguments[0] in cli.COMMANDS else ()
        small = () if first == ("compare",) else SMALL
        monkeypatch.setattr(sys, "argv", ["tuna-exp", *first, *small, *arguments[len(first) :]])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code

    yield call
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(False)


def manifests(stage: str) -> list[dict[str, Any]]:
    """The manifests of a stage's artifacts, all of which are finished."""
    entries = Store(Path("artifacts")).entries()
    assert {entry.state for entry in entries} == {"finished"}
    return [dict(e.manifest) for e in entries if e.folder.parent.name == stage]


@pytest.fixture
def two_benchmarks(tmp_path: Path) -> str:
    """A folder with a second benchmark of the user's own: list tasks alone."""
    path = tmp_path / "own" / "evaluation" / "lists.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "lists:\n  _target_: tuna_exp.evaluation.verifiable.VerifiableBenchmark\n  count: 10\n"
        "  seed: 2\n  kinds: [list/*]\n  max_new_tokens: 4\n  batch_size: 8\n"
    )
    return "--config-dir=own"


@pytest.mark.slow
def test_several_benchmarks_on_a_subset(
    tuna_exp: Command, two_benchmarks: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """12 of 24 items and all 10 of the other, whose figures stand with intervals in every file."""
    asked = ("evaluate", two_benchmarks, "evaluation=[verifiable,lists]", "evaluation.limit=12")
    assert tuna_exp(*asked) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "verifiable, subset 12 of 24 (brackets: 95 % interval)" in said
    assert "lists, 10 items (brackets" in said and "Report with plots: " in said
    facts = {m["label"]: m["facts"] for m in manifests("evaluate")}
    made = facts["evaluate tiny on verifiable"]
    assert (made["items"], made["of"]) == (12, 24)
    assert facts["evaluate tiny on lists"]["of"] == 10
    assert tuna_exp(*asked, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    sizes = [(one["name"], one["size"]) for one in told["benchmarks"]]
    assert sizes == [("verifiable", "subset 12 of 24"), ("lists", "10 items")]
    interval = told["benchmarks"][1]["rows"][0]["interval"]
    assert interval["low"] <= interval["value"] <= interval["high"]
    (figures,) = Path("artifacts/compare").glob("*/figures.csv")
    rows = list(csv.DictReader(figures.open()))
    assert {row["benchmark"] for row in rows} == {"verifiable", "lists"}


def test_a_trained_checkpoint_is_found_with_its_evaluation(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Base model and checkpoint were evaluated by the run; what is left is to compare one model."""
    assert tuna_exp(*TRAINED) == 0
    before = manifests("evaluate")
    assert tuna_exp("evaluate") == 0
    (checkpoint,) = Path("artifacts/train").glob("*/checkpoint")
    capsys.readouterr()
    assert tuna_exp("evaluate", "model=hub", f"model.name={checkpoint}", "hydra.run.dir=two") == 0
    said = capsys.readouterr()
    assert (
        said.out.startswith("SFT: verifiable score")
        and "evaluate SFT on verifiable: reused" in said.err
    )
    assert manifests("evaluate") == before
    assert tuna_exp("compare", "runs=run,two") == 0
    assert "SFT" in capsys.readouterr().out


def test_a_copied_checkpoint_is_a_model_of_its_own(tuna_exp: Command, tiny_folder: Path) -> None:
    Path("copy").symlink_to(tiny_folder)
    assert tuna_exp("evaluate", "model=hub", "model.name=copy") == 0
    (made,) = manifests("evaluate")
    assert "files" in made["settings"]["llm"]["source"] and not made["inputs"]
    assert made["settings"]["decoding"]["stop"] == ["end of sequence", "max_new_tokens"]


@pytest.mark.slow
def test_runs_on_other_subsets_are_told_apart(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep over limits ends in a comparison in which the second stands beside nothing."""
    assert tuna_exp("evaluate", "-m", "evaluation.limit=6,8") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "tiny limit=8 is left out of verifiable: it was asked 8 of 24 items" in said
    assert "verifiable, subset 6 of 24" in said


def test_a_service_is_asked_once_for_all_items(
    tuna_exp: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All 24 at once whatever the batch size; a second evaluation costs nothing."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-written")
    with running() as server:
        asked = (
            "evaluate", "subject=teacher", "teacher=openai", "budget.usd=1",
            f"teacher.endpoint.base_url={server.base_url}", "teacher.endpoint.model=loopback-1",
            *(f"teacher.endpoint.price.{price}" for price in PRICE),
        )  # fmt: skip
        assert tuna_exp(*asked) == 0
        assert "loopback-1: verifiable score" in capsys.readouterr().out
        (made,) = manifests("evaluate")
        assert made["facts"]["usd"] > 0 and made["facts"]["items"] == 24
        served = server.served()["answers"]
        assert served == 24
        assert tuna_exp(*asked, "evaluation.limit=6") == 0
        assert server.served()["answers"] == served


README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SHOWN = sorted(set(re.findall(r"tuna-exp evaluate (.*?)(?:  +#.*)?$", README + USAGE, re.M)))


@pytest.mark.parametrize("line", [line for line in SHOWN if "|" not in line])
def test_the_commands_that_are_shown_compose(line: str) -> None:
    """With one of the models or trained checkpoints that they leave open."""
    task, _, rest = parsed_apart(re.split("   +", line)[0].split())
    overrides = [word.replace("tiny,smollm2_135m", "tiny") for word in rest if word != "-m"]
    with initialize_config_dir(str(cli.SETTINGS), version_base="1.3"):
        check_config(compose("config", overrides), cli.SETTINGS)


@pytest.mark.slow
def test_a_checkpoint_whose_training_was_pruned_is_known_by_its_files(tuna_exp: Command) -> None:
    assert tuna_exp(*TRAINED) == 0
    store = Store(Path("artifacts"))
    for entry in store.entries():
        if entry.manifest["stage"] == "tokenise":
            store.remove(entry)
    (checkpoint,) = Path("artifacts/train").glob("*/checkpoint")
    assert tuna_exp("evaluate", "model=hub", f"model.name={checkpoint}", "hydra.run.dir=two") == 0
    assert any("files" in m["settings"]["llm"].get("source", {}) for m in manifests("evaluate"))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ("subject=techer", "subject=techer: who is evaluated.* Did you mean 'teacher'"),
        (
            "evaluation=[]",
            "evaluation.verifiable.count. is a key of evaluation=verifiable, which",
        ),
        ("evaluation.count=3", "'evaluation.count' is not a key.*evaluation.verifiable.count"),
        ("+evaluation.limt=3", "evaluation.limt is not a setting of anything. Did you mean 'limit"),
        ("evaluation.limit=0", "evaluation.limit=0: should be greater than or equal to 1"),
        ("subject=answers", "none is named .answers.path=null.. Cure: answers.path=FILE"),
        ("subject=answers answers.path=no.jsonl", "no.jsonl does not exist"),
        (
            "evaluation=[verifiable,lmentry,readings] benchmarks=b",
            "lmentry.path=b/lmentry is not there. Cure: git clone .*aviaefrat/lmentry b/lmentry, or"
            ".*readings.path=b/ambient/AmbiEnt/test.jsonl is not .*/ambient b/ambient, or",
        ),
        ("evaluation=lmentri", "evaluation=lmentri: no such option"),
        ("+evaluation.lmentry.count=3", "evaluation.lmentry has no _target_.*~evaluation.lmentry"),
    ],
)
def test_what_cannot_be_evaluated_is_told_in_words(
    arguments: str, words: str, tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuna_exp("evaluate", *arguments.split()) == 2
    assert re.search(words, capsys.readouterr().err, re.DOTALL)
    assert not Path("artifacts").exists()


def test_answers_are_judged_beside_a_reference(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny model answers four questions and judges itself; a second run asks nobody again."""
    asked = [{"question_id": i, "text": f"Say {i}.", "category": "say"} for i in range(4)]
    other = [{"question_id": i, "text": f"I say {i}."} for i in range(4)]
    for name, rows in (("questions", asked), ("answers", other)):
        Path(f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    own = (
        "evaluation=vicuna", "evaluation.vicuna.path=questions.jsonl",
        "evaluation.vicuna.reference.path=answers.jsonl",
        "evaluation.vicuna.judging.scheme=verdict", "evaluation.vicuna.drawn.max_new_tokens=4",
    )  # fmt: skip
    small = SMALL[:3] + SMALL[-2:]
    for _ in range(2):
        sys.argv = ["tuna-exp", "evaluate", *small, *own, "--json"]
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert stopped.value.code == 0, capsys.readouterr().err
        told = json.loads(capsys.readouterr().out)
    (figures,) = [one for one in told["benchmarks"] if one["name"] == "vicuna"]
    metrics = {row["metric"] for row in figures["rows"]}
    assert {"win rate", "length-controlled win rate"} <= metrics
    (judged,) = manifests("judge")
    facts = judged["facts"]
    assert facts["wins"] + facts["ties"] + facts["losses"] == facts["items"] == 4
    assert judged["attempts"] == 1


def test_the_data_that_a_model_was_trained_on_is_looked_through(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three of the 24 items are instructions of the dataset that is named; without one it is told
    that nobody looked.
    """
    items = VerifiableBenchmark(24, 1, None, 4, 4).items()
    rows = [{"instruction": item.text, "input": "", "output": "."} for item in items[:3]]
    Path("taught.json").write_text(json.dumps(rows))
    for named, words in (
        ((), "Nobody looked for the items of verifiable in the training data"),
        (("dataset=alpaca", "dataset.path=taught.json"), "3 of the 24 items of verifiable (12.5%)"),
    ):
        assert tuna_exp("evaluate", *named, "--json") == 0, capsys.readouterr().err
        told = json.loads(capsys.readouterr().out)
        assert any(one.startswith(words) for one in told["notes"])


def test_answers_made_elsewhere_are_scored(
    tuna_exp: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 24 references the first two are taken away; what time and tokens they took is unknown.

    What the command wrote of one model is scored again as a file, with the same score; of other
    items it is refused.
    """

    def scored(*arguments: str) -> tuple[float, float | None, str]:
        assert tuna_exp("evaluate", *arguments, "--json") == 0, capsys.readouterr().err
        told = json.loads(capsys.readouterr().out)
        (row,) = [one for one in told["rows"] if one["split"] == "all"]
        return row["score"]["value"], row["response_tokens"], row["method"]

    benchmark = VerifiableBenchmark(24, 1, None, 4, 4)
    items = benchmark.items()
    right = [{"id": item.id, "answer": item.reference} for item in items]
    lines = [{**one, "answer": ""} for one in right[:2]] + right[2:]
    Path("expert.jsonl").write_text("\n".join(map(json.dumps, lines)))
    texts = ["", "", *(str(item.reference) for item in items[2:])]
    by_hand = [
        benchmark.score(i, Candidate(text=t)).score for i, t in zip(items, texts, strict=True)
    ]
    score, tokens, name = scored("subject=answers", "answers.path=expert.jsonl")
    assert (score, tokens, name) == (pytest.approx(sum(by_hand) / 24), None, "expert")
    assert 0.8 < score < 1.0
    score, _, _ = scored()
    (path,) = [
        file.with_name("predictions.jsonl")
        for file in Path("artifacts/evaluate").glob("*/manifest.json")
        if "expert" not in file.read_text()
    ]
    of_ours = ("subject=answers", f"answers.path={path}", "answers.fields=null")
    assert scored(*of_ours, "answers.name=again") == (score, None, "again")
    assert tuna_exp("evaluate", *of_ours, "evaluation.verifiable.seed=5") == 2
    assert re.search("answers .* Cure: answers.path=", capsys.readouterr().err)
