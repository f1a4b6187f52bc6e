"""What is posted and how replies are read, for the three wire formats."""

import json
from typing import Any

import pytest

from tuna_exp.llms.base import Form
from tuna_exp.llms.decoding import Decoding
from tuna_exp.services.requests import ReplyError, Taken
from tuna_exp.services.wires import WIRES, Question, Turn, token_bound

FORM = Form("order", {"type": "object"})
TURNS = (Turn("system", "Be brief."), Turn("user", "Hi"))


def question(**changes: Any) -> Question:
    decoding = Decoding(responses=2, temperature=0.7, top_p=1.0, top_k=0, max_new_tokens=9)
    given: dict[str, Any] = {
        "turns": TURNS, "decoding": decoding, "seed": 5, "logprobs": True, "form": None,
        "parameters": {},
    }  # fmt: skip
    return Question(**given | changes)


def test_openai_chat_body() -> None:
    assert WIRES["openai_chat"].body("m", question(form=FORM, parameters={"user": "u"})) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
        ],
        "n": 2,
        "max_completion_tokens": 9,
        "temperature": 0.7,
        "seed": 5,
        "logprobs": True,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "order", "strict": True, "schema": {"type": "object"}},
        },
        "user": "u",
    }


def test_completions_body() -> None:
    body = WIRES["openai_completions"].body("m", question(turns=(Turn("user", "Hi"),)))
    assert body["prompt"] == "Hi" and body["logprobs"] == 1 and body["max_tokens"] == 9


def test_anthropic_body_has_no_n_and_no_seed() -> None:
    body = WIRES["anthropic_messages"].body("m", question(form=FORM))
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "system": "Be brief.",
        "max_tokens": 9,
        "temperature": 0.7,
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    }


@pytest.mark.parametrize("wire", WIRES)
def test_null_parameters_take_out(wire: Any) -> None:
    """A model that refuses a temperature gets none."""
    assert "temperature" not in WIRES[wire].body("m", question(parameters={"temperature": None}))


def test_openai_chat_reply() -> None:
    """Two choices; of 30 tokens read 10 came from the cache."""
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    raw = {
        "model": "m-2026-01-01",
        "choices": [
            {
                "message": {"content": "Hi"},
                "finish_reason": "length",
                "logprobs": {"content": [token]},
            },
            {"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"},
        ],
        "usage": {
            "prompt_tokens": 30,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 10},
        },
    }
    reply = WIRES["openai_chat"].read(json.dumps(raw))
    assert [(c.text, c.logps, c.finish_reason) for c in reply.choices] == [
        ("Hi", (-0.5,), "length"),
        ("No.", None, "refusal"),
    ]
    assert (reply.model, reply.taken) == ("m-2026-01-01", Taken(30, 10, 4))


def test_completions_replies_in_both_shapes() -> None:
    """OpenAI's own shape, and that of llama.cpp, which has it as in a chat."""
    for logprobs in ({"token_logprobs": [-1.0]}, {"content": [{"logprob": -1.0}]}):
        choice = {"text": "x", "finish_reason": "stop", "logprobs": logprobs}
        reply = WIRES["openai_completions"].read(json.dumps({"choices": [choice]}))
        assert reply.choices[0].logps == (-1.0,) and reply.taken == Taken(0, 0, 0)


def test_anthropic_reply_counts_the_cache_as_read() -> None:
    """5 fresh + 3 from the cache + 2 written to it = 10 read."""
    raw = {
        "model": "c",
        "content": [{"type": "thinking", "thinking": "..."}, {"type": "text", "text": "Hi"}],
        "stop_reason": "max_tokens",
        "usage": {
            "input_tokens": 5,
            "output_tokens": 4,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 2,
        },
    }
    reply = WIRES["anthropic_messages"].read(json.dumps(raw))
    assert reply.choices[0].text == "Hi" and reply.choices[0].finish_reason == "length"
    assert reply.taken == Taken(10, 3, 4)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("raw", ["", "{", "[]", "{}", '{"choices": 3, "content": 3}', "null"])
def test_what_is_no_answer_is_told(wire: Any, raw: str) -> None:
    with pytest.raises(ReplyError, match="cannot be read"):
        WIRES[wire].read(raw)


def test_the_bound_holds_for_any_text() -> None:
    """A token is at least a byte: é has two bytes, n answers may have max_tokens each."""
    body = {"messages": [{"role": "user", "content": "é" * 100}], "max_tokens": 7, "n": 3}
    bound = token_bound(body)
    assert bound.read >= 200 and bound.generated == 21
