"""Subsets: as large as asked, of every kind in proportion, the same whoever asks."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.errors import ConfigError
from tuna_exp.evaluation.subset import (
    Drawn,
    Subset,
    allotted,
    seed_of,
    stratified,
    whole_size,
)
from tuna_exp.evaluation.verifiable import VerifiableBenchmark
from tuna_exp.records import Instruction

BENCHMARK = VerifiableBenchmark(count=60, seed=1, kinds=None, max_new_tokens=4, batch_size=2)
sizes_of_kinds = st.dictionaries(st.text("abcd", min_size=1), st.integers(1, 400), min_size=1)


def items(**sizes: int) -> list[Instruction]:
    return [
        Instruction(id=f"{kind}-{n}", instruction="Do it.", kind=kind)
        for kind, size in sizes.items()
        for n in range(size)
    ]


def kinds(chosen: list[Instruction]) -> Counter[str]:
    return Counter(item.kind for item in chosen)


@given(sizes_of_kinds, st.data())
def test_shares_are_proportional_and_leave_no_kind_out(
    sizes: dict[str, int], data: st.DataObject
) -> None:
    """They add up, fit, and differ by less than 1 from proportion but where a kind was given 1."""
    total = sum(sizes.values())
    limit = data.draw(st.integers(1, total))
    shares = allotted(sizes, limit)
    assert sum(shares.values()) == limit
    assert all(0 <= shares[kind] <= size for kind, size in sizes.items())
    if limit >= len(sizes):
        assert min(shares.values()) >= 1
        quotas = {kind: limit * size / total for kind, size in sizes.items()}
        assert all(shares[k] < quota + 1 for k, quota in quotas.items())
        if min(quotas.values()) >= 1:
            assert all(shares[k] > quota - 1 for k, quota in quotas.items())


def test_shares_by_hand() -> None:
    """10 of 100: quotas 7.0, 2.95, 0.05; rounded down 7, 2 and 1 for the last, which is 10.

    2 of three kinds: the two largest get 1 each.
    """
    sizes = {"a": 140, "b": 59, "c": 1}
    assert allotted(sizes, 10) == {"a": 7, "b": 2, "c": 1}
    assert allotted(sizes, 2) == {"a": 1, "b": 1, "c": 0}
    assert allotted(sizes, 200) == sizes


def test_a_subset_has_every_kind_in_the_order_of_the_benchmark() -> None:
    whole = items(a=70, b=29, c=1)
    chosen = stratified(whole, 10)
    assert kinds(chosen) == {"a": 7, "b": 2, "c": 1}
    assert chosen == [item for item in whole if item in chosen]
    assert chosen[:7] != whole[:7]  # drawn, not the first


@given(st.permutations(range(30)))
def test_a_subset_does_not_depend_on_the_order_of_items(order: list[int]) -> None:
    whole = items(a=20, b=10)
    chosen = {item.id for item in stratified([whole[i] for i in order], 6)}
    assert chosen == {item.id for item in stratified(whole, 6)}


def test_a_larger_subset_keeps_what_a_smaller_one_took() -> None:
    whole = items(a=50)
    few, more = stratified(whole, 5), stratified(whole, 20)
    assert all(item in more for item in few)


def test_a_subset_is_another_benchmark_unless_it_is_all() -> None:
    part, whole = Subset(BENCHMARK, 20), Subset(BENCHMARK, None)
    assert len(part.items()) == 20 and (part.of, whole_size(part)) == (60, 60)
    assert part.items() == Subset(replace(BENCHMARK), 20).items()
    assert whole.items() == BENCHMARK.items() and whole.digest() == BENCHMARK.digest()
    assert part.digest() != whole.digest() != Subset(BENCHMARK, 19).digest()
    assert Subset(BENCHMARK, 60).digest() == Subset(BENCHMARK, 99).digest() == whole.digest()


def test_drawn_answers_are_another_benchmark_and_greedy_ones_are_not() -> None:
    """A temperature of 0 is what the benchmark says anyway; a seed decides drawn answers only."""
    whole, hot = Subset(BENCHMARK, None), Subset(BENCHMARK, None, Drawn(temperature=0.7, seed=3))
    assert hot.decoding() == replace(BENCHMARK.decoding(), temperature=0.7)
    assert (seed_of(hot), seed_of(whole), seed_of(BENCHMARK)) == (3, 0, 0)
    assert hot.digest()["drawn"] == vars(Drawn(0.7, None, None, 3))
    assert Subset(BENCHMARK, None, Drawn(0.0, seed=3)).digest() == whole.digest()
    with pytest.raises(ConfigError, match="decoding.top_p=2"):
        Subset(BENCHMARK, None, Drawn(top_p=2)).decoding()


@pytest.mark.parametrize("limit", [60, 61])
def test_a_limit_beyond_the_items_takes_all(limit: int) -> None:
    assert Subset(BENCHMARK, limit).items() == BENCHMARK.items()
