"""How a step is split: all of it, in as many parts as asked, of like cost."""

from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.batching.split import Size, filled, like_sizes, split

LENGTHS = st.lists(st.integers(1, 400), min_size=8, max_size=40)


def packed(lengths: list[int]) -> list[Size]:
    return [Size(1, length, padded=False) for length in lengths]


@pytest.mark.parametrize("padded", [False, True])
@given(lengths=LENGTHS, accumulate=st.integers(1, 4), devices=st.integers(1, 2))
def test_every_example_is_in_one_part(
    padded: bool, lengths: list[int], accumulate: int, devices: int
) -> None:
    sizes = [Size(2 if padded else 1, length, padded) for length in lengths]
    step = list(range(len(lengths)))
    made = split(step, sizes, accumulate, devices)
    assert [len(parts) for parts in made] == [accumulate] * devices
    assert all(part for parts in made for part in parts)
    assert sorted(i for parts in made for part in parts for i in part) == step


def test_the_largest_part_is_as_small_as_can_be() -> None:
    """2, 3, 4, 5, 6 in two runs: (2 3 4 | 5 6) has 11 as its most, (2 3 4 5 | 6) would have 14.

    Padded, 3 rows of 4 and 2 of 6 are 12 places, 4 of 5 and 1 of 6 would be 20.
    """
    lengths = [6, 2, 5, 3, 4]
    for padded in (False, True):
        sizes = [Size(1, length, padded) for length in lengths]
        assert like_sizes(range(5), sizes, 2) == [[1, 3, 4], [2, 0]]


@pytest.mark.parametrize("seed", range(20))
def test_devices_get_the_same_positions_to_5_percent(seed: int) -> None:
    """32 examples of 150 to 600 tokens on 4 devices, as Alpaca with four responses has them."""
    random = Random(seed)
    lengths = [random.randint(150, 600) for _ in range(32)]
    shares = split(range(32), packed(lengths), 2, 4)
    totals = [sum(lengths[i] for part in parts for i in part) for parts in shares]
    assert max(totals) <= 1.05 * median(totals) and min(totals) >= 0.95 * median(totals)


@given(lengths=LENGTHS, budget=st.integers(1, 900))
def test_runs_are_filled_up_to_the_budget(lengths: list[int], budget: int) -> None:
    runs = filled(range(len(lengths)), packed(lengths), budget)
    totals = [sum(lengths[i] for i in run) for run in runs]
    assert all(t <= budget or len(r) == 1 for t, r in zip(totals, runs, strict=True))
    assert all(t + lengths[r[0]] > budget for t, r in zip(totals, runs[1:], strict=False))
