"""What is asked of a service and what it replies, as the ledger keeps them.

A request is exactly what is posted, and its key covers all of it: what is not in the key cannot
decide the answer. A reply is kept as the service sent it and read anew each time, so that a better
reading never costs a second purchase.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tuna_exp.errors import UserError
from tuna_exp.records import FinishReason

Wire = Literal["openai_chat", "openai_completions", "anthropic_messages"]


class ServiceError(UserError):
    """A service cannot be used as it was asked to: a bad key, a bad request, an unknown model."""


class BudgetError(UserError):
    """The next request could cost more than what is left of a budget."""


class ReplyError(UserError):
    """A service replied with something that cannot be read as an answer."""


@dataclass(frozen=True)
class Request:
    """One request: where it goes, what is posted there, and which asking of it this is.

    `service` is the base URL. `part` tells askings apart that a service cannot tell apart by
    itself, for want of a seed: the same part gets the same answer from the ledger.
    """

    service: str
    wire: Wire
    body: Mapping[str, Any]
    part: str = ""

    @cached_property
    def key(self) -> str:
        """64 hex digits that stand for everything which determines the answer."""
        decisive = [self.service, self.wire, self.body, self.part]
        text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Taken:
    """Tokens that a request took: read in all, of them from the service's cache, and generated."""

    read: int
    cached: int
    generated: int


@dataclass(frozen=True)
class Choice:
    """One answer of a reply; `logps` in nats, None where the service gave none."""

    text: str
    logps: tuple[float, ...] | None
    finish_reason: FinishReason


@dataclass(frozen=True)
class Reply:
    """A reply as it was read: its answers, the model snapshot it names and the tokens it took."""

    choices: tuple[Choice, ...]
    model: str
    taken: Taken
