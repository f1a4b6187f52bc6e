"""Work already done by a stage that may be killed: a record a line, on disk batch by batch."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from tuna_exp.progress import Bar
from tuna_exp.records import Record
from tuna_exp.sequences import Lines

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Journal(Generic[R]):
    """An append-only file of batches of records; what a kill left torn is dropped when it is read.

    `kinds` are the classes of the records that may be in it. Where a batch ends follows from how
    many records each has.
    """

    def __init__(self, path: Path, kinds: Sequence[type[R]]) -> None:
        self.path = path
        self.kinds = {kind.__name__: kind for kind in kinds}

    def complete(
        self,
        items: Sequence[T],
        size: int,
        do: Callable[[Iterable[Sequence[T]]], Iterable[Sequence[R]]],
        bar: Bar,
        unit: str,
    ) -> Sequence[R]:
        """Return the records of all items, `size` items at a time, those of earlier attempts first.

        `do` gets the batches that are still to be done and yields the records of each, one per
        item, in their order; equal items and sizes make equal batches, so a continued run does what
        an uninterrupted one does. The records stay on disk and are read when they are asked for.
        """
        starts = range(0, len(items), size)
        batches = self.finished(min(size, len(items) - start) for start in starts)
        bar.start(len(items), unit, min(batches * size, len(items)))
        left = starts[batches:]
        for made in do(items[start : start + size] for start in left) if left else ():
            self.append(made)
            bar.advance(len(made))
        return self.records()

    def finished(self, sizes: Iterable[int]) -> int:
        """Return how many batches of these sizes there are; what follows the last is cut off."""
        if not self.path.exists():
            return 0
        batches = good = 0
        with self.path.open("rb+") as file:
            lines = iter(file)
            for size in sizes:
                length = self._whole(lines, size)
                if length is None:
                    break
                batches, good = batches + 1, good + length
            file.truncate(good)
        return batches

    def append(self, batch: Sequence[R]) -> None:
        """Write a finished batch and wait until the disk has it."""
        with self.path.open("ab") as file:
            for r in batch:
                value = r.model_dump(mode="json", exclude_defaults=True)
                file.write(json.dumps([type(r).__name__, value]).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def records(self) -> Lines[R]:
        """Return all records."""
        self.path.touch()
        return Lines(self.path, self._record)

    def _whole(self, lines: Iterator[bytes], size: int) -> int | None:
        """Return the bytes of the next batch, or None where it is torn."""
        length = 0
        for _ in range(size):
            line = next(lines, b"")
            # Without its line break a line may be whole, but the next would be appended to it.
            if not line.endswith(b"\n") or not self._is_sound(line):
                return None
            length += len(line)
        return length

    def _is_sound(self, line: bytes) -> bool:
        try:
            self._record(line)
        except (ValueError, TypeError, KeyError, ValidationError):
            return False
        return True

    def _record(self, line: bytes) -> R:
        name, value = json.loads(line)
        return self.kinds[name].model_validate(value)
