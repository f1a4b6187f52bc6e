"""The command on a random model, once online and once offline and sent later: W&B has the same.

In processes of their own, with secrets planted in the environment.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.wandb_server.records import Records
from tests.wandb_server.server import KEY, Server, running

# Three processes of the command, each of which imports everything anew.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SMALL = (
    "model=tiny", "method=tuna_p", "dataset.count=8", "comparison.resamples=100",
    "evaluation.verifiable.count=8", "evaluation.verifiable.max_new_tokens=4",
    "batching.batch_size=4", "sampling.decoding.max_new_tokens=6",
    "sampling.decoding.responses=2", "sampling.diversity=null", "hydra.run.dir=run",
    "logger=[csv,wandb]", "logger.wandb.tags=[mine]", "logger.wandb.axis=tokens",
)  # fmt: skip
SECRETS = {
    "OPENAI_API_KEY": "sk-planted-one",
    "HF_TOKEN": "hf_planted_two",
    "DATABASE_PASSWORD": "planted-three",
}


@dataclass
class Ran:
    """What W&B got of a run, and the folder that the run wrote into."""

    records: Records
    folder: Path


def tuna_exp(server: Server, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, **server.environment, **SECRETS}
    environment.pop("WANDB_MODE", None)
    command = [sys.executable, "-m", "tuna_exp", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("[")] == []
    return done.stdout


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Iterator[dict[str, Ran]]:
    """Both ways, each to a server of its own."""
    with ExitStack() as stack:
        made = {}
        for mode in ("online", "offline"):
            server = stack.enter_context(running())
            folder = tmp_path_factory.mktemp(mode)
            tuna_exp(server, folder, *SMALL, f"logger.wandb.mode={mode}")
            made[mode] = Ran(server.records, folder)
        assert not server.records.received  # offline nothing leaves the machine
        told = tuna_exp(server, folder, "track", "sync", "run")
        assert told.startswith("12 W&B run(s)")
        yield made


def the_run(records: Records, job_type: str, name: str) -> str:
    (found,) = (
        run["name"]
        for run in records.runs.values()
        if (run["jobType"], run["displayName"]) == (job_type, name)
    )
    return str(found)


def test_no_request_failed(ran: dict[str, Ran]) -> None:
    for one in ran.values():
        assert not [o for o in one.records.operations if o.startswith("failed")]


def test_sent_later_is_the_same(ran: dict[str, Ran]) -> None:
    online, offline = (ran[mode].records for mode in ("online", "offline"))
    stages = {name for name in online.runs if online.runs[name]["jobType"] != "rankings"}
    jobs = sorted(run["jobType"] for run in online.runs.values())
    assert jobs == sorted(run["jobType"] for run in offline.runs.values()) == [
        "answer", "answer", "answer", "dataset", "evaluate", "evaluate", "evaluate", "rank",
        "rankings", "sample", "train", "train",
    ]  # fmt: skip
    assert online.edges() == offline.edges() and stages == stages & offline.runs.keys()
    train = the_run(online, "train", "train Tuna-p")
    curves = [
        [{k: v for k, v in row.items() if k[0] != "_"} for row in one.run(train)["history"]]
        for one in (online, offline)
    ]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_training_has_its_curve_over_both_axes(ran: dict[str, Ran], mode: str) -> None:
    records = ran[mode].records
    train = the_run(records, "train", "train Tuna-p")
    run, config = records.run(train), records.config(train)
    rows = [row for row in run["history"] if "loss" in row]
    assert [row["examples"] for row in rows] == [4, 8]
    assert {"ranking_loss", "mle_loss", "pair_accuracy"} <= rows[0].keys()
    manifest = json.loads(
        next(ran[mode].folder.glob(f"artifacts/train/{train[6:]}/*.json")).read_text()
    )
    assert (
        rows[-1]["tokens"]
        == manifest["facts"]["trained_tokens"]
        == run["summary"]["trained_tokens"]
    )
    defined = {one.get("1") or one.get("2"): one for one in config["_wandb"]["m"]}
    assert {"examples", "tokens", "*"} <= defined.keys()
    assert (run["group"], run["jobType"], run["state"]) == (run["group"], "train", "finished")
    assert set(run["tags"]) == {"tuna_p", "verifiable", "tiny", "tuna", "mine"}
    flat = ("method", "seed", "dataset", "model", "ranking_loss", "teacher")
    assert [config[key] for key in flat] == [
        "tuna_p", 0, "verifiable", "tiny", "tuna", "hugging_face"
    ]  # fmt: skip
    assert config["cfg"]["ranking_loss"]["margin"] == 0.1 and "account" not in config["cfg"]


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_tables_hold_ranked_samples_and_two_models_side_by_side(
    ran: dict[str, Ran], mode: str
) -> None:
    records = ran[mode].records
    ranked = records.table(the_run(records, "rank", "rank teacher's samples"), "ranked_samples")
    by_name = [dict(zip(ranked["columns"], row, strict=True)) for row in ranked["data"]]
    assert len({row["id"] for row in by_name}) == 8 and len(by_name) > 8
    assert all(row["likelihood"] < 0 for row in by_name if row["rank"] == 0)
    beside = records.table(the_run(records, "evaluate", "tuna_p"), "side_by_side")
    assert {"sft response", "tuna_p response", "sft score", "tuna_p score"} < {*beside["columns"]}
    assert len(beside["data"]) == 8
    summary = records.run(the_run(records, "evaluate", "tuna_p"))["summary"]
    assert 0 <= summary["score"] <= 1 and "difference_low" in summary


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_lineage_leads_from_the_dataset_to_the_evaluation(ran: dict[str, Ran], mode: str) -> None:
    records = ran[mode].records
    edges = records.edges()
    place = the_run(records, "evaluate", "tuna_p")
    path = [
        "evaluation", "evaluate", "checkpoint", "train", "ranking", "rank", "candidates", "sample",
        "dataset",
    ]  # fmt: skip
    for word in path:
        (place,) = (one for one, to in edges if to == place and one.startswith(f"{word}-"))
    (version,) = records.versions("tuna_exp", place)
    assert json.loads(version["metadata"])["dataset"] == "verifiable"
    (checkpoint,) = (a for a in records.artifacts.values() if a["collection"] == edge_of(edges))
    metadata = json.loads(checkpoint["metadata"])
    assert checkpoint["collection"].endswith(metadata["digest"][:16])
    assert set(checkpoint["files"]) == {"manifest.json"}  # and no weights unasked
    assert any(name.endswith(".safetensors") for name in metadata["files"])


def edge_of(edges: set[tuple[str, str]]) -> str:
    """Any checkpoint that was used."""
    return next(one for one, _ in sorted(edges) if one.startswith("checkpoint-"))


def test_secrets_never_leave_and_are_in_no_file(ran: dict[str, Ran]) -> None:
    planted = [value.encode() for value in (*SECRETS.values(), KEY)]
    for one in ran.values():
        assert len(one.records.received) > 50
        files = [path.read_bytes() for path in one.folder.rglob("*") if path.is_file()]
        for content in (*one.records.received, *files, *one.records.files.values()):
            assert not any(secret in content for secret in planted)


def test_csv_has_both_axes_too(ran: dict[str, Ran]) -> None:
    for path in ran["online"].folder.glob("artifacts/train/*/logs/**/metrics.csv"):
        with path.open() as lines:
            rows = list(csv.DictReader(lines))
        assert [float(row["examples"]) for row in rows] == [4, 8]
        assert float(rows[0]["tokens"]) < float(rows[1]["tokens"])


def test_nothing_is_written_into_finished_artifacts(ran: dict[str, Ran]) -> None:
    for one in ran.values():
        assert not list(one.folder.glob("artifacts/**/*.wandb"))
        assert list(one.folder.glob("run/wandb/*run-*/*.wandb"))
