"""The loopback server as the vendors' own clients see it."""

import asyncio
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import jsonschema
import openai
import pytest

from tests.services.ledger import digest_of
from tests.services.loopback import Loopback, running

MESSAGES: Any = [{"role": "user", "content": "Name a river of France."}]
ASK: dict[str, Any] = {"model": "loopback-1", "messages": MESSAGES}
ASK_CLAUDE: dict[str, Any] = {**ASK, "max_tokens": 100}
RANKS = {
    "type": "object",
    "properties": {
        "ranks": {"type": "array", "items": {"$ref": "#/$defs/rank"}, "minItems": 4, "maxItems": 4},
        "why": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
        "sure": {"type": "number", "minimum": 0, "maximum": 1},
        "kind": {"enum": ["a", "b"]},
    },
    "required": ["ranks", "why", "sure", "kind"],
    "additionalProperties": False,
    "$defs": {"rank": {"type": "integer", "minimum": 1, "maximum": 4}},
}
FORM: Any = {"type": "json_schema", "json_schema": {"name": "ranks", "schema": RANKS}}
OTHER_KEY = {"Authorization": "Bearer wrong", "x-api-key": "right"}
OUTPUT: Any = {"format": {"type": "json_schema", "schema": RANKS}}


@pytest.fixture
def gpt(server: Loopback) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.openai_url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(server: Loopback) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.base_url, api_key="any", max_retries=0) as client:
        yield client


def test_chat_is_a_function_of_the_request(gpt: openai.OpenAI) -> None:
    first = gpt.chat.completions.create(**ASK, n=3, seed=1)
    again = gpt.chat.completions.create(**ASK, n=3, seed=1)
    other = gpt.chat.completions.create(**ASK, n=3, seed=2)
    texts = [[c.message.content for c in reply.choices] for reply in (first, again, other)]
    assert texts[0] == texts[1] != texts[2] and len(set(texts[0])) == 3
    assert first.model == "loopback-1-2026-01-01" and first.id != again.id
    assert first.usage is not None and first.usage.prompt_tokens == 5
    assert first.usage.completion_tokens == sum(len(str(text).split()) for text in texts[0])
    cold = [gpt.chat.completions.create(**ASK, temperature=0, seed=s) for s in (1, 2)]
    assert cold[0].choices[0].message.content == cold[1].choices[0].message.content


def test_chat_logprobs(gpt: openai.OpenAI) -> None:
    reply = gpt.chat.completions.create(**ASK, logprobs=True, top_logprobs=3, max_tokens=4)
    choice = reply.choices[0]
    assert choice.logprobs is not None and choice.logprobs.content is not None
    tokens = choice.logprobs.content
    assert "".join(t.token for t in tokens) == choice.message.content
    assert len(tokens) == 4 and choice.finish_reason == "length"
    for token in tokens:
        likely = [other.logprob for other in token.top_logprobs]
        assert token.logprob < 0 and token.logprob in likely
        assert len(likely) == 3 and likely == sorted(likely, reverse=True)


