"""Where a service is, how it may be used, and the SDK's client that speaks to it.

Every attempt is one call of the SDK, with its own retries turned off: an attempt needs a
reservation of its own, and Anthropic's SDK would sleep through any Retry-After. The key is read
from the environment by the process that sends, and is part of nothing that is written.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tuna_exp.errors import ConfigError, in_short
from tuna_exp.services.prices import Price
from tuna_exp.services.requests import Wire

Transport = Literal["sync", "batch"]
NO_KEY = "none"  # for servers of one's own that want no key; the SDKs insist on one


@dataclass(frozen=True)
class Endpoint:
    """A service.

    `base_url` as its SDK takes it, without "/v1"; `key_variable` is the environment variable that
    holds the key, None where no key is wanted. At most `concurrency` requests are under way, and at
    most so many `requests_per_minute` and `tokens_per_minute` (None: no limit of ours). An attempt
    may take `timeout_seconds`; a Retry-After counts up to `longest_wait_seconds`; a service that is
    overloaded is waited for `patience_minutes`. A batch is asked after every `poll_seconds`.
    """

    wire: Wire
    base_url: str
    model: str
    key_variable: str | None
    price: Price
    transport: Transport
    concurrency: int
    requests_per_minute: int | None
    tokens_per_minute: int | None
    timeout_seconds: float
    longest_wait_seconds: float
    patience_minutes: float
    poll_seconds: float

    def check(self) -> None:
        """Raise ConfigError where the key is not there or the price is not known."""
        if self.transport == "batch" and self.wire == "openai_completions":
            raise ConfigError(
                "transport=batch takes chats and messages, not legacy completions. Cure: "
                "transport=sync, or a chat model (teacher=openai)."
            )
        if self.key_variable is not None and not os.environ.get(self.key_variable):
            raise ConfigError(
                f"the environment variable {self.key_variable} is not set; it holds the key for "
                f"{self.base_url}. Cure: export {self.key_variable}=..., or another name with "
                "endpoint.key_variable= (null: no key)."
            )
        self.price.check()

    @property
    def key(self) -> str:
        """The key; never write it anywhere."""
        return os.environ.get(self.key_variable, "") if self.key_variable else NO_KEY

    def client(self) -> Any:
        """Return the SDK's asynchronous client, to be used in an `async with`."""
        settings: Mapping[str, Any] = {
            "api_key": self.key,
            "base_url": self.base_url,
            "max_retries": 0,
            "timeout": self.timeout_seconds,
        }
        if self.wire == "anthropic_messages":
            from anthropic import AsyncAnthropic

            return AsyncAnthropic(**settings)
        from openai import AsyncOpenAI

        return AsyncOpenAI(**{**settings, "base_url": f"{self.base_url.rstrip('/')}/v1"})


@dataclass(frozen=True)
class Failure:
    """Why an attempt brought no answer.

    `kind` is "stop" where asking again is useless for every request, "wait" where the service is
    overloaded or out of reach. `charged` says whether the attempt may have been charged for,
    `seconds` how long the service asked to wait.
    """

    kind: Literal["stop", "wait"]
    words: str
    charged: bool
    seconds: float | None = None


# Of these the request is at fault or the account; anything else may pass by itself.
_LASTING = frozenset({400, 401, 402, 403, 404, 405, 410, 413, 415, 422})
_CURES: Mapping[int, str] = {
    401: "check the key in {variable}",
    402: "check the account's credit",
    403: "check what the key in {variable} may do",
    404: "check endpoint.model and endpoint.base_url",
    413: "fewer or shorter examples in the prompt",
}
_NO_CREDIT = "insufficient_quota"


def failure(error: Exception, endpoint: Endpoint) -> Failure:
    """Sort an SDK's error."""
    status = getattr(error, "status_code", None)
    words = in_short(error)
    if endpoint.key_variable and endpoint.key:
        words = words.replace(endpoint.key, "KEY")
    if status is None and not _is_of_the_line(error):
        told = f"a request could not be made: {type(error).__name__}: {words}"
        return Failure("stop", told, charged=True)
    if status is None:
        # What was never sent cannot have been charged; httpx says so by the error underneath.
        cause = type(error.__cause__).__name__
        never_sent = cause in ("ConnectError", "ConnectTimeout", "PoolTimeout")
        return Failure("wait", f"{type(error).__name__}: {words}", charged=not never_sent)
    no_credit = _NO_CREDIT in str(getattr(error, "body", ""))
    if status in _LASTING or no_credit:
        cure = _CURES.get(402 if no_credit else status, "correct the request's settings")
        cure = cure.format(variable=endpoint.key_variable or "endpoint.key_variable")
        told = f"{endpoint.base_url} refused model {endpoint.model} with status {status}: {words}"
        return Failure("stop", f"{told}. Cure: {cure}.", charged=False)
    return Failure("wait", f"status {status}: {words}", charged=False, seconds=asked_wait(error))


def _is_of_the_line(error: Exception) -> bool:
    """Whether both SDKs would call it a failure of the connection, a timeout included."""
    return any(kind.__name__ == "APIConnectionError" for kind in type(error).__mro__)


def asked_wait(error: Exception) -> float | None:
    """Return the seconds that a service asked to wait for, or None."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(float(headers[name]) / scale, 0.0)
        except (KeyError, ValueError):
            continue
    return None


async def send(client: Any, wire: Wire, body: Mapping[str, Any]) -> str:
    """Post a body with the SDK and return the reply as it was sent, unread."""
    if wire == "anthropic_messages":
        create = client.messages.with_raw_response.create
        known = {n: body[n] for n in ("model", "messages", "max_tokens")}
    elif wire == "openai_chat":
        create = client.chat.completions.with_raw_response.create
        known = {n: body[n] for n in ("model", "messages")}
    else:
        create = client.completions.with_raw_response.create
        known = {n: body[n] for n in ("model", "prompt")}
    # The SDK's arguments come and go (Anthropic's has no temperature any more); what is posted
    # is ours to say.
    rest = {name: value for name, value in body.items() if name not in known}
    reply = await create(**known, extra_body=rest)
    text = reply.http_response.text
    return str(text)
