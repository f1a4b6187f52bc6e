"""Work already done by a stage that may be killed: one line per finished batch, safe on disk before the next."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from tuna_exp.records import Record


class Journal:
    """An append-only file of batches of records. A line that a kill left torn is dropped when it is opened."""

    def __init__(self, path: Path, kinds: Sequence[type[Record]]) -> None:
        self.path = path
        self.kinds = {kind.__name__: kind for kind in kinds}

    def read(self) -> list[list[Record]]:
        """Return the finished batches and cut the file after the last whole one."""
        if not self.path.exists():
            return []
        batches, good = [], 0
        with self.path.open("rb+") as file:
            for line in file:
                try:
                    batches.append([self.kinds[name].model_validate(value) for name, value in json.loads(line)])
                except (ValueError, KeyError, ValidationError):
                    break
                good += len(line)
            file.truncate(good)
        return batches

    def append(self, batch: Sequence[Record]) -> None:
        """Write a finished batch and wait until the disk has it."""
        values = [(type(r).__name__, r.model_dump(mode="json", exclude_defaults=True)) for r in batch]
        with self.path.open("ab") as file:
            file.write(json.dumps(values).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
