"""Merge insertion: put items in order with as few comparisons as are known to do.

Ford and Johnson, "A tournament problem", 1959; Knuth, The Art of Computer Programming, 5.3.1. At
most sum over k = 1..n of ceil(log2(3k / 4)) comparisons: 5 of 6 pairs for 4 items, 22 of 45 for 10.
Items may tie: they share a level from then on and one of them is compared for all.
"""

from collections.abc import Generator
from math import ceil, log2

Levels = list[list[int]]
# Yields a pair to compare and is sent 1 (the first is better), -1 or 0; returns levels, best first.
Sorting = Generator[tuple[int, int], int, Levels]
_NOBODY = -1


def most_comparisons(count: int) -> int:
    """Return how many comparisons `count` items need at most."""
    return sum(ceil(log2(3 * k / 4)) for k in range(1, count + 1))


def merge_insertion(items: list[int]) -> Sorting:
    """Sort the items into levels; see `Sorting` for how it asks."""
    if len(items) < 2:
        return [[item] for item in items]
    loser_of: dict[int, int] = {}
    ties: dict[int, int] = {}
    winners: list[int] = []
    for a, b in zip(items[::2], items[1::2], strict=False):
        said = yield a, b
        best, other = (b, a) if said < 0 else (a, b)
        winners.append(best)
        (loser_of if said else ties)[best] = other
    chain = yield from merge_insertion(winners)
    # The odd one out has no winner above it.
    loser_of |= {_NOBODY: items[-1]} if len(items) % 2 else {}
    worst_first = [w for level in reversed(chain) for w in level] + [_NOBODY] * (len(items) % 2)
    for winner in _insertion_order(worst_first):
        if winner in loser_of:
            yield from _insert(chain, loser_of[winner], _level_below(chain, winner))
    return [[x for item in level for x in _tied(item, ties)] for level in chain]


def _level_below(chain: Levels, winner: int) -> int:
    return 1 + next((i for i, level in enumerate(chain) if winner in level), -1)


def _tied(item: int, ties: dict[int, int]) -> list[int]:
    return [item, ties[item]] if item in ties else [item]


def _insertion_order(winners: list[int]) -> list[int]:
    """Return winners, worst first, in the order in which their losers go in.

    The groups end at 1, 3, 5, 11, 21, ... (Jacobsthal numbers) and each goes in backwards, so that
    a binary search always has 2^k - 1 places or fewer to look through.
    """
    order, done, end, before = [], 0, 1, 1
    while done < len(winners):
        order += winners[done:end][::-1]
        done, end, before = end, end + 2 * before, end
    return order


def _insert(chain: Levels, item: int, start: int) -> Generator[tuple[int, int], int, None]:
    """Put an item into the chain at level `start` or below it."""
    low, high = start, len(chain)
    while low < high:
        middle = (low + high) // 2
        said = yield item, chain[middle][0]
        if said == 0:
            chain[middle].append(item)
            return
        low, high = (low, middle) if said > 0 else (middle + 1, high)
    chain.insert(low, [item])
