"""Prices: the table's and the user's own."""

import pytest

from tuna_exp.errors import ConfigError
from tuna_exp.services.prices import Price
from tuna_exp.services.requests import Taken


def test_own_price() -> None:
    """(800 x $1 + 200 cached x $0.5 + 100 x $4) / 10^6 = $0.0013; a batch costs half."""
    price = Price(None, "mine", 1.0, 4.0, 0.5)
    assert price.usd(Taken(1000, 200, 100)) == pytest.approx(0.0013)
    assert price.usd(Taken(1000, 200, 100), batch=True) == pytest.approx(0.00065)
    assert not price.is_free and Price(None, "mine", 0.0, 0.0, None).is_free


@pytest.mark.parametrize(
    ("vendor", "model"), [("openai", "gpt-4.1-mini"), ("anthropic", "claude-sonnet-4-5")]
)
def test_the_table_knows_the_vendors(vendor: str, model: str) -> None:
    """What is generated costs more than what is read, and what was cached less."""
    price = Price(vendor, model, None, None, None)
    read, cached = price.usd(Taken(1000, 0, 0)), price.usd(Taken(1000, 1000, 0))
    assert 0 < cached < read < price.usd(Taken(0, 0, 1000))


def test_an_unknown_model_is_told() -> None:
    with pytest.raises(ConfigError, match=r"price of no-such.* price\.read"):
        Price("openai", "no-such", None, None, None).check()
