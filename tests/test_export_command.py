"""Exports: every response leads back to its request, and licences can be left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.errors import UserError
from tuna_exp.export_command import main
from tuna_exp.records import (
    Candidate,
    CandidateSet,
    Instruction,
    Judgement,
    Origin,
    RankedExample,
    RankedResponse,
    Usage,
    write_records,
)
from tuna_exp.services.ledger import Ledger
from tuna_exp.services.requests import Request

ASKED = Instruction(id="q", instruction="Add.", input="1 2")
REQUEST = Request("http://x", "openai_chat", {"model": "m", "messages": ["hi"], "seed": 4, "n": 2})


def origin(licence: str) -> Origin:
    return Origin(request=REQUEST.key, model="m-1", licence=licence, usage=Usage(usd=0.5))


@pytest.fixture
def ranking(tmp_path: Path) -> Path:
    """Three ranked responses under two licences, their candidates and the ledger."""
    store = tmp_path / "artifacts"
    folder, sampled = store / "rank" / ("a" * 16), store / "sample" / ("b" * 16)
    for place in (folder, sampled):
        place.mkdir(parents=True)
    texts = {"3": "closed", "three": "open", "12": "open"}
    candidates = tuple(
        Candidate(text=t, token_logprobs=(-0.5,), origin=origin(lic)) for t, lic in texts.items()
    )
    write_records(
        sampled / "candidates.jsonl", [CandidateSet(instruction=ASKED, candidates=candidates)]
    )
    responses = tuple(
        RankedResponse(text=t, rank=i, score=-float(i), likelihood=-0.5, origin=origin(lic))
        for i, (t, lic) in enumerate(texts.items())
    )
    judgement = Judgement(shown=("12", "3", "three"), scores=(0, 2, 1), raw="B > C > A")
    example = RankedExample(instruction=ASKED, responses=responses, judgements=(judgement,))
    write_records(folder / "ranking.jsonl", [example])
    made = {"stage": "rank", "digest": "a" * 64,
            "inputs": {"candidates": {"stage": "sample", "digest": "b" * 64}}}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(made))
    (sampled / "manifest.json").write_text(json.dumps({"stage": "sample", "digest": "b" * 64}))
    book = Ledger(store / "ledger.sqlite")
    book.want([REQUEST])
    book.close()
    return folder


def exported(folder: Path, out: Path, *arguments: str) -> list[dict[str, Any]]:
    assert main([str(folder), "--out", str(out), *arguments]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_a_response_leads_back_to_its_request(ranking: Path, tmp_path: Path) -> None:
    (line,) = exported(ranking, tmp_path / "out.jsonl")
    best = line["responses"][0]
    assert (line["input"], best["text"], best["rank"]) == ("1 2", "3", 0)
    assert best["token_logprobs"] == [-0.5]
    source = best["source"]
    assert (source["model"], source["licence"], source["request"]) == ("m-1", "closed", REQUEST.key)
    assert source["seed"] == 4 and source["parameters"] == {"model": "m", "n": 2}
    assert source["service"] == "http://x" and len(source["prompt_sha256"]) == 64
    (judgement,) = line["judgements"]
    assert judgement["shown"] == [2, 0, 1] and judgement["raw"] == "B > C > A"
    made = json.loads((tmp_path / "out.jsonl.provenance.json").read_text())
    assert set(made) == {f"rank-{'a' * 16}", f"sample-{'b' * 16}"}


def test_a_licence_is_left_out(
    ranking: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without "closed" two of three are left, ranks closed up; without "open" too few are."""
    (line,) = exported(ranking, tmp_path / "out.jsonl", "--without", "closed")
    assert [(r["text"], r["rank"]) for r in line["responses"]] == [("three", 0), ("12", 1)]
    assert line["judgements"] == [] and "1 responses, 0 sets" in capsys.readouterr().out
    assert exported(ranking, tmp_path / "none.jsonl", "--without", "open") == []
    assert "2 responses, 1 sets" in capsys.readouterr().out


def test_samples_are_exported_too(ranking: Path, tmp_path: Path) -> None:
    sampled = ranking.parents[1] / "sample" / ("b" * 16)
    (line,) = exported(sampled, tmp_path / "out.jsonl")
    assert [r["text"] for r in line["responses"]] == ["3", "three", "12"]


def test_where_terms_cannot_be_read_nothing_is_exported(ranking: Path, tmp_path: Path) -> None:
    (ranking / "manifest.json").write_text('{"stage": "ra')
    with pytest.raises(UserError, match=r"manifest.json cannot be read: .*Cure"):
        main([str(ranking), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_what_is_no_artifact_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither ranking.jsonl nor candidates.jsonl"):
        main([str(tmp_path), "--out", str(tmp_path / "out")])