def test_json_answers_keep_to_the_schema(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    for seed in range(20):
        reply = gpt.chat.completions.create(**ASK, seed=seed, response_format=FORM)
        value = json.loads(reply.choices[0].message.content or "")
        jsonschema.validate(value, RANKS)
        assert sorted(value["ranks"]) == [1, 2, 3, 4]
    said = claude.messages.create(**ASK_CLAUDE, output_config=OUTPUT).content[0]
    jsonschema.validate(json.loads(said.text), RANKS)


def test_completions_score_the_same_with_echo(gpt: openai.OpenAI) -> None:
    ask: dict[str, Any] = {"model": "loopback-1", "logprobs": 2}
    drawn = gpt.completions.create(**ask, prompt="Rivers:", max_tokens=5, n=2).choices[1]
    text = "Rivers:" + drawn.text
    scored = gpt.completions.create(**ask, prompt=[text, "x"], max_tokens=0, echo=True).choices
    assert drawn.logprobs is not None and scored[0].logprobs is not None
    assert [choice.text for choice in scored] == [text, "x"]
    assert scored[0].logprobs.token_logprobs is not None
    assert scored[0].logprobs.token_logprobs[0] is None
    assert scored[0].logprobs.token_logprobs[1:] == drawn.logprobs.token_logprobs
    assert scored[0].logprobs.text_offset == [0, *(drawn.logprobs.text_offset or [])]


def test_messages(claude: anthropic.Anthropic) -> None:
    said = claude.messages.create(**ASK_CLAUDE, extra_body={"temperature": 1.0})
    assert said.content[0].type == "text" and said.stop_reason == "end_turn"
    assert said.model == "loopback-1-2026-01-01" and said.usage.input_tokens == 5
    assert claude.messages.count_tokens(**ASK).input_tokens == 5
    tool: Any = {"name": "rank", "input_schema": RANKS}
    choice: Any = {"type": "tool", "name": "rank"}
    call = claude.messages.create(**ASK_CLAUDE, tools=[tool], tool_choice=choice)
    assert call.stop_reason == "tool_use" and call.content[0].type == "tool_use"
    jsonschema.validate(call.content[0].input, RANKS)


def test_models(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    assert [model.id for model in gpt.models.list()] == ["loopback-1"]
    assert [model.id for model in claude.models.list()] == ["loopback-1"]


def test_what_was_served_is_counted_and_kept(tmp_path: Path) -> None:
    with running(state=tmp_path, usd_in=1, usd_out=0) as server:
        with openai.OpenAI(base_url=server.openai_url, api_key="any") as gpt:
            for user in "ab":
                gpt.chat.completions.create(**ASK, user=user)
        digest = digest_of("/v1/chat/completions", ASK)
        assert server.served()["counts"] == {digest: 2}
        assert server.served()["usd"] == 10
    lines = (tmp_path / "served.jsonl").read_text().splitlines()
    assert [json.loads(line)["digest"] for line in lines] == [digest, digest]
    with running(state=tmp_path) as server:
        assert server.served()["answers"] == 2


def test_an_answer_nobody_waits_for_is_charged() -> None:
    with running(latency=0.5) as server:
        gpt = openai.OpenAI(base_url=server.openai_url, api_key="any", max_retries=0)
        with pytest.raises(openai.APITimeoutError):
            gpt.chat.completions.create(**ASK, timeout=0.1)
        assert server.served()["answers"] == 0
        time.sleep(1)
        assert server.served()["answers"] == 1


def test_keys() -> None:
    with running(key="right") as server:
        gpt = openai.OpenAI(base_url=server.openai_url, api_key="right", max_retries=0)
        claude = anthropic.Anthropic(base_url=server.base_url, api_key="right", max_retries=0)
        gpt.chat.completions.create(**ASK)
        claude.messages.create(**ASK_CLAUDE)
        claude.messages.create(**ASK_CLAUDE, extra_headers=OTHER_KEY)
        with pytest.raises(openai.AuthenticationError) as of_gpt:
            gpt.with_options(api_key="wrong").chat.completions.create(**ASK)
        assert of_gpt.value.code == "invalid_api_key" and of_gpt.value.request_id
        with pytest.raises(anthropic.AuthenticationError) as of_claude:
            claude.with_options(api_key="wrong").messages.create(**ASK_CLAUDE)
        assert of_claude.value.type == "authentication_error" and of_claude.value.request_id


def test_many_at_once() -> None:
    """200 answers of 0.5 s each arrive in less than the 100 s they would take one by one."""

    async def ask(url: str) -> list[Any]:
        async with (
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", timeout=60) as gpt,
            anthropic.AsyncAnthropic(base_url=url, api_key="any", timeout=60) as claude,
        ):
            asked = [gpt.chat.completions.create(**ASK, seed=i) for i in range(100)]
            asked += [claude.messages.create(**ASK_CLAUDE) for _ in range(100)]
            return await asyncio.gather(*asked)

    with running(latency=0.5) as server:
        began = time.monotonic()
        assert len(asyncio.run(ask(server.base_url))) == 200
        assert time.monotonic() - began < 30
        stats = server.stats()
        assert stats["most_in_flight"] > 50
        assert stats["most_requests_per_minute"] == stats["requests_last_minute"] == 200
        assert server.served()["answers"] == 200


STATUSES = [
    ("400", openai.BadRequestError, anthropic.BadRequestError),
    ("401", openai.AuthenticationError, anthropic.AuthenticationError),
    ("403", openai.PermissionDeniedError, anthropic.PermissionDeniedError),
    ("404", openai.NotFoundError, anthropic.NotFoundError),
    ("429", openai.RateLimitError, anthropic.RateLimitError),
    ("500", openai.InternalServerError, anthropic.InternalServerError),
    ("503", openai.InternalServerError, anthropic.ServiceUnavailableError),
    ("529", openai.InternalServerError, anthropic.OverloadedError),
    ("cut", openai.APIConnectionError, anthropic.APIConnectionError),
]


@pytest.mark.parametrize(("fault", "of_gpt", "of_claude"), STATUSES)
def test_failures(
    fault: str,
    of_gpt: type[Exception],
    of_claude: type[Exception],
    server: Loopback,
    gpt: openai.OpenAI,
    claude: anthropic.Anthropic,
) -> None:
    server.set_faults({"fault": fault})
    with pytest.raises(of_gpt):
        gpt.chat.completions.create(**ASK)
    with pytest.raises(of_claude):
        claude.messages.create(**ASK_CLAUDE)
    assert server.served()["answers"] == (2 if fault == "cut" else 0)
    assert server.stats()["faults"][0]["struck"] == 2


def test_hang_and_slow(server: Loopback, gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    server.set_faults({"fault": "hang"})
    with pytest.raises(openai.APITimeoutError):
        gpt.chat.completions.create(**ASK, timeout=0.2)
    with pytest.raises(anthropic.APITimeoutError):
        claude.messages.create(**ASK_CLAUDE, timeout=0.2)
    server.set_faults({"fault": "slow", "seconds": 0.4})
    began = time.monotonic()
    gpt.chat.completions.create(**ASK)
    assert time.monotonic() - began >= 0.4


def test_retry_after(server: Loopback, gpt: openai.OpenAI) -> None:
    server.set_faults({"fault": "429", "first": 1, "retry_after": 0.2})
    began = time.monotonic()
    gpt.with_options(max_retries=1).chat.completions.create(**ASK)
    assert time.monotonic() - began >= 0.2
    for header in (3600, None):
        quota = {"fault": "429", "retry_after": header, "code": "insufficient_quota"}
        server.set_faults(quota)
        with pytest.raises(openai.RateLimitError) as caught:
            gpt.chat.completions.create(**ASK)
        assert caught.value.response.headers.get("retry-after") == (header and str(header))
        assert caught.value.code == "insufficient_quota"


def test_when_rules_apply(server: Loopback, gpt: openai.OpenAI) -> None:
    server.set_faults(
        {"fault": "400", "match": "forbidden"}, {"fault": "500", "path": "/v1/completions"}
    )
    gpt.chat.completions.create(**ASK)
    with pytest.raises(openai.BadRequestError):
        gpt.chat.completions.create(**ASK, user="forbidden")
    with pytest.raises(openai.InternalServerError):
        gpt.completions.create(model="loopback-1", prompt="x")

    def failed() -> list[int]:
        server.set_faults({"fault": "500", "share": 0.5})
        seen = []
        for seed in range(40):
            try:
                gpt.chat.completions.create(**ASK, seed=seed)
            except openai.InternalServerError:
                seen.append(seed)
        return seen

    assert failed() == failed() and 8 <= len(failed()) <= 32


def test_spoilt_answers_of_openai(server: Loopback, gpt: openai.OpenAI) -> None:
    def ask(fault: str) -> Any:
        server.set_faults({"fault": fault})
        return gpt.chat.completions.create(**ASK, n=2, logprobs=True, response_format=FORM)

    with pytest.raises(ValueError, match="delimiter"):
        json.loads(ask("invalid_json").choices[0].message.content)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(ask("wrong_schema").choices[0].message.content), RANKS)
    assert ask("empty_content").choices[0].message.content == ""
    refused = ask("refusal").choices[0]
    assert refused.message.refusal and refused.message.content is None
    assert refused.finish_reason == "content_filter"
    assert ask("missing_logprobs").choices[0].logprobs is None
    assert len(ask("wrong_n").choices) == 1


def test_spoilt_answers_of_anthropic(server: Loopback, claude: anthropic.Anthropic) -> None:
    def ask(fault: str) -> Any:
        server.set_faults({"fault": fault})
        return claude.messages.create(**ASK_CLAUDE, output_config=OUTPUT)

    with pytest.raises(ValueError, match="delimiter"):
        json.loads(ask("invalid_json").content[0].text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(ask("wrong_schema").content[0].text), RANKS)
    assert ask("empty_content").content == []
    assert ask("refusal").stop_reason == "refusal"


def upload(gpt: openai.OpenAI, rows: list[dict[str, Any]]) -> Any:
    """Make a batch of chat requests as a user would."""
    lines = [
        {"custom_id": f"row-{i}", "method": "POST", "url": "/v1/chat/completions", "body": row}
        for i, row in enumerate(rows)
    ]
    content = io.BytesIO("\n".join(map(json.dumps, lines)).encode())
    file = gpt.files.create(file=("rows.jsonl", content), purpose="batch")
    return gpt.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"run": "7"},
    )


