"""Work already done by a stage that may be killed: one line per finished batch, on disk at once."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from tuna_exp.progress import Bar
from tuna_exp.records import Record

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Journal(Generic[R]):
    """An append-only file of batches of records; what a kill left torn is dropped when it is read.

    `kinds` are the classes of the records that may be in it.
    """

    def __init__(self, path: Path, kinds: Sequence[type[R]]) -> None:
        self.path = path
        self.kinds = {kind.__name__: kind for kind in kinds}

    def complete(
        self,
        items: Sequence[T],
        size: int,
        do: Callable[[Sequence[Sequence[T]]], Iterable[Sequence[R]]],
        bar: Bar,
        unit: str,
    ) -> list[R]:
        """Return the records of all items, `size` items at a time, those of earlier attempts first.

        `do` gets the batches that are still to be done and yields the records of each, one per
        item, in their order; equal items and sizes make equal batches, so a continued run does what
        an uninterrupted one does.
        """
        batches = [items[i : i + size] for i in range(0, len(items), size)]
        done = self.read()[: len(batches)]
        bar.start(len(items), unit, sum(map(len, done)))
        for made in do(batches[len(done) :]) if len(done) < len(batches) else ():
            self.append(made)
            done.append([*made])
            bar.advance(len(made))
        return [record for part in done for record in part]

    def read(self) -> list[list[R]]:
        """Return the finished batches and cut the file after the last whole one."""
        if not self.path.exists():
            return []
        batches, good = [], 0
        with self.path.open("rb+") as file:
            for line in file:
                batch = self._batch(line)
                if batch is None:
                    break
                batches.append(batch)
                good += len(line)
            file.truncate(good)
        return batches

    def append(self, batch: Sequence[R]) -> None:
        """Write a finished batch and wait until the disk has it."""
        values = [
            (type(r).__name__, r.model_dump(mode="json", exclude_defaults=True)) for r in batch
        ]
        with self.path.open("ab") as file:
            file.write(json.dumps(values).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _batch(self, line: bytes) -> list[R] | None:
        """Return the records of a line, or None where it is torn."""
        # Without its line break a line may be whole, but the next one would be appended to it.
        if not line.endswith(b"\n"):
            return None
        try:
            return [self.kinds[name].model_validate(value) for name, value in json.loads(line)]
        except (ValueError, TypeError, KeyError, ValidationError):
            return None
