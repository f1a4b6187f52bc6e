"""The project's own clients against real servers: teacher, judge, batches, log-probabilities."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.buying import account, endpoint
from tests.services.real_servers import RealServer
from tuna_exp.llms.base import Form, Sampling
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.hugging_face import HuggingFaceLLM, HuggingFaceSampler
from tuna_exp.llms.service import ServiceLLM
from tuna_exp.models.embedded import converted_folder
from tuna_exp.models.student import Folder
from tuna_exp.plan import Workspace
from tuna_exp.progress import NoBar
from tuna_exp.rankers.contextual import ContextualRanker
from tuna_exp.records import CandidateSet, Instruction, read_records
from tuna_exp.services.ledger import Ledger
from tuna_exp.services.requests import Wire
from tuna_exp.stages.sample import CANDIDATES, Drawing, sample
from tuna_exp.unfinished import Notebook

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1200)]
ROOT = Path(__file__).parents[2]
ASKED = [
    Instruction(id="france", instruction="What is the capital of France?"),
    Instruction(id="sum", instruction="What is 2 + 3?"),
    Instruction(id="pet", instruction="Name an animal that people keep at home."),
]
HOW = Decoding(responses=3, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=16)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, llama_server: RealServer) -> None:
    monkeypatch.setenv("REAL_KEY", llama_server.key)


def service(server: Any, folder: Path, wire: Wire = "openai_chat", **changes: Any) -> ServiceLLM:
    is_openai = wire != "anthropic_messages"
    parts = {"model": server.model, "key_variable": "REAL_KEY", "timeout_seconds": 300.0}
    settings: dict[str, Any] = {
        "endpoint": endpoint(server, wire, **parts | changes.pop("endpoint", {})),
        "account": account(folder),
        "system_prompt": None,
        "examples": (),
        "logprobs": is_openai,
        "seeds": is_openai,
        "forms": is_openai,
        "choices": 4,
        "parameters": {"top_logprobs": 1} if wire == "openai_chat" else {},
        "licence": "",
    }
    return ServiceLLM(**settings | changes)


def local_model() -> HuggingFaceLLM:
    sampler = HuggingFaceSampler("float32", "sdpa")
    return HuggingFaceLLM(Folder(converted_folder()), "chat", None, (), False, sampler)


@pytest.mark.parametrize("wire", ["openai_chat", "openai_completions", "anthropic_messages"])
def test_answers(wire: Wire, llama_server: RealServer, tmp_path: Path) -> None:
    opened = service(llama_server, tmp_path, wire).open()
    answers = opened.answer(ASKED, HOW, 0)
    assert [len(some) for some in answers] == [3, 3, 3]
    assert all(bool(c.token_logprobs) == (wire != "anthropic_messages") for c in answers[0])
    assert opened.answer(ASKED, HOW, 0) == answers  # from the ledger
    opened.close()
    totals = Ledger(tmp_path / "ledger.sqlite").totals()
    assert sum(row[2] for row in totals) == (9 if wire == "anthropic_messages" else 3)


def test_the_stand_in_agrees_where_it_is_the_same_model(
    llama_server: RealServer, tmp_path: Path
) -> None:
    """The same weights score the answers here: means of log-probabilities differ by their end."""
    work = Workspace(tmp_path, {}, NoBar())
    drawing = Drawing(service(llama_server, tmp_path), Sampling(HOW, 8, None), 0, local_model())
    sample(drawing, ASKED, work)
    sets = list(read_records(tmp_path / CANDIDATES, CandidateSet))
    for one in (c for s in sets for c in s.candidates):
        own = one.token_logprobs[: len(one.stand_in) - 1]
        assert own == pytest.approx(one.stand_in[: len(own)], abs=2e-2)
    facts = Notebook(tmp_path).facts()["stand_in"]
    assert facts["sets"] == 3 and facts["agreement"] > 0.6


def test_a_judge_keeps_to_its_form(llama_server: RealServer, tmp_path: Path) -> None:
    """A small model may judge badly, but in the form; replies cut short are refusals."""
    judge = service(llama_server, tmp_path, logprobs=False, parameters={})
    how = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=200)
    opened = service(llama_server, tmp_path).open()
    sets = [
        CandidateSet(instruction=i, candidates=tuple(some))
        for i, some in zip(ASKED, opened.answer(ASKED, HOW, 0), strict=True)
    ]
    opened.close()
    ranker = ContextualRanker(judge, "auto", how, 8, 0, 1, 0)
    outcomes = ranker.rank(sets)
    ranker.release()
    for outcome in outcomes:
        assert outcome.judgements[0].origin is not None
        if outcome.judgements[0].refusal not in ("cut_short", ""):
            assert outcome.judgements[0].refusal in (
                "repeated_letter", "missing_letter", "unknown_letter",
            )  # fmt: skip


def test_a_schema_binds(llama_server: RealServer, tmp_path: Path) -> None:
    form = Form("yes", {"type": "object", "properties": {"yes": {"type": "boolean"}},
                        "required": ["yes"], "additionalProperties": False})  # fmt: skip
    one = Decoding(responses=1, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=40)
    opened = service(llama_server, tmp_path).open()
    for (answer,) in opened.answer(ASKED, one, 0, form):
        assert '"yes"' in answer.text
    opened.close()


@pytest.mark.parametrize("wire", ["openai_chat", "anthropic_messages"])
def test_batches(wire: Wire, gateway_server: RealServer, tmp_path: Path) -> None:
    """What a batch has bought is not bought again one by one."""
    to = {"transport": "batch", "key_variable": None, "patience_minutes": 5.0}
    opened = service(gateway_server, tmp_path, wire, endpoint=to, logprobs=False,
                     parameters={}).open()  # fmt: skip
    one = Decoding(responses=1, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=12)
    answers = opened.answer(ASKED, one, 0)
    opened.close()
    assert all(some[0].text for some in answers)
    direct = service(gateway_server, tmp_path, wire, endpoint={"key_variable": None},
                     logprobs=False, parameters={})  # fmt: skip
    assert direct.unpaid(ASKED, one, 0) == []
    rows = Ledger(tmp_path / "ledger.sqlite").totals()
    assert rows[0][2] == 3


def test_a_run_with_a_server_as_teacher(llama_server: RealServer, tmp_path: Path) -> None:
    told = subprocess.run(
        [
            sys.executable, "-m", "tuna_exp", "experiment=tiny", "method=tuna_p", "teacher=vllm",
            f"teacher.endpoint.base_url={llama_server.base_url}", "teacher.endpoint.model=smollm2",
            "teacher.endpoint.key_variable=REAL_KEY", "teacher.choices=4", "dataset.count=6",
            "teacher.endpoint.concurrency=2", "++teacher.parameters.top_logprobs=1",
            "hydra.run.dir=run", "batching.batch_size=2",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    samples = [p.read_text() for p in tmp_path.glob("artifacts/sample/*/candidates.jsonl")]
    assert any('"model":"smollm2"' in text for text in samples)  # others are the student's own
