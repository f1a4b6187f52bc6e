"""Sequences that may be larger than memory: what they hold is read, or made, when it is asked for.

Lines of a file are found by their place in it, 8 bytes of memory for each. NumPy is imported where
it is used: every command imports this. Left out: keeping what was read; the operating system keeps
the pages of the file.
"""

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

T = TypeVar("T")
S = TypeVar("S")
# What is not larger is read once and held.
HELD_BYTES = 256 * 2**20
Places: TypeAlias = "npt.NDArray[np.int64]"


class OnDemand(Sequence[T]):
    """A sequence whose item i is made by `_made(i)` each time it is asked for."""

    def _made(self, index: int) -> T:
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._made(i) for i in range(*index.indices(len(self)))]
        return self._made(range(len(self))[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._made, range(len(self)))


class Lines(OnDemand[T]):
    """The lines of a file that are not blank, each as `parse` gives it; the first `limit` of them.

    It holds the lines that are there now. Another process that sees the file can be sent it.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], T], limit: int | None = None) -> None:
        self.path = path
        self.parse = parse
        self.starts = starts = array("q", [0])
        with path.open("rb") as file:
            end = 0
            for line in file:
                if len(starts) - 1 == limit:
                    break
                end += len(line)
                if line.isspace():
                    starts[-1] = end
                else:
                    starts.append(end)
        self._file: int | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def _made(self, index: int) -> T:
        start, end = self.starts[index : index + 2]
        return self.parse(os.pread(self._opened(), end - start, start))

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self.path, os.O_RDONLY)
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            os.close(self._opened())

    def line(self, index: int) -> int:
        """Return the number of a line in its file, from 1."""
        with self.path.open("rb") as file:
            start = self.starts[index]
            lines = 0
            while start > 0:
                part = file.read(min(start, 2**20))
                start -= len(part)
                lines += part.count(b"\n")
        return lines + 1


class Mapped(OnDemand[T], Generic[S, T]):
    """`do(index, item)` of every item of another sequence."""

    def __init__(self, items: Sequence[S], do: Callable[[int, S], T]) -> None:
        self.items = items
        self.do = do

    def __len__(self) -> int:
        return len(self.items)

    def _made(self, index: int) -> T:
        return self.do(index, self.items[index])


class Picked(OnDemand[T]):
    """The items of another sequence at these places, in their order."""

    def __init__(self, items: Sequence[T], places: Places) -> None:
        self.items = items
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def _made(self, index: int) -> T:
        return self.items[int(self.places[index])]


def ordered_by(values: Places) -> Places:
    """Return the places of values from the least to the largest, equal ones as they stand."""
    import numpy as np

    return np.argsort(values, kind="stable")


def turned_back(order: Places) -> Places:
    """Return where each item is found in a sequence that was put in an order."""
    import numpy as np

    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return back


def where(items: Sequence[T], wanted: Callable[[T], bool]) -> Places:
    """Return the places of the items that are wanted."""
    import numpy as np

    return np.fromiter((i for i, item in enumerate(items) if wanted(item)), dtype=np.int64)