def lines_of(gpt: openai.OpenAI, name: str | None) -> list[dict[str, Any]]:
    text = gpt.files.content(name).text if name else ""
    return [json.loads(line) for line in text.splitlines()]


def finished(gpt: openai.OpenAI, batch: Any) -> tuple[Any, list[Any], list[Any]]:
    """The batch after its second poll, its output and its errors."""
    gpt.batches.retrieve(batch.id)
    batch = gpt.batches.retrieve(batch.id)
    return batch, lines_of(gpt, batch.output_file_id), lines_of(gpt, batch.error_file_id)


ROWS = [{**ASK, "seed": i} for i in range(6)]
REQUESTS: Any = [
    {"custom_id": f"row-{i}", "params": {**ASK_CLAUDE, "system": str(i)}} for i in range(6)
]


def test_openai_batch(server: Loopback, gpt: openai.OpenAI) -> None:
    batch = upload(gpt, [*ROWS, {"model": "loopback-1"}])
    assert batch.status == "validating" and batch.metadata == {"run": "7"}
    assert gpt.batches.retrieve(batch.id).status == "in_progress"
    batch, output, errors = finished(gpt, batch)
    assert batch.status == "completed"
    assert (batch.request_counts.completed, batch.request_counts.failed) == (6, 1)
    found = {row["custom_id"]: row["response"]["body"] for row in output}
    assert list(found) != sorted(found) and sorted(found) == [f"row-{i}" for i in range(6)]
    direct = gpt.chat.completions.create(**ROWS[3])
    assert found["row-3"]["choices"][0]["message"] == direct.choices[0].message.to_dict()
    assert errors[0]["custom_id"] == "row-6" and errors[0]["response"]["status_code"] == 400
    served, digest = server.served(), digest_of("/v1/chat/completions", ROWS[3])
    assert served["counts"][digest] == 2 and served["custom_ids"]["row-3"] == {digest: 1}
    with pytest.raises(openai.ConflictError):
        gpt.batches.cancel(batch.id)


