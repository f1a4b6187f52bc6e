"""The bodies of answers, in the shapes of OpenAI's and Anthropic's APIs.

Each function takes a request's body and the fault that spoils the answer, if any, and returns the
body of the answer with its tokens in and out. Tokens are `answers.pieces` of the texts of messages,
system and prompt; choices are summed. An answer depends on the model, the texts, the seed and the
choice's index; at temperature 0 on the first two alone. Left out: streaming, stop sequences, tools
of OpenAI, images, best_of.
"""

import itertools
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.services.answers import Answer, alternatives, draws, pieces, say, score, write
from tests.services.faults import RefusedError, Rule
from tests.services.schemas import instance

SNAPSHOT = "-2026-01-01"
Body = Mapping[str, Any]
Reply = tuple[dict[str, Any], int, int]
_serial = itertools.count(1)


def snapshot(model: str) -> str:
    """Return the name under which a model answers."""
    return model + SNAPSHOT


def unique(prefix: str) -> str:
    """Return an id that this server gives once."""
    return f"{prefix}{int(time.time()):x}{next(_serial):08x}"


def chat(body: Body, rule: Rule | None) -> Reply:
    """POST /v1/chat/completions."""
    before = _conversation(body, "messages", list)
    top = body.get("top_logprobs")
    if top is not None and not body.get("logprobs"):
        raise RefusedError(400, "top_logprobs is allowed only with logprobs: true")
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    schema = _form(body.get("response_format"))
    answers = [
        _spoilt(write(before, _salt(body, i), limit, schema), before, rule)
        for i in range(_choices(body, rule))
    ]
    choices = []
    for index, answer in enumerate(answers):
        refused = answer.finish == "content_filter"
        message = {
            "role": "assistant",
            "content": None if refused else answer.text,
            "refusal": "I cannot help with that." if refused else None,
        }
        given = body.get("logprobs") and not _is(rule, "missing_logprobs")
        logprobs = {"content": _chat_logprobs(answer, top or 0), "refusal": None} if given else None
        choices.append(
            {
                "index": index,
                "message": message,
                "logprobs": logprobs,
                "finish_reason": answer.finish,
            }
        )
    spent = (count_input(body), sum(len(answer.tokens) for answer in answers))
    head = {"id": unique("chatcmpl-"), "object": "chat.completion", "created": int(time.time())}
    tail = {"system_fingerprint": "fp_loopback", "service_tier": "default"}
    return {**head, **tail, **_common(body), "choices": choices, "usage": _usage(*spent)}, *spent


def completion(body: Body, rule: Rule | None) -> Reply:
    """POST /v1/completions, the legacy one."""
    prompts = body.get("prompt")
    prompts = [prompts] if isinstance(prompts, str) else prompts
    if not prompts or not all(isinstance(prompt, str) for prompt in prompts):
        raise RefusedError(
            400, "prompt must be a text or a list of texts (loopback takes no token ids)"
        )
    limit, echo = body.get("max_tokens", 16), body.get("echo", False)
    if limit == 0 and not echo:
        raise RefusedError(400, "max_tokens=0 is allowed only with echo")
    choices, spent = [], 0
    for prompt in prompts:
        for i in range(_choices(body, rule)):
            drawn = write(prompt, _salt(body, i), limit, lead=" ")
            drawn = _spoilt(drawn, prompt, rule)
            spent += len(drawn.tokens)
            logprobs = None
            if body.get("logprobs") is not None and not _is(rule, "missing_logprobs"):
                logprobs = _legacy_logprobs(prompt, drawn, echo, body["logprobs"])
            text = prompt + drawn.text if echo else drawn.text
            choices.append(
                {
                    "index": len(choices),
                    "text": text,
                    "logprobs": logprobs,
                    "finish_reason": drawn.finish,
                }
            )
    tokens = (count_input(body), spent)
    head = {"id": unique("cmpl-"), "object": "text_completion", "created": int(time.time())}
    return {**head, **_common(body), "choices": choices, "usage": _usage(*tokens)}, *tokens


def message(body: Body, rule: Rule | None) -> Reply:
    """POST /v1/messages."""
    before = _conversation(body, "messages", list)
    limit = body.get("max_tokens")
    if not isinstance(limit, int) or limit < 1:
        raise RefusedError(400, "max_tokens: Field required")
    schema = _form((body.get("output_config") or {}).get("format"))
    tool = _forced_tool(body)
    if tool is not None:
        content, finish, out = _tool_call(before, body, tool, rule)
    else:
        answer = _spoilt(write(before, _salt(body, 0), limit, schema), before, rule)
        content = [{"type": "text", "text": answer.text}] if answer.tokens else []
        finish, out = _STOP_REASONS[answer.finish], len(answer.tokens)
    refusal = {"type": "refusal", "category": None, "explanation": None}
    spent = (count_input(body), out)
    return {
        "id": unique("msg_"),
        "type": "message",
        "role": "assistant",
        **_common(body),
        "content": content,
        "stop_reason": finish,
        "stop_sequence": None,
        "stop_details": refusal if finish == "refusal" else None,
        "usage": {
            "input_tokens": spent[0],
            "output_tokens": spent[1],
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "service_tier": "standard",
        },
    }, *spent


ANSWERING: Mapping[str, Callable[[Body, Rule | None], Reply]] = {
    "/v1/chat/completions": chat,
    "/v1/completions": completion,
    "/v1/messages": message,
}
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


