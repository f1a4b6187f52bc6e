"""`tuna-exp doctor` through the real command line: what it says and how it exits."""

import gzip
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tuna_exp import cli
from tuna_exp.datasets.verifiable import generate

Doctor = Callable[..., tuple[int | str | None, str, str]]
SHARED = Path(os.environ.get("TUNA_EXP_SHARED", Path(__file__).parents[2] / "shared"))
RANKING = SHARED / "data" / "ranking"
GOOD = [
    {
        "instruction": f"Name fish {n}.",
        "output": "tuna",
        "responses": ["tuna", "cods"] if n % 2 else ["cods", "tuna"],
    }
    for n in range(8)
]


@pytest.fixture
def doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """Records and further arguments in; exit status, output and errors out."""
    monkeypatch.chdir(tmp_path)

    def call(
        records: list[dict[str, object]], *arguments: str
    ) -> tuple[int | str | None, str, str]:
        Path("data.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
        monkeypatch.setattr(sys, "argv", ["tuna-exp", "doctor", "data.jsonl", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    return call


def names(out: str) -> dict[str, str]:
    return {f["name"]: f["severity"] for f in json.loads(out)["findings"]}


def test_a_clean_dataset_exits_with_0(doctor: Doctor) -> None:
    status, out, _ = doctor(GOOD, "--strict")
    assert status == 0 and "errors: 0, warnings: 0" in out and "8 sets, 16 responses" in out


def test_warnings_count_where_strict(doctor: Doctor) -> None:
    repeated = [*GOOD, GOOD[0]]
    assert doctor(repeated)[0] == 0
    status, out, _ = doctor(repeated, "--strict", "--json")
    assert status == 1 and names(out)["repeated_sets"] == "warning"


def test_errors_exit_with_1_and_tell_example_and_cure(doctor: Doctor) -> None:
    status, out, _ = doctor([*GOOD, GOOD[0] | {"responses": ["", "tuna"]}])
    assert status == 1
    assert "empty_best_response" in out and "example: " in out and "cure: " in out


def test_the_embedded_held_out_tasks_are_always_looked_for(doctor: Doctor) -> None:
    """The seed and count are those of conf/evaluation/verifiable.yaml; training tasks are clean."""
    status, out, _ = doctor(_tasks("held_out", 1), "--json")
    assert status == 1 and names(out)["instruction_in_evaluation"] == "error"
    assert "instruction_in_evaluation" not in names(doctor(_tasks("train", 0), "--json")[1])


def _tasks(split: str, seed: int) -> list[dict[str, object]]:
    drawn = generate(split, 20, seed)  # type: ignore[arg-type]
    return [
        {"instruction": i.instruction, "input": i.input, "responses": [i.reference, "no"]}
        for i in drawn
    ]


def test_evaluation_files_are_looked_for(doctor: Doctor, tmp_path: Path) -> None:
    exam = tmp_path / "exam.txt"
    exam.write_text("What is the name fish 3. of the week and why is it so called?\n")
    status, out, _ = doctor(GOOD, "--against", str(exam), "--ngram", "3", "--json")
    assert (status, names(out)["instruction_shares_words_with_evaluation"]) == (0, "warning")


def test_a_model_counts_tokens(doctor: Doctor, tiny_folder: Path) -> None:
    _, guessed, _ = doctor(GOOD, "--max-length", "3", "--json")
    assert "an estimate" in guessed
    _, counted, _ = doctor(GOOD, "--max-length", "4", "--model", str(tiny_folder), "--json")
    found = next(f for f in json.loads(counted)["findings"] if f["name"] == "too_long")
    assert found["count"] == 16 and "tokenizer" in found["message"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--field", "answers"], "expected ROLE=NAME"),
        (["--field", "response=x"], "Did you mean 'responses'"),
        (["--max-length", "0"], "--max-length is 0"),
        (["--against", "nowhere"], "does not exist"),
        (["--field", "scores=points"], "'points' is missing"),
    ],
)
def test_wrong_arguments_exit_with_2(doctor: Doctor, arguments: list[str], message: str) -> None:
    status, out, err = doctor(GOOD, *arguments)
    assert (status, out) == (2, "")
    assert message in err and "Cure" in err


@pytest.mark.skipif(not RANKING.is_dir(), reason=f"no folder {RANKING}; TUNA_EXP_SHARED names it")
def test_real_rankings(doctor: Doctor) -> None:
    """GPT-4's verdicts on ten models: the longer answer wins about four times of five."""
    records = []
    packed = (RANKING / "alpaca_eval_gpt4.jsonl.gz").read_bytes()
    for line in gzip.decompress(packed).splitlines()[:200]:
        row = json.loads(line)
        judged = [r for r in row["responses"] if r["preference"] is not None]
        texts, scores = ([r[key] for r in judged] for key in ("output", "preference"))
        reference = row["reference"]["output"]
        told = {"responses": texts, "scores": scores, "output": reference}
        records.append({"instruction": row["instruction"], **told})
    status, out, _ = doctor(records, "--json")
    assert status == 0
    assert {"longer_wins", "too_long", "repeated_responses"} <= names(out).keys()
    wins = next(f for f in json.loads(out)["findings"] if f["name"] == "longer_wins")
    assert "The longer response is the better one in 8" in wins["message"]