def test_openai_lists_pages(gpt: openai.OpenAI) -> None:
    made = [upload(gpt, ROWS[:1]).id for _ in range(5)]
    assert [batch.id for batch in gpt.batches.list(limit=2)] == made[::-1]
    assert len(list(gpt.files.list(limit=2, purpose="batch"))) == 5
    with pytest.raises(openai.NotFoundError):
        gpt.batches.retrieve("batch_none")


def test_openai_batch_that_is_not_valid(gpt: openai.OpenAI) -> None:
    content = json.dumps({"custom_id": "a", "url": "/v1/completions", "body": {}})
    file = gpt.files.create(file=f"{content}\n{content}".encode(), purpose="batch")
    batch = gpt.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    batch = gpt.batches.retrieve(batch.id)
    assert batch.status == "failed" and batch.errors is not None
    assert "duplicate_custom_id" in [error.code for error in batch.errors.data or ()]


def test_anthropic_batch(server: Loopback, claude: anthropic.Anthropic) -> None:
    bad: Any = {"custom_id": "row-6", "params": {"model": "loopback-1", "messages": MESSAGES}}
    batch = claude.messages.batches.create(requests=[*REQUESTS, bad])
    assert batch.processing_status == "in_progress" and batch.request_counts.processing == 7
    with pytest.raises(anthropic.AnthropicError, match="results_url"):
        claude.messages.batches.results(batch.id)
    batch = claude.messages.batches.retrieve(batch.id)
    assert batch.processing_status == "ended"
    assert (batch.request_counts.succeeded, batch.request_counts.errored) == (6, 1)
    results = {row.custom_id: row.result for row in claude.messages.batches.results(batch.id)}
    assert list(results) != sorted(results) and len(results) == 7
    direct = claude.messages.create(**REQUESTS[2]["params"])
    found = results["row-2"]
    assert found.type == "succeeded" and found.message.content == direct.content
    error = results["row-6"]
    assert error.type == "errored" and error.error.error.type == "invalid_request_error"
    digest = digest_of("/v1/messages", REQUESTS[2]["params"])
    assert server.served()["custom_ids"]["row-2"] == {digest: 1}
    assert server.served()["counts"][digest] == 2
    with pytest.raises(anthropic.BadRequestError, match="duplicate"):
        claude.messages.batches.create(requests=[*REQUESTS, REQUESTS[0]])


def test_anthropic_lists_pages(claude: anthropic.Anthropic) -> None:
    made = [claude.messages.batches.create(requests=REQUESTS[:1]).id for _ in range(5)]
    assert [batch.id for batch in claude.messages.batches.list(limit=2)] == made[::-1]
    page = claude.messages.batches.list(limit=2, before_id=made[0])
    assert [batch.id for batch in page.data] == made[2:0:-1] and page.has_more


