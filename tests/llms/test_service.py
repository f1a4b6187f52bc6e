"""Services as teachers and judges, against a server on loopback."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.services.buying import account, endpoint
from tests.services.loopback import Loopback
from tuna_exp.errors import ConfigError
from tuna_exp.llms.base import Form
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.service import ServiceLLM
from tuna_exp.records import Instruction
from tuna_exp.services.requests import ServiceError, Wire

ASKED = [Instruction(id=str(i), instruction=f"Say {i}.") for i in range(3)]
HOW = Decoding(responses=3, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=16)


def service(
    server: Loopback, folder: Path, wire: Wire = "openai_chat", **changes: Any
) -> ServiceLLM:
    is_openai = wire != "anthropic_messages"
    settings: dict[str, Any] = {
        "endpoint": endpoint(server, wire),
        "account": account(folder),
        "system_prompt": None,
        "examples": (),
        "logprobs": is_openai,
        "seeds": is_openai,
        "forms": True,
        "choices": 8,
        "parameters": {},
        "licence": "test-terms",
    }
    return ServiceLLM(**settings | changes)


@pytest.mark.parametrize("wire", ["openai_chat", "openai_completions", "anthropic_messages"])
def test_answers_with_where_they_came_from(wire: Wire, server: Loopback, tmp_path: Path) -> None:
    """Anthropic is asked three times for three answers, OpenAI once; the parts sum to the whole."""
    opened = service(server, tmp_path, wire).open()
    answers = opened.answer(ASKED, HOW, 0)
    opened.close()
    assert [len(some) for some in answers] == [3, 3, 3]
    assert len({c.text for some in answers for c in some}) >= 3
    candidates = [c for some in answers for c in some]
    for candidate in candidates:
        assert candidate.origin is not None and candidate.origin.licence == "test-terms"
        assert candidate.origin.model == "loopback-1-2026-01-01"
        assert bool(candidate.token_logprobs) == (wire != "anthropic_messages")
    requests = {c.origin.request for c in candidates if c.origin}
    assert len(requests) == (9 if wire == "anthropic_messages" else 3)
    paid = sum(c.origin.usage.usd for c in candidates if c.origin)
    assert paid == pytest.approx(server.served()["usd"])


def test_the_same_seed_costs_nothing_and_another_one_does(server: Loopback, tmp_path: Path) -> None:
    llm = service(server, tmp_path)
    assert len(llm.unpaid(ASKED, HOW, 0)) == 3
    opened = llm.open()
    first = opened.answer(ASKED, HOW, 0)
    assert llm.unpaid(ASKED, HOW, 0) == [] and len(llm.unpaid(ASKED, HOW, 1)) == 3
    assert opened.answer(ASKED, HOW, 0) == first
    assert server.served()["answers"] == 3
    assert opened.answer(ASKED[:1], HOW, 1) != first[:1]
    opened.close()


def test_a_server_that_gives_one_answer_is_asked_for_the_rest(
    server: Loopback, tmp_path: Path
) -> None:
    server.set_faults(
        {"fault": "wrong_n", "match": '"n": 3'}, {"fault": "wrong_n", "match": '"n":3'}
    )
    opened = service(server, tmp_path).open()
    assert [len(some) for some in opened.answer(ASKED, HOW, 0)] == [3, 3, 3]
    opened.close()


def test_forms_refusals_and_empty_answers(server: Loopback, tmp_path: Path) -> None:
    form = Form("yes", {"type": "object", "properties": {"yes": {"type": "boolean"}},
                        "required": ["yes"], "additionalProperties": False})  # fmt: skip
    one = replace(HOW, responses=1)
    opened = service(server, tmp_path, logprobs=False).open()
    assert '"yes"' in opened.answer(ASKED[:1], one, 0, form)[0][0].text
    server.set_faults({"fault": "refusal"})
    assert opened.answer(ASKED[1:2], one, 0)[0][0].finish_reason == "refusal"
    server.set_faults({"fault": "empty_content"})
    assert opened.answer(ASKED[2:], one, 0)[0][0].text == ""
    opened.close()


def test_missing_logprobs_are_told(server: Loopback, tmp_path: Path) -> None:
    server.set_faults({"fault": "missing_logprobs"})
    opened = service(server, tmp_path).open()
    with pytest.raises(ServiceError, match=r"gave no log-probabilities.*score_with"):
        opened.answer(ASKED[:1], HOW, 0)
    opened.close()


def test_a_server_that_echoes_scores_a_text(server: Loopback, tmp_path: Path) -> None:
    opened = service(server, tmp_path, "openai_completions").open()
    scores = opened.score_texts(ASKED[0], ["one two", "three"])
    opened.close()
    assert all(score < 0 for some in scores for score in some) and len(scores[0]) > len(scores[1])
    with pytest.raises(ConfigError, match="cannot score a given text"):
        service(server, tmp_path).open().score_texts(ASKED[0], ["one"])


def test_settings_that_cannot_work_are_told(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    keyed = endpoint(server, key_variable="NO_SUCH_KEY")
    with pytest.raises(ConfigError, match="NO_SUCH_KEY is not set"):
        service(server, tmp_path, endpoint=keyed).check()
    with pytest.raises(ConfigError, match="no log-probabilities"):
        service(server, tmp_path, "anthropic_messages", logprobs=True).check()


def test_examples_and_system_prompt_are_shown(server: Loopback, tmp_path: Path) -> None:
    shown = {"system_prompt": "Be brief.", "examples": ({"instruction": "a", "reference": "b"},)}
    chat = service(server, tmp_path, **shown).requests(ASKED[0], HOW, 0)[0].body["messages"]
    assert [m["role"] for m in chat] == ["system", "user", "assistant", "user"]
    text = service(server, tmp_path, "openai_completions", **shown)
    prompt = text.requests(ASKED[0], HOW, 0)[0].body["prompt"]
    assert prompt.startswith("Be brief.") and prompt.endswith("Instruction: Say 0.\n\nResponse:")
