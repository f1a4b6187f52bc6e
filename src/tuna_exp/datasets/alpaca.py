"""The Alpaca instruction data (Taori et al., 2023): 52,002 records of instruction, input, output.

Some 46 of them have an empty output; they are kept, without a reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuna_exp.datasets.checking import (
    Entry,
    NotBlank,
    Shape,
    Text,
    collect,
    content_digest,
    fit,
    tell_missing_references,
    usable_reference,
)
from tuna_exp.datasets.hub import hub_rows
from tuna_exp.datasets.reading import fingerprint, read_rows
from tuna_exp.records import Instruction


class AlpacaRow(Shape):
    """One record as published; `input` and `output` may be empty."""

    instruction: NotBlank
    input: Text
    output: Text


@dataclass(frozen=True)
class AlpacaDataset:
    """The original JSON list from `path` (plain or gzipped), or `hub_id` where path is None."""

    path: str | None
    hub_id: str
    limit: int | None

    def load(self) -> list[Instruction]:
        """Read and check every record; raises ConfigError, DataError, or UserError when offline."""
        return [entry.instruction for entry in self._entries()]

    def digest(self) -> dict[str, object]:
        """What decides the content: the file's bytes or the Hub's records, and the limit."""
        content = (
            content_digest(self._entries()) if self.path is None else fingerprint(Path(self.path))
        )
        return {"dataset": "alpaca", "sha256": content, "limit": self.limit}

    def _entries(self) -> Sequence[Entry]:
        rows = (
            hub_rows(self.hub_id, "train", self.limit, cure="dataset.path=<alpaca_data.json>")
            if self.path is None
            else read_rows(Path(self.path), self.limit)
        )
        cure = "correct these records, or read another layout with dataset=jsonl."
        entries = collect(rows, _parse, cure)
        tell_missing_references(entries, rows.source)
        return entries


def _parse(index: int, value: object) -> Entry:
    row = fit(AlpacaRow, value)
    return Entry(
        Instruction(
            id=f"alpaca-{index:06d}",
            instruction=row.instruction,
            input=row.input,
            reference=usable_reference(row.output),
        )
    )