def test_asynchronous_batches(server: Loopback) -> None:
    async def ask() -> tuple[str, int]:
        async with (
            openai.AsyncOpenAI(base_url=server.openai_url, api_key="any") as gpt,
            anthropic.AsyncAnthropic(base_url=server.base_url, api_key="any") as claude,
        ):
            line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": ASK}
            file = await gpt.files.create(file=json.dumps(line).encode(), purpose="batch")
            batch = await gpt.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            other = await claude.messages.batches.create(requests=REQUESTS)
            for _ in range(2):
                batch = await gpt.batches.retrieve(batch.id)
                await claude.messages.batches.retrieve(other.id)
            rows = [row async for row in await claude.messages.batches.results(other.id)]
            return batch.status, len(rows)

    assert asyncio.run(ask()) == ("completed", 6)


def test_cancelled_batches() -> None:
    """Rows take 0.5 s each, so a batch of 100 that is cancelled at once is far from done."""
    many: Any = [{"custom_id": f"r{i}", "params": ASK_CLAUDE} for i in range(100)]
    with running(batch_seconds=50) as server:
        with openai.OpenAI(base_url=server.openai_url, api_key="any") as gpt:
            made = upload(gpt, ROWS * 20)
            assert gpt.batches.cancel(made.id).status == "cancelling"
            batch = gpt.batches.retrieve(made.id)
            assert batch.status == "cancelled"
            errors = lines_of(gpt, batch.error_file_id)
            assert errors[0]["error"]["code"] == "batch_cancelled"
        with anthropic.Anthropic(base_url=server.base_url, api_key="any") as claude:
            name = claude.messages.batches.create(requests=many).id
            assert claude.messages.batches.cancel(name).processing_status == "canceling"
            kinds = [row.result.type for row in claude.messages.batches.results(name)]
        assert len(kinds) == 100 and "canceled" in kinds
        assert server.served()["answers"] < 100


@pytest.mark.parametrize(
    ("fault", "good", "bad", "paid", "kind"),
    [
        ({"fault": "duplicate_rows", "first": 2}, 8, 0, 6, None),
        ({"fault": "missing_rows", "first": 2}, 4, 0, 4, None),
        ({"fault": "errored_rows", "first": 2}, 4, 2, 4, "errored"),
        ({"fault": "expired_rows", "first": 2}, 4, 2, 4, "expired"),
        ({"fault": "expired_batch"}, 3, 3, 3, "expired"),
        ({"fault": "empty_content"}, 6, 0, 6, None),
    ],
)
def test_faults_of_batches(
    fault: dict[str, Any],
    good: int,
    bad: int,
    paid: int,
    kind: str | None,
    server: Loopback,
    gpt: openai.OpenAI,
    claude: anthropic.Anthropic,
) -> None:
    server.set_faults(fault)
    batch, output, errors = finished(gpt, upload(gpt, ROWS))
    assert (len(output), len(errors)) == (good, bad)
    assert batch.status == ("expired" if fault["fault"] == "expired_batch" else "completed")
    assert server.served()["answers"] == paid
    server.set_faults(fault)
    name = claude.messages.batches.create(requests=REQUESTS).id
    claude.messages.batches.retrieve(name)
    kinds = [row.result.type for row in claude.messages.batches.results(name)]
    assert sorted(kinds) == sorted(["succeeded"] * good + [str(kind)] * bad)
    assert server.served()["answers"] == 2 * paid


def test_failed_batches(server: Loopback, gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    server.set_faults({"fault": "failed_batch", "path": "batches"})
    batch, output, errors = finished(gpt, upload(gpt, ROWS))
    assert batch.status == "failed" and batch.errors.data[0].code == "token_limit_exceeded"
    assert not output and not errors
    name = claude.messages.batches.create(requests=REQUESTS).id
    claude.messages.batches.retrieve(name)
    kinds = {row.result.type for row in claude.messages.batches.results(name)}
    assert kinds == {"errored"} and server.served()["answers"] == 0


def test_a_batch_made_though_its_answer_was_lost(
    server: Loopback, gpt: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    server.set_faults({"fault": "create_then_drop"})
    with pytest.raises(openai.APIConnectionError):
        upload(gpt, ROWS)
    with pytest.raises(anthropic.APIConnectionError):
        claude.messages.batches.create(requests=REQUESTS)
    assert [batch.metadata for batch in gpt.batches.list()] == [{"run": "7"}]
    assert len(list(claude.messages.batches.list())) == 1
    assert server.served()["answers"] == 12
