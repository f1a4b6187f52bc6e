"""The three wire formats: what is posted for a question, and how a reply is read.

OpenAI's chat and legacy completions, which most servers speak, and Anthropic's messages. Only what
ranking needs: text in, texts and log-probabilities out. Left out: images, tools of the user's own,
streaming (an answer counts when it is whole).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tuna_exp.records import FinishReason
from tuna_exp.services.requests import Choice, Reply, ReplyError, Taken, Wire

if TYPE_CHECKING:  # a courier needs no torch, which takes seconds to import
    from tuna_exp.llms.base import Form
    from tuna_exp.llms.decoding import Decoding

ENDED: Mapping[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "refusal",
    "refusal": "refusal",
}
READ = ("messages", "prompt", "system", "response_format", "output_config")  # counts as input
# What reading a reply of another shape raises; a number may also be too large for an int.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
# Bytes around a text that a service may add as its chat template, in tokens at most.
TEMPLATE_TOKENS = 64


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: str
    text: str


@dataclass(frozen=True)
class Question:
    """A conversation and how it is to be answered; `seed` None leaves chance to the service.

    `parameters` are put into what is posted last; None takes one out.
    """

    turns: Sequence[Turn]
    decoding: "Decoding"
    seed: int | None
    logprobs: bool
    form: "Form | None"
    parameters: Mapping[str, Any]


class WireFormat(Protocol):
    """One wire format."""

    url: str

    def body(self, model: str, question: Question) -> dict[str, Any]:
        """Return what is posted."""

    def read(self, raw: str) -> Reply:
        """Read a reply. Raises ReplyError where it is no answer."""


class OpenAIChat:
    """`/chat/completions` of OpenAI, vLLM, llama.cpp and many more."""

    url = "/v1/chat/completions"

    def body(self, model: str, question: Question) -> dict[str, Any]:
        """Return what is posted."""
        decoding = question.decoding
        body = {
            "model": model,
            "messages": [{"role": t.role, "content": t.text} for t in question.turns],
            "n": decoding.responses,
            "max_completion_tokens": decoding.max_new_tokens,
            **drawn(decoding),
            "seed": question.seed,
            "logprobs": True if question.logprobs else None,
            "response_format": None if question.form is None else openai_form(question.form),
        }
        return given(body | dict(question.parameters))

    def read(self, raw: str) -> Reply:
        """Read a reply. Raises ReplyError where it is no answer."""
        return openai_reply(raw, self._choice)

    def _choice(self, choice: Mapping[str, Any]) -> Choice:
        message = choice["message"]
        refusal = message.get("refusal")
        text = refusal or message.get("content") or ""
        known = (choice.get("logprobs") or {}).get("content")
        logps = None if known is None else tuple(float(token["logprob"]) for token in known)
        return Choice(
            text_of(text), logps, "refusal" if refusal else finish(choice["finish_reason"])
        )


class OpenAICompletions:
    """`/completions`, OpenAI's legacy form: one text goes on from another."""

    url = "/v1/completions"

    def body(self, model: str, question: Question) -> dict[str, Any]:
        """Return what is posted."""
        decoding = question.decoding
        body = {
            "model": model,
            "prompt": "".join(turn.text for turn in question.turns),
            "n": decoding.responses,
            "max_tokens": decoding.max_new_tokens,
            **drawn(decoding),
            "seed": question.seed,
            "logprobs": 1 if question.logprobs else None,
        }
        return given(body | dict(question.parameters))

    def read(self, raw: str) -> Reply:
        """Read a reply. Raises ReplyError where it is no answer."""
        return openai_reply(raw, self._choice)

    def _choice(self, choice: Mapping[str, Any]) -> Choice:
        told = choice.get("logprobs") or {}
        known = told.get("token_logprobs")
        if known is None and told.get("content") is not None:  # llama.cpp has it as in a chat
            known = [token["logprob"] for token in told["content"]]
        # The first token of an echo follows nothing, and has none.
        logps = None if known is None else tuple(float(p) for p in known if p is not None)
        return Choice(text_of(choice["text"]), logps, finish(choice["finish_reason"]))


