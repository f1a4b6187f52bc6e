"""The vendors' clients against real servers on this machine: shapes, and numbers that are true."""

import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import jsonschema
import openai
import pytest
import torch

from tests.services.real_servers import RealServer
from tuna_exp.models.embedded import converted_folder
from tuna_exp.models.loading import load_model, load_tokenizer

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1200)]
MESSAGES: Any = [{"role": "user", "content": "What is the capital of France?"}]
SCHEMA = {
    "type": "object",
    "properties": {"best": {"type": "integer", "minimum": 1, "maximum": 4}},
    "required": ["best"],
    "additionalProperties": False,
}
ENDED = ("completed", "failed", "expired", "cancelled")


class Reference:
    """The same weights in Hugging Face's library."""

    def __init__(self) -> None:
        folder = converted_folder()
        self.tokenizer = load_tokenizer(folder)
        self.model: Any = load_model(folder)

    def prompt(self, messages: Any) -> list[int]:
        """Token ids of a conversation that an answer follows."""
        text = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return self.ids(str(text))

    def ids(self, text: str) -> list[int]:
        """Token ids of a text."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def logprobs(self, prompt: list[int], answer: list[int]) -> list[float]:
        """Log-probability (nats) of each token of an answer."""
        with torch.no_grad():
            logits = self.model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        rows = logits[len(prompt) - 1 : -1]
        return rows.gather(1, torch.tensor(answer)[:, None])[:, 0].tolist()


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


@pytest.fixture(scope="module")
def gpt(llama_server: RealServer) -> Iterator[openai.OpenAI]:
    url, key = llama_server.openai_url, llama_server.key
    with openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=300) as client:
        yield client


@pytest.fixture(scope="module")
def claude(llama_server: RealServer) -> Iterator[anthropic.Anthropic]:
    url, key = llama_server.base_url, llama_server.key
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=300) as client:
        yield client


def ids_of(entries: Any) -> list[int]:
    """The token ids, which this server adds to OpenAI's shape."""
    return [entry.model_extra["id"] for entry in entries]


def test_chat_choices_have_the_models_own_logprobs(
    gpt: openai.OpenAI, reference: Reference
) -> None:
    """Float32 on both sides: the sums of products differ in their order alone."""
    ask: dict[str, Any] = {"model": "smollm2", "messages": MESSAGES, "temperature": 1.0}
    ask |= {"logprobs": True, "top_logprobs": 1, "max_tokens": 24, "n": 3}
    first, again = (gpt.chat.completions.create(**ask, seed=5) for _ in range(2))
    texts = [choice.message.content for choice in first.choices]
    assert texts == [choice.message.content for choice in again.choices]
    assert len(set(texts)) == 3
    prompt = reference.prompt(MESSAGES)
    assert first.usage is not None and first.usage.prompt_tokens == len(prompt)
    for choice in first.choices:
        assert choice.logprobs is not None and choice.logprobs.content is not None
        entries = choice.logprobs.content
        expected = reference.logprobs(prompt, ids_of(entries))
        assert [entry.logprob for entry in entries] == pytest.approx(expected, abs=1e-2)


def test_completions_continue_a_plain_text(gpt: openai.OpenAI, reference: Reference) -> None:
    text = "The capital of France is"
    reply = gpt.completions.create(
        model="smollm2", prompt=text, max_tokens=5, temperature=0, logprobs=1
    )
    choice = reply.choices[0]
    assert "Paris" in choice.text
    assert choice.logprobs is not None and choice.logprobs.model_extra is not None
    entries = choice.logprobs.model_extra["content"]  # this server has the chat's shape here too
    ids, found = [e["id"] for e in entries], [e["logprob"] for e in entries]
    assert found == pytest.approx(reference.logprobs(reference.ids(text), ids), abs=1e-2)


def test_chat_keeps_to_a_schema(gpt: openai.OpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "best", "schema": SCHEMA}}
    for seed in range(4):
        reply = gpt.chat.completions.create(
            model="smollm2", messages=MESSAGES, response_format=form, seed=seed, max_tokens=60
        )
        jsonschema.validate(json.loads(reply.choices[0].message.content or ""), SCHEMA)


