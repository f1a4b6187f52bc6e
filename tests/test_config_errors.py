"""Overrides that Hydra would not refuse in words, or not at all."""

import pytest

from tuna_exp.config_errors import check_override
from tuna_exp.errors import ConfigError


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+a.b={c: " + "[" * 100_000, "has 100001 brackets within one another; allowed are 50"),
        ("dataset.count=" + "9" * 5_000, "a number of 5000 digits"),
        ("a" * 140_000, "neither a command nor KEY=VALUE"),
        ("plan", "must be the first word"),
    ],
)
def test_what_has_no_end_is_refused_at_once(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        check_override(override, ("plan", "config"))
    assert len(str(refused.value)) < 500


def test_brackets_side_by_side_are_not_deep() -> None:
    check_override("a=[" + "[1]," * 1_000 + "[2]]", ())
