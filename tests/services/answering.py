"""An answer and its bill, for requests asked directly and for rows of batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.services.faults import Faults, Rule
from tests.services.ledger import Bill, Ledger, digest_of
from tests.services.protocols import respond


@dataclass(frozen=True)
class Prices:
    """US dollars per token, and the share of it that a batch's tokens cost."""

    per_token_in: float
    per_token_out: float
    share_in_batches: float

    def usd(self, tokens_in: int, tokens_out: int, batch: bool) -> float:
        """Return what an answer costs."""
        whole = self.per_token_in * tokens_in + self.per_token_out * tokens_out
        return whole * (self.share_in_batches if batch else 1)


@dataclass
class Answerer:
    """What all handlers share: the ledger, the prices and the faults (which change at run time)."""

    ledger: Ledger
    prices: Prices
    faults: Faults

    def answer(
        self,
        path: str,
        body: Mapping[str, Any],
        rule: Rule | None,
        batch: str | None = None,
        custom_id: str | None = None,
    ) -> dict[str, Any]:
        """Return an answer's body after it was charged; raises RefusedError, uncharged."""
        reply, tokens_in, tokens_out = respond(path, body, rule)
        usd = self.prices.usd(tokens_in, tokens_out, batch is not None)
        digest = digest_of(path, body)
        self.ledger.charge(Bill(path, digest, tokens_in, tokens_out, usd, batch, custom_id))
        return reply
