"""How many devices a setting asks for, as Lightning reads it."""

import pytest

from tuna_exp.parallel.launched import device_count


@pytest.mark.parametrize(
    "devices, count",
    [(2, 2), ("2", 2), ("0,2", 2), ([0, 1, 3], 3), (-1, None), ("-1", None), ("auto", None)],
)
def test_devices_are_counted_where_they_are_told(devices: object, count: int | None) -> None:
    assert device_count(devices) == count
