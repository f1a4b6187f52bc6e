"""Merge insertion: sorted, ties found, and no more comparisons than Ford and Johnson need."""

from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.rankers.sorting import Levels, merge_insertion, most_comparisons


def run(count: int, compare: object) -> tuple[Levels, int]:
    """Sort range(count) by `compare(a, b)` and count the comparisons."""
    sorting, asked = merge_insertion(list(range(count))), 0
    try:
        pair = next(sorting)
        while True:
            asked += 1
            pair = sorting.send(compare(*pair))  # type: ignore[operator]
    except StopIteration as done:
        return done.value, asked


def test_how_many_comparisons_are_needed() -> None:
    """Knuth's table: 0, 1, 3, 5, 7, 10, 13, 16, 19, 22 for 1 to 10 items."""
    counts = [most_comparisons(n) for n in range(1, 11)]
    assert counts == [0, 1, 3, 5, 7, 10, 13, 16, 19, 22]


@given(st.permutations(range(12)), st.integers(1, 12))
def test_items_are_sorted(values: list[int], count: int) -> None:
    levels, asked = run(count, lambda a, b: (values[a] > values[b]) - (values[a] < values[b]))
    assert levels == [[i] for i in sorted(range(count), key=lambda i: -values[i])]
    assert asked <= most_comparisons(count)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_equal_items_share_a_level(values: list[int]) -> None:
    count = len(values)
    levels, asked = run(count, lambda a, b: (values[a] > values[b]) - (values[a] < values[b]))
    assert [sorted(level) for level in levels] == [
        [i for i in range(count) if values[i] == value] for value in sorted(set(values))[::-1]
    ]
    assert asked <= most_comparisons(count)


@given(st.integers(1, 14), st.randoms(use_true_random=False))
def test_a_comparison_without_sense_still_ends(count: int, random: object) -> None:
    levels, asked = run(count, lambda a, b: random.choice([-1, 0, 1]))  # type: ignore[attr-defined]
    assert sorted(x for level in levels for x in level) == list(range(count))
    assert asked <= most_comparisons(count)
