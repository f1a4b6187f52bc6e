"""What a request costs: prices of a maintained table, or the user's own.

The table is that of `genai-prices`, which its authors keep up with the vendors' pages. Both vendors
take half for a batch. Left out: a surcharge for writing to a prompt cache, which nothing here asks
for.
"""

from dataclasses import dataclass
from functools import cached_property

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from tuna_exp.errors import ConfigError
from tuna_exp.services.requests import Taken

BATCH_DISCOUNT = 0.5
MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens; None for both takes the table's price for the model.

    `vendor` is the table's name for who sells the model, `cached_read` the price of tokens that the
    service had in its cache (None: that of other tokens).
    """

    vendor: str | None
    model: str
    read: float | None
    generated: float | None
    cached_read: float | None

    def check(self) -> None:
        """Raise ConfigError where nobody knows the price."""
        self.usd(Taken(1, 0, 1))

    def usd(self, taken: Taken, batch: bool = False) -> float:
        """Return what tokens cost, in dollars."""
        return self._undiscounted(taken) * (BATCH_DISCOUNT if batch else 1.0)

    def _undiscounted(self, taken: Taken) -> float:
        if self.read is None or self.generated is None:
            return self._from_table(taken)
        cached = self.read if self.cached_read is None else self.cached_read
        fresh = taken.read - taken.cached
        paid = fresh * self.read + taken.cached * cached + taken.generated * self.generated
        return paid / MILLION

    def _from_table(self, taken: Taken) -> float:
        usage = PricedUsage(
            input_tokens=taken.read, cache_read_tokens=taken.cached, output_tokens=taken.generated
        )
        try:
            priced = calc_price(usage, model_ref=self.model, provider_id=self.vendor)
        except LookupError as error:
            raise ConfigError(
                f"the price of {self.model} is not known ({error}), so nothing can be estimated or "
                "capped. Cure: give it in dollars per million tokens, price.read=... "
                "price.generated=..., 0 for a server of your own."
            ) from error
        return float(priced.total_price)

    @cached_property
    def is_free(self) -> bool:
        """Whether nothing is paid, as for a server of one's own."""
        return self.usd(Taken(MILLION, 0, MILLION)) == 0
