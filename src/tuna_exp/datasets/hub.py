"""Any dataset of the Hugging Face Hub, or a folder that the `datasets` library saved or can read.

Their tables lie on disk, and stay there where they are large. Left out: datasets that run code of
their own (the library refuses them), and reading from the Hub without a copy here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuna_exp.datasets.checking import Entry, content_digest, instructions_of, rankings_of
from tuna_exp.datasets.mapping import Fields, mapped_entries, require_responses
from tuna_exp.datasets.reading import Rows, check_limit
from tuna_exp.errors import ConfigError, UserError, nearest
from tuna_exp.records import Instruction, RankedExample
from tuna_exp.sequences import HELD_BYTES, Mapped

if TYPE_CHECKING:
    from datasets import Dataset

_SAVED_BY_LIBRARY = ("state.json", "dataset_dict.json")


@dataclass(frozen=True)
class HubDataset:
    """A dataset by Hub id, or by the path of a local folder.

    `subset` is what the Hub calls a configuration, `revision` a branch, tag or commit; both are
    null for a local folder. `fields` is as in `JsonlDataset`.
    """

    hub_id: str
    subset: str | None
    split: str
    revision: str | None
    fields: Fields
    limit: int | None

    def load(self) -> Sequence[Instruction]:
        """Read and check every record; raises ConfigError, DataError or UserError."""
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
        """What decides the content: the records themselves, because a branch on the Hub moves."""
        return {
            "dataset": "hub",
            "sha256": content_digest(self._entries()),
            "split": self.split,
            "fields": dict(self.fields),
            "limit": self.limit,
        }

    def _entries(self) -> Sequence[Entry]:
        rows = hub_rows(self.hub_id, self.split, self.limit, self.subset, self.revision)
        return mapped_entries(rows, self.fields, prefix="hub", split=self.split)


def hub_rows(
    hub_id: str,
    split: str,
    limit: int | None,
    subset: str | None = None,
    revision: str | None = None,
    cure: str = "dataset=jsonl dataset.path=<file>",
) -> Rows:
    """Read the first `limit` rows (None: all) of a split.

    `cure` is the override that reads the same data from a file. Raises UserError where the
    dataset or the split cannot be had, ConfigError for settings that cannot work.
    """
    check_limit(limit)
    folder = Path(hub_id).expanduser()
    table = (
        _from_folder(folder, split, subset, revision)
        if folder.is_dir()
        else _from_hub(hub_id, split, subset, revision, cure)
    )
    table = table.select(range(min(limit or len(table), len(table))))
    rows = table.to_list() if table.data.nbytes <= HELD_BYTES else Mapped(table, _row)
    if not len(rows):
        raise UserError(f"{hub_id} split '{split}' has 0 rows. Cure: name another dataset.split.")
    return Rows(hub_id, rows, lambda index: f"{hub_id} split {split} row {index + 1}")


def _row(_: int, row: dict[str, object]) -> object:
    return row


def _from_folder(folder: Path, split: str, subset: str | None, revision: str | None) -> "Dataset":
    if subset is not None or revision is not None:
        raise ConfigError(
            f"dataset.subset={subset} dataset.revision={revision}: the local folder {folder} has "
            "neither. Cure: dataset.subset=null dataset.revision=null."
        )
    if not any((folder / name).is_file() for name in _SAVED_BY_LIBRARY):
        return _from_hub(str(folder), split, None, None, "dataset=jsonl dataset.path=<file>")
    from datasets import DatasetDict, load_from_disk

    try:
        found = load_from_disk(str(folder))
    except (OSError, ValueError, IndexError) as error:  # IndexError: saved with no rows
        raise UserError(
            f"{folder} was saved by the datasets library and cannot be read, or has 0 rows: "
            f"{_first_line(error)}. Cure: save it again."
        ) from error
    splits = found if isinstance(found, DatasetDict) else {str(found.split or split): found}
    if split not in splits:
        names = [str(name) for name in splits]
        raise UserError(
            f"dataset.split={split}: {folder} has no such split; it has {', '.join(names)}."
            f"{nearest(split, names)} Cure: dataset.split={names[0]}."
        )
    return splits[split]


def _from_hub(
    hub_id: str, split: str, subset: str | None, revision: str | None, cure: str
) -> "Dataset":
    from datasets.exceptions import DatasetsError

    from datasets import load_dataset

    try:
        return load_dataset(hub_id, name=subset, split=split, revision=revision)
    except ConnectionError as error:
        raise UserError(
            f"The Hub cannot be reached, and dataset '{hub_id}' is not in the local cache "
            f"({_first_line(error)}). Cure: go online, or read a local copy: {cure}."
        ) from error
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise UserError(
            f"Dataset '{hub_id}' (subset {subset}, split {split}, revision {revision}) cannot be "
            f"loaded: {_first_line(error)} Cure: correct the id, the subset, the split or the "
            f"revision, or read a local copy: {cure}."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
