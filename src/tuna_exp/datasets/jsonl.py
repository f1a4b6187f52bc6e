"""JSON lines (or a JSON list), plain or gzipped, with field names of the user's choosing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuna_exp.datasets.checking import Entry, instructions_of, rankings_of
from tuna_exp.datasets.mapping import Fields, mapped_entries, require_responses
from tuna_exp.datasets.reading import fingerprint, read_rows
from tuna_exp.records import Instruction, RankedExample


@dataclass(frozen=True)
class JsonlDataset:
    """A file of one JSON object per line.

    `fields` maps the roles instruction, input, output, id, responses and scores to the file's
    field names; null where the file has none. JSON lines of more than 256 MiB stay on disk.
    """

    path: str
    fields: Fields
    limit: int | None

    def load(self) -> Sequence[Instruction]:
        """Read and check every record; raises ConfigError or DataError."""
        return instructions_of(self._entries())

    @property
    def ranked(self) -> bool:
        """Whether the records bring their own ranking."""
        return self.fields.get("responses") is not None

    def load_ranked(self) -> Sequence[RankedExample]:
        """Read the responses too; raises ConfigError if no field is named for them."""
        require_responses(self.fields)
        return rankings_of(self._entries())

    def digest(self) -> dict[str, object]:
        """What decides the content: the file's bytes, the mapping and the limit, not the path."""
        return {
            "dataset": "jsonl",
            "sha256": fingerprint(Path(self.path)),
            "fields": dict(self.fields),
            "limit": self.limit,
        }

    def _entries(self) -> Sequence[Entry]:
        rows = read_rows(Path(self.path), self.limit)
        return mapped_entries(rows, self.fields, prefix="jsonl")
