"""A whole run with a paid teacher and a paid judge: bought once, told, and no key anywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.loopback import Loopback, running

ROOT = Path(__file__).parents[2]
KEYS = {"OPENAI_API_KEY": "sk-not-to-be-written-1", "ANTHROPIC_API_KEY": "sk-not-to-be-written-2"}
PRICE = ["vendor=null", "model=loopback-1", "read=1.0", "generated=2.0"]


def settings(server: Loopback) -> list[str]:
    own = ["teacher.endpoint", "extra_rankers.judge.judge.endpoint"]
    return [
        "experiment=tiny",
        "dataset.count=12",
        "evaluation.verifiable.count=8",
        "method=tuna_p",
        "teacher=openai",
        "ranker@extra_rankers.judge=anthropic",
        "comparison.measured_sets=3",
        *(f"{place}.base_url={server.base_url}" for place in own),
        *(f"{place}.model=loopback-1" for place in own),
        *(f"{place}.price.{price}" for place in own for price in PRICE),
        "budget.usd=1",
    ]


def tuna_exp(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tuna_exp", *arguments],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT / "src"), "WANDB_MODE": "offline"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_a_run_with_paid_parts(tmp_path: Path) -> None:
    with running(faults=[{"fault": "429", "first": 2, "retry_after": 0.1}]) as server:
        told = tuna_exp(tmp_path, "estimate", *settings(server), "--json")
        assert told.returncode == 0, told.stderr
        expected = json.loads(told.stdout)["total"]
        assert 0 < expected["usd"] < expected["bound"] < 1
        assert list(tmp_path.iterdir()) == []  # nothing was written
        keyless = tuna_exp(tmp_path, *settings(server), OPENAI_API_KEY="", ANTHROPIC_API_KEY="")
        assert keyless.returncode == 2 and "OPENAI_API_KEY is not set" in keyless.stderr
        tracked = ["logger=[csv,wandb]", "comparison.tracking=offline", "hydra.run.dir=run"]
        ran = tuna_exp(tmp_path, *settings(server), *tracked, **KEYS)
        assert ran.returncode == 0, ran.stderr
        paid = server.served()
        assert paid["usd"] < expected["bound"]
        again = tuna_exp(tmp_path, *settings(server), "seed=1", "hydra.run.dir=again", **KEYS)
        assert again.returncode == 0, again.stderr
        # Another seed trains anew; the teacher's samples are those of before.
        assert set(server.served()["counts"].values()) == {1}
        assert server.served()["answers"] > paid["answers"]  # the judge read new responses
        samples = list(tmp_path.glob("artifacts/sample/*/candidates.jsonl"))
        assert any('"model":"loopback-1-2026-01-01"' in path.read_text() for path in samples)
    manifests = [json.loads(p.read_text()) for p in tmp_path.glob("artifacts/*/*/manifest.json")]
    usd = sum(m["facts"].get("usd", 0) for m in manifests if m["stage"] in ("sample", "rank"))
    totals = tuna_exp(tmp_path, "ledger", "--json")
    assert sum(row["usd"] for row in json.loads(totals.stdout)) >= usd > 0
    key = json.loads(samples[0].read_text().splitlines()[0]) if samples else {}
    requests = [c["origin"]["request"] for c in key.get("candidates", []) if "origin" in c]
    for request in requests[:1]:
        shown = json.loads(tuna_exp(tmp_path, "ledger", "show", request[:16]).stdout)
        assert shown["state"] == "answered" and shown["body"]["messages"]
    secrets = [key.encode() for key in KEYS.values()]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path
    assert not any(key in ran.stdout + ran.stderr for key in KEYS.values())
