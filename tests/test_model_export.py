"""A trained model leaves the store as a folder that others load, with a card that says all."""

import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuna_exp.errors import UserError
from tuna_exp.export_command import main
from tuna_exp.plan import Step, Workspace, execute
from tuna_exp.progress import QuietDisplay
from tuna_exp.records import (
    Candidate,
    CandidateSet,
    Instruction,
    Origin,
    RankedExample,
    RankedResponse,
    write_records,
)
from tuna_exp.run_records import Model, RunRecord, Scored
from tuna_exp.store import Store

ASKED = Instruction(id="q", instruction="Add.", input="1 2")
PAID = Origin(request="r" * 64, model="gpt-x", licence="openai-terms")
ENVIRONMENT = ["experiment=tiny", "method=tuna_p", "dataset.count=4"]


def _sample(work: Workspace) -> None:
    texts = (Candidate(text="3", origin=PAID), Candidate(text="4"))
    write_records(
        work.folder / "candidates.jsonl", [CandidateSet(instruction=ASKED, candidates=texts)]
    )


def _rank(work: Workspace) -> None:
    best = tuple(RankedResponse(text=t, rank=i, score=-float(i)) for i, t in enumerate("34"))
    write_records(work.folder / "ranking.jsonl", [RankedExample(instruction=ASKED, responses=best)])


def _figures(work: Workspace) -> None:
    (work.folder / "figures.json").write_text(
        '[{"metric": "score", "group": "all", '
        '"interval": {"value": 0.5, "low": 0.4, "high": 0.6, "items": 24}}]'
    )


@pytest.fixture
def trained(tmp_path: Path, tiny_folder: Path) -> Path:
    """A training's artifact with a ranking before it and an evaluation after it, and its run."""

    def train(work: Workspace) -> None:
        shutil.copytree(tiny_folder, work.folder / "checkpoint")
        (work.folder / "checkpoint" / "optimizer.pt").write_bytes(b"\x80\x04a pickle")

    def answer(work: Workspace) -> None:
        (work.folder / "predictions.jsonl").write_text("")

    data = {"dataset": "hub", "name": "me/data"}
    settings = {"model": {"source": {"name": "org/base"}}, "objective": {"name": "tuna_p"}}
    sample = Step("sample", "sample teacher", 1, {"data": data}, {}, _sample)
    rank = Step("rank", "rank", 1, {"ranker": {"ranker": "P"}}, {"candidates": sample}, _rank)
    model = Step("train", "train Tuna-p", 1, settings, {"tokens": rank}, train)
    answers = Step("evaluate", "evaluate", 1, {}, {"model": model}, answer)
    benchmark = {"benchmark": {"benchmark": "verifiable"}}
    figures = Step("figures", "figures", 1, benchmark, {"predictions": answers}, _figures)
    store = Store(tmp_path / "artifacts")
    execute([figures], store, QuietDisplay())
    scored = Scored(answers=answers.digest, figures=figures.digest)
    record = RunRecord(
        artifacts="artifacts",
        comparison="c",
        evaluated={"tuna_p": Model(model=model.digest, scores={"verifiable": scored})},
        overrides=tuple(ENVIRONMENT),
    )
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "run.json").write_text(record.model_dump_json())
    return store.folder(model)


def test_the_folder_loads_and_answers_as_the_checkpoint_did(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    given = [trained.name[:10], "--root", str(trained.parents[1]), "--out", str(out)]
    given += ["--license", "apache-2.0", "--runs", str(tmp_path / "runs")]
    assert main(given) == 0
    kinds = {path.suffix for path in out.iterdir()}
    assert kinds == {".safetensors", ".json", ".jinja", ".md"}  # no pickle went along
    said = []
    for folder in (trained / "checkpoint", out):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
        asked = tokenizer("Add 1 and 2.", return_tensors="pt")
        said.append(model.generate(**asked, max_new_tokens=8, do_sample=False))
    assert torch.equal(*said)

    card = ModelCard.load(out / "README.md")
    told = card.data
    assert told.base_model == "org/base" and told.datasets == ["me/data"]
    assert told.license == "apache-2.0" and "trained-on-openai-terms" in told.tags
    (result,) = told.eval_results
    assert result.metric_value == 0.5 and result.metric_name == "[0.4, 0.6] (24 items)"
    manifest_digest = trained.name
    assert all(word in card.text for word in (*ENVIRONMENT, "openai-terms", manifest_digest))

    before = (out / "README.md").read_bytes()
    with pytest.raises(UserError, match="not overwritten"):
        main(given)
    assert (out / "README.md").read_bytes() == before


def test_what_cannot_be_exported_is_told(trained: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "model")]
    with pytest.raises(UserError, match="cannot be left out"):
        main([str(trained), *out, "--without", "openai-terms"])
    weights = trained / "checkpoint" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors is not as it was written"):
        main([str(trained), *out])
    assert not (tmp_path / "model").exists()