def respond(path: str, body: Body, rule: Rule | None) -> Reply:
    """Answer a request to one of the paths of `ANSWERING`; raises RefusedError (400 or 404)."""
    if path not in ANSWERING:
        raise RefusedError(404, f"Invalid URL (POST {path})")
    if not isinstance(body.get("model"), str):
        raise RefusedError(400, "you must provide a model parameter")
    if body.get("stream"):
        raise RefusedError(400, "the loopback server does not stream")
    return ANSWERING[path](body, rule)


def count_input(body: Body) -> int:
    """Return the tokens of a request's texts."""
    texts = [_text(part.get("content")) for part in body.get("messages", ())]
    prompt = body.get("prompt", ())
    texts += [prompt] if isinstance(prompt, str) else prompt
    texts.append(_text(body.get("system")))
    return sum(len(pieces(text)) for text in texts)


def _conversation(body: Body, key: str, kind: type) -> str:
    messages = body.get(key)
    if not isinstance(messages, kind) or not messages:
        raise RefusedError(400, f"{key}: Field required")
    lines = [f"{part.get('role')}: {_text(part.get('content'))}" for part in messages]
    return "\n".join([_text(body.get("system")), *lines, "assistant: "])


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text", "") for part in content)


def _salt(body: Body, index: int) -> tuple[object, ...]:
    if body.get("temperature") == 0:
        return (body["model"],)
    return (body["model"], body.get("seed"), index)


def _choices(body: Body, rule: Rule | None) -> int:
    asked = body.get("n") or 1
    if not isinstance(asked, int) or not 1 <= asked <= 128:
        raise RefusedError(400, f"n={asked} must be from 1 to 128")
    return asked - 1 if _is(rule, "wrong_n") else asked


def _form(form: Any) -> dict[str, Any] | None:
    """Return the schema of OpenAI's `response_format` or Anthropic's `output_config.format`."""
    if not form or form.get("type") == "text":
        return None
    if form.get("type") != "json_schema":
        raise RefusedError(400, f"response format {form.get('type')!r} is not known to loopback")
    schema = form.get("schema") or form.get("json_schema", {}).get("schema")
    if not isinstance(schema, dict):
        raise RefusedError(400, "json_schema needs a schema")
    return schema


def _is(rule: Rule | None, fault: str) -> bool:
    return rule is not None and rule.fault == fault


def _spoilt(answer: Answer, before: str, rule: Rule | None) -> Answer:
    fault = rule.fault if rule is not None else None
    if fault == "invalid_json":
        return say(before, '{"unfinished": [1, 2')
    if fault == "wrong_schema":
        return say(before, json.dumps({"unasked": ["another", "shape"]}))
    if fault == "empty_content":
        return Answer((), (), "stop")
    if fault == "refusal":
        return Answer((), (), "content_filter")
    return answer


def _chat_logprobs(answer: Answer, top: int) -> list[dict[str, Any]]:
    return [
        {
            **_entry(token, logprob),
            "top_logprobs": [_entry(*other) for other in alternatives(token, logprob, top)],
        }
        for token, logprob in zip(answer.tokens, answer.logprobs, strict=True)
    ]


def _entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _legacy_logprobs(prompt: str, drawn: Answer, echo: bool, top: int) -> dict[str, Any]:
    """Return the legacy shape; with echo the prompt comes first and its first token has none."""
    asked = pieces(prompt) if echo else []
    tokens = [*asked, *drawn.tokens]
    logprobs: list[float | None] = [*score("", asked), *drawn.logprobs]
    others = [
        dict(alternatives(token, logprob, top)) if logprob is not None else None
        for token, logprob in zip(tokens, logprobs, strict=True)
    ]
    if asked:
        logprobs[0], others[0] = None, None
    start = 0 if echo else len(prompt)
    offsets = list(itertools.accumulate(map(len, tokens), initial=start))[:-1]
    return {
        "tokens": tokens,
        "token_logprobs": logprobs,
        "top_logprobs": others if top else None,
        "text_offset": offsets,
    }


def _forced_tool(body: Body) -> dict[str, Any] | None:
    choice = body.get("tool_choice") or {}
    tools = {tool["name"]: tool for tool in body.get("tools") or ()}
    if choice.get("type") == "any" and tools:
        return next(iter(tools.values()))
    if choice.get("type") != "tool":
        return None
    if choice.get("name") not in tools:
        raise RefusedError(400, f"tool_choice: tool {choice.get('name')!r} is not among the tools")
    return tools[choice["name"]]


def _tool_call(
    before: str, body: Body, tool: dict[str, Any], rule: Rule | None
) -> tuple[list[dict[str, Any]], str, int]:
    """Return the content, the stop reason and the tokens out of a forced call.

    A call's input is always an object here, so `invalid_json` gives text in place of the call.
    """
    if rule is not None and rule.fault in ("invalid_json", "empty_content", "refusal"):
        answer = _spoilt(Answer((), (), "stop"), before, rule)
        content = [{"type": "text", "text": answer.text}] if answer.tokens else []
        return content, _STOP_REASONS[answer.finish], len(answer.tokens)
    given = instance(tool["input_schema"], draws(before, *_salt(body, 0)))
    if _is(rule, "wrong_schema"):
        given = {"unasked": ["another", "shape"]}
    call = {"type": "tool_use", "id": unique("toolu_"), "name": tool["name"], "input": given}
    return [call], "tool_use", len(pieces(json.dumps(given)))


def _common(body: Body) -> dict[str, Any]:
    return {"model": snapshot(body["model"])}


def _usage(tokens_in: int, tokens_out: int) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
