"""What goes wrong by plan, and the shapes in which both vendors say so.

A plan is a list of rules; the first that applies decides. Whether a rule with a share applies
depends on the seed, the rule's place, the request and how often it was asked before, so it does
not depend on the order in which parallel requests come in, and a retry is a new draw.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tests.services.answers import number

Wire = Literal[
    "400", "401", "403", "404", "429", "500", "503", "529", "hang", "slow", "cut", "garbage"
]
Spoilt = Literal[
    "invalid_json", "wrong_schema", "empty_content", "refusal", "missing_logprobs", "wrong_n"
]
Row = Literal["duplicate_rows", "missing_rows", "errored_rows", "expired_rows"]
Whole = Literal["expired_batch", "failed_batch", "create_then_drop"]
WIRE, SPOILT, ROW, WHOLE = (frozenset(get_args(kind)) for kind in (Wire, Spoilt, Row, Whole))


class Rule(BaseModel):
    """One fault and when it strikes: all conditions that are given must hold.

    `share` of the requests (rows, batches), the `first` k of them only, those whose body holds
    `match`, those whose path holds `path`. `retry_after` is the header of a 429, 503 or 529
    (seconds), absent when None; `seconds` is how long `slow` waits; `code` replaces the vendor's
    usual one (OpenAI); `status` is that of `errored_rows`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    fault: Wire | Spoilt | Row | Whole
    share: float = Field(1.0, ge=0, le=1)
    first: int | None = Field(None, ge=0)
    match: str = ""
    path: str = ""
    retry_after: float | None = None
    seconds: float = 1.0
    code: str | None = None
    status: int = 500


PLAN = TypeAdapter(list[Rule])


class Faults:
    """A plan with its memory of what was asked and what has struck."""

    def __init__(self, rules: Sequence[Rule], seed: int) -> None:
        self.rules = tuple(rules)
        self.seed = seed
        self.struck: Counter[int] = Counter()
        self._asked: Counter[tuple[int, str]] = Counter()

    def strike(self, kinds: Iterable[str], path: str, digest: str, body: str) -> Rule | None:
        """Return the first rule of the kinds that applies to a request, and remember it did."""
        for place, rule in enumerate(self.rules):
            if rule.fault in kinds and self._applies(place, rule, path, digest, body):
                self.struck[place] += 1
                return rule
        return None

    def told(self) -> list[dict[str, Any]]:
        """Return the rules with how often each has struck."""
        return [
            {**rule.model_dump(exclude_defaults=True), "struck": self.struck[place]}
            for place, rule in enumerate(self.rules)
        ]

    def _applies(self, place: int, rule: Rule, path: str, digest: str, body: str) -> bool:
        if rule.path not in path or rule.match not in body:
            return False
        if rule.first is not None and self.struck[place] >= rule.first:
            return False
        turn = self._asked[place, digest]
        self._asked[place, digest] += 1
        return number(self.seed, place, digest, turn) < rule.share * 2**64


class RefusedError(Exception):
    """A request that is answered with an error status; the message is for the client."""

    def __init__(
        self, status: int, message: str, code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_OPENAI_TYPES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("request_forbidden", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


def error_body(anthropic: bool, failure: RefusedError, request_id: str) -> dict[str, Any]:
    """Return the body with which a vendor answers a failed request."""
    if anthropic:
        kind = _ANTHROPIC_TYPES.get(failure.status, "api_error")
        error = {"type": kind, "message": str(failure)}
        return {"type": "error", "error": error, "request_id": request_id}
    kind, code = _OPENAI_TYPES.get(failure.status, ("server_error", None))
    if failure.code is not None:
        kind, code = (failure.code if failure.status == 429 else kind), failure.code
    return {"error": {"message": str(failure), "type": kind, "param": None, "code": code}}
