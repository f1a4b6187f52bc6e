"""How an optimizer step is split into micro-batches of like cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

EVEN = 0.02  # devices that differ by no more than this share of their positions are left alone


@dataclass(frozen=True)
class Size:
    """What examples take in a layout: so many rows, the longest of so many places.

    Examples of a packed row share it: their lengths add up where `padded` is false.
    """

    rows: int
    longest: int
    padded: bool

    @property
    def positions(self) -> int:
        """Places of a forward pass, padding included."""
        return self.rows * self.longest

    @classmethod
    def of(cls, sizes: Iterable["Size"]) -> "Size":
        """Return what examples take together in one micro-batch."""
        some = list(sizes)
        if some[0].padded:
            return cls(sum(s.rows for s in some), max(s.longest for s in some), True)
        return cls(1, sum(s.longest for s in some), False)


def split(
    step: Sequence[int], sizes: Sequence[Size], accumulate: int, devices: int
) -> list[list[list[int]]]:
    """Split a step into `accumulate` micro-batches for each device: device, micro-batch, example.

    Examples of like length go together, which wastes least where they are padded to one another.
    Several devices wait for the slowest, so they are first given equal positions. Where there are
    fewer examples than micro-batches, some of these are empty.
    """
    if len(step) < accumulate * devices:
        return thinly(step, sizes, accumulate, devices)
    shares = equal_shares(step, sizes, devices, accumulate)
    return [like_sizes(share, sizes, accumulate) for share in shares]


def thinly(
    step: Sequence[int], sizes: Sequence[Size], accumulate: int, devices: int
) -> list[list[list[int]]]:
    """Give each micro-batch one example, the largest first and to each device in turn, or none."""
    largest_first = sorted(step, key=lambda i: (-sizes[i].positions, i))
    return [
        [largest_first[number * devices + device :][:1] for number in range(accumulate)]
        for device in range(devices)
    ]


def equal_shares(
    step: Sequence[int], sizes: Sequence[Size], devices: int, fewest: int
) -> list[list[int]]:
    """Give each device at least `fewest` examples and as nearly the same positions as can be.

    The largest go first, each to the device that has least so far (Graham 1969).
    """
    shares: list[list[int]] = [[] for _ in range(devices)]
    heap = [(0, device) for device in range(devices)]
    heapify(heap)
    largest_first = sorted(step, key=lambda i: (-sizes[i].positions, i))
    for index in largest_first:
        total, device = heap[0]
        shares[device].append(index)
        heapreplace(heap, (total + sizes[index].positions, device))
    for poor in shares:
        while len(poor) < fewest:  # a few large examples on one side, many small on the other
            poor.append(max(shares, key=len).pop())
    return evened_out(shares, sizes)


def evened_out(shares: list[list[int]], sizes: Sequence[Size]) -> list[list[int]]:
    """Swap examples between the device with most positions and that with least while it helps."""
    totals = [sum(sizes[i].positions for i in share) for share in shares]
    while len(shares) > 1:
        rich, poor = totals.index(max(totals)), totals.index(min(totals))
        gap = totals[rich] - totals[poor]
        moved, one, other = min(
            (abs(gap - 2 * (sizes[i].positions - sizes[j].positions)), a, b)
            for a, i in enumerate(shares[rich])
            for b, j in enumerate(shares[poor])
        )
        if gap <= EVEN * sum(totals) / len(totals) or moved >= gap:
            break
        give, take = shares[rich][one], shares[poor][other]
        shares[rich][one], shares[poor][other] = take, give
        difference = sizes[give].positions - sizes[take].positions
        totals[rich], totals[poor] = totals[rich] - difference, totals[poor] + difference
    return shares


def like_sizes(step: Sequence[int], sizes: Sequence[Size], parts: int) -> list[list[int]]:
    """Split examples, in order of length, into exactly `parts` runs whose largest is smallest."""
    ordered = sorted(step, key=lambda i: (sizes[i].longest, i))
    low, high = 1, Size.of(sizes[i] for i in ordered).positions
    while low < high:
        middle = (low + high) // 2
        if len(filled(ordered, sizes, middle)) <= parts:
            high = middle
        else:
            low = middle + 1
    runs = filled(ordered, sizes, high)
    while len(runs) < parts:  # equal costs can be reached with fewer: then halve the fullest
        fullest = max(range(len(runs)), key=lambda k: len(runs[k]))
        half = len(runs[fullest]) // 2
        runs[fullest : fullest + 1] = [runs[fullest][:half], runs[fullest][half:]]
    return runs


def filled(ordered: Sequence[int], sizes: Sequence[Size], budget: int) -> list[list[int]]:
    """Fill runs one after the other up to `budget` positions; a larger example has its own."""
    runs: list[list[int]] = []
    size: Size | None = None
    for index in ordered:
        grown = Size.of([size, sizes[index]]) if size else sizes[index]
        if size is None or grown.positions > budget:
            runs.append([index])
            size = sizes[index]
        else:
            runs[-1].append(index)
            size = grown
    return runs