class AnthropicMessages:
    """`/v1/messages`: one answer per request, no seed, no log-probabilities."""

    url = "/v1/messages"

    def body(self, model: str, question: Question) -> dict[str, Any]:
        """Return what is posted; the number of responses is asked for one by one."""
        turns = [{"role": t.role, "content": t.text} for t in question.turns if t.role != "system"]
        system = "\n\n".join(t.text for t in question.turns if t.role == "system")
        form = question.form
        body = {
            "model": model,
            "messages": turns,
            "system": system or None,
            "max_tokens": question.decoding.max_new_tokens,
            **drawn(question.decoding),
            "output_config": None if form is None else anthropic_form(form),
        }
        return given(body | dict(question.parameters))

    def read(self, raw: str) -> Reply:
        """Read a reply. Raises ReplyError where it is no answer."""
        reply = parsed(raw)
        try:
            text = "".join(b["text"] for b in reply["content"] if b["type"] == "text")
            choice = Choice(text, None, finish(reply["stop_reason"]))
            used = reply["usage"]
            cached = int(used.get("cache_read_input_tokens") or 0)
            written = int(used.get("cache_creation_input_tokens") or 0)
            # Unlike OpenAI's, input_tokens leaves out what the cache has read or written.
            read = int(used["input_tokens"]) + cached + written
            taken = Taken(read, cached, int(used["output_tokens"]))
            return Reply((choice,), str(reply.get("model", "")), taken)
        except UNREADABLE as error:
            raise unreadable(raw, error) from error


WIRES: Mapping[Wire, WireFormat] = {
    "openai_chat": OpenAIChat(),
    "openai_completions": OpenAICompletions(),
    "anthropic_messages": AnthropicMessages(),
}


def drawn(decoding: "Decoding") -> dict[str, Any]:
    """Return how tokens are drawn; what is at its neutral value is left to the service."""
    return {
        "temperature": decoding.temperature,
        "top_p": None if decoding.top_p == 1 else decoding.top_p,
        "top_k": decoding.top_k or None,
    }


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body without the names that have no value."""
    return {name: value for name, value in body.items() if value is not None}


def openai_form(form: "Form") -> dict[str, Any]:
    """Return the response_format of a form."""
    schema = {"name": form.name, "strict": True, "schema": form.schema}
    return {"type": "json_schema", "json_schema": schema}


def anthropic_form(form: "Form") -> dict[str, Any]:
    """Return the output_config of a form."""
    return {"format": {"type": "json_schema", "schema": form.schema}}


def text_of(value: object) -> str:
    """Return an answer's text. Raises TypeError where it is none."""
    if not isinstance(value, str):
        raise TypeError(f"its text is a {type(value).__name__}")
    return value


def finish(reason: str | None) -> FinishReason:
    """Return why an answer ended, in our words."""
    return ENDED.get(reason or "", "stop")


def openai_reply(raw: str, read: Callable[[Mapping[str, Any]], Choice]) -> Reply:
    """Read a reply in OpenAI's shape, each choice with `read`. Raises ReplyError."""
    reply = parsed(raw)
    try:
        choices = tuple(map(read, reply["choices"]))
        return Reply(choices, str(reply.get("model", "")), openai_taken(reply))
    except UNREADABLE as error:
        raise unreadable(raw, error) from error


def openai_taken(reply: Mapping[str, Any]) -> Taken:
    """Read the usage of an OpenAI reply; a server that gives none counts as nothing taken."""
    used = reply.get("usage") or {}
    cached = int((used.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
    return Taken(
        int(used.get("prompt_tokens") or 0), cached, int(used.get("completion_tokens") or 0)
    )


def parsed(raw: str) -> dict[str, Any]:
    """Read a JSON object. Raises ReplyError."""
    try:
        reply = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise unreadable(raw, error) from error
    if not isinstance(reply, dict):
        raise unreadable(raw, TypeError(f"it is a {type(reply).__name__}"))
    return reply


def unreadable(raw: str, error: Exception) -> ReplyError:
    """Return the error for a reply that is no answer."""
    return ReplyError(
        f"a reply cannot be read ({type(error).__name__}: {str(error)[:100]}): {raw[:200]!r}. "
        "Cure: check that the service speaks the wire format it was asked in."
    )


def token_bound(body: Mapping[str, Any]) -> Taken:
    """Return the most tokens that a body can take: no token is shorter than a byte.

    What it may generate is stated in it; the numbers of a chat template are added.
    """
    parts = [body[name] for name in READ if name in body]
    read = sum(len(json.dumps(part, ensure_ascii=False).encode()) for part in parts)
    longest = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    return Taken(read + TEMPLATE_TOKENS, 0, int(longest) * int(body.get("n") or 1))
