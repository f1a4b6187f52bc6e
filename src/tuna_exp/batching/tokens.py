"""Tokenised examples on disk: written once as an Arrow file, memory-mapped when they are read.

Arrow through `datasets`, so that the file can be opened by whoever wants to look into it, and a
training set may be larger than memory.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

import datasets
from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.sequences import OnDemand

SCHEMA = pa.schema(
    {
        "name": pa.string(),
        "prompt": pa.list_(pa.int32()),
        "responses": pa.list_(pa.list_(pa.int32())),
        "ranks": pa.list_(pa.int32()),
        "trained": pa.list_(pa.bool_()),
    }
)
ROWS = 512  # written together


def write_tokens(path: Path, examples: Iterable[TokenizedExample]) -> int:
    """Write examples to an Arrow stream file and return how many there were."""
    count = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as writer:
        rest = iter(examples)
        while some := list(islice(rest, ROWS)):
            columns = {name: [getattr(e, name) for e in some] for name in SCHEMA.names}
            writer.write_batch(pa.record_batch(columns, SCHEMA))
            count += len(some)
    return count


class Tokens(OnDemand[TokenizedExample]):
    """The examples of an Arrow file, read when they are asked for.

    `reference_logps` may be set to the log-probabilities of every example's responses, in nats,
    under the model that training starts from.
    """

    def __init__(self, path: Path) -> None:
        self.table: Any = datasets.Dataset.from_file(str(path))
        self.reference_logps: list[tuple[float, ...]] | None = None

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[TokenizedExample]:
        return (self._example(i, row) for i, row in enumerate(self.table))

    def _made(self, index: int) -> TokenizedExample:
        return self._example(index, self.table[index])

    def _example(self, index: int, row: dict[str, Any]) -> TokenizedExample:
        logps = self.reference_logps[index] if self.reference_logps else None
        return TokenizedExample(**row, reference_logps=logps)