def test_messages(claude: anthropic.Anthropic, reference: Reference) -> None:
    ask: dict[str, Any] = {"model": "smollm2", "messages": MESSAGES}
    said = claude.messages.create(**ask, max_tokens=24, extra_body={"temperature": 0})
    assert "Paris" in said.content[0].text and said.stop_reason == "end_turn"
    assert claude.messages.count_tokens(**ask).input_tokens == len(reference.prompt(MESSAGES))


def test_messages_with_a_forced_tool(claude: anthropic.Anthropic) -> None:
    tool: Any = {"name": "choose", "description": "Choose the best.", "input_schema": SCHEMA}
    call = claude.messages.create(
        model="smollm2",
        messages=MESSAGES,
        max_tokens=120,
        tools=[tool],
        tool_choice={"type": "tool", "name": "choose"},
        extra_body={"temperature": 0},
    )
    assert call.stop_reason == "tool_use"
    used = next(block for block in call.content if block.type == "tool_use")
    jsonschema.validate(used.input, SCHEMA)


def test_keys(llama_server: RealServer) -> None:
    wrong: dict[str, Any] = {"api_key": "wrong", "max_retries": 0}
    gpt = openai.OpenAI(base_url=llama_server.openai_url, **wrong)
    with pytest.raises(openai.AuthenticationError):
        gpt.completions.create(model="smollm2", prompt="x")
    claude = anthropic.Anthropic(base_url=llama_server.base_url, **wrong)
    with pytest.raises(anthropic.AuthenticationError):
        claude.messages.create(model="smollm2", messages=MESSAGES, max_tokens=5)


def polled(ask: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    """What is asked for, once it is done."""
    until = time.monotonic() + 300
    while not done(found := ask()):
        assert time.monotonic() < until, found
        time.sleep(0.5)
    return found


def test_openai_batch(gateway_server: RealServer, gpt: openai.OpenAI) -> None:
    url, model = gateway_server.openai_url, gateway_server.model
    body = {"model": model, "messages": MESSAGES, "max_tokens": 12, "temperature": 0}
    head = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    rows = "\n".join(json.dumps({"custom_id": f"row-{i}", **head}) for i in range(3))
    with openai.OpenAI(base_url=url, api_key="any", max_retries=0, timeout=300) as client:
        sent = client.files.create(file=("rows.jsonl", io.BytesIO(rows.encode())), purpose="batch")
        made = client.batches.create(
            input_file_id=sent.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"run": "7"},
        )
        batch = polled(lambda: client.batches.retrieve(made.id), lambda b: b.status in ENDED)
        assert batch.status == "completed" and batch.metadata == {"run": "7"}
        assert made.id in [listed.id for listed in client.batches.list()]
        lines = client.files.content(batch.output_file_id).text.splitlines()
    answers = {}
    for line in map(json.loads, lines):
        answer = line["response"]["body"]  # a JSON text here, an object at OpenAI
        answer = json.loads(answer) if isinstance(answer, str) else answer
        answers[line["custom_id"]] = answer["choices"][0]["message"]["content"]
    direct = gpt.chat.completions.create(**{**body, "model": "smollm2"})
    assert answers == {f"row-{i}": direct.choices[0].message.content for i in range(3)}


def test_anthropic_batch(gateway_server: RealServer) -> None:
    params: Any = {"model": gateway_server.model, "messages": MESSAGES, "max_tokens": 12}
    requests: Any = [{"custom_id": f"row-{i}", "params": params} for i in range(3)]
    url = gateway_server.base_url
    with anthropic.Anthropic(base_url=url, api_key="any", max_retries=0, timeout=300) as client:
        made = client.messages.batches.create(requests=requests)
        polled(
            lambda: client.messages.batches.retrieve(made.id),
            lambda batch: batch.processing_status == "ended",
        )
        results = list(client.messages.batches.results(made.id))
    assert sorted(row.custom_id for row in results) == ["row-0", "row-1", "row-2"]
    for row in results:
        assert row.result.type == "succeeded" and row.result.message.content[0].text
