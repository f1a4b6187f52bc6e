"""Any ranked dataset as ranked sets: an artifact, a file of ours, a released file, a mapped one.

What a file is, is seen by the fields of its first record. Left out: repair. A file that its loader
refuses is told with the loader's words.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tuna_exp.datasets.checking import Entry
from tuna_exp.datasets.hub import hub_rows
from tuna_exp.datasets.mapping import Fields, MappedRow, mapped_entries
from tuna_exp.datasets.reading import MalformedError, Rows, read_rows, show
from tuna_exp.datasets.tuna_release import TunaReleaseDataset
from tuna_exp.errors import DataError, UserError
from tuna_exp.rankers.base import Refusal
from tuna_exp.records import RankedExample, read_records
from tuna_exp.stages.rank import RANKING, REFUSALS

HUB = "hub:"
# Fields that only the released files have, together.
_RELEASED = ({"orig", "logprob"}, {"generation", "gpt_eval"}, {"output", "score"})
_JUDGES_OWN = "judge_kept_only_its_own"


@dataclass(frozen=True)
class RankedSet:
    """A ranked example and its `texts` as they were written: an example drops repeated ones."""

    example: RankedExample
    texts: tuple[str, ...]


@dataclass(frozen=True)
class RankedData:
    """Ranked sets of one source; `refused` counts those without a usable order by kind."""

    source: str
    kind: str
    sets: Sequence[RankedSet]
    refused: Mapping[str, int]

    @property
    def examples(self) -> list[RankedExample]:
        """The ranked examples alone."""
        return [some.example for some in self.sets]


def load(source: str, fields: Mapping[str, str], split: str) -> RankedData:
    """Read a ranked dataset.

    `source` is a file, a folder with a ranking (an artifact) or one that the datasets library can
    read, or hub:OWNER/NAME. `fields` maps roles to field names where those are not the roles' own;
    `split` is that of a dataset of the library. Raises UserError for what cannot be read.
    """
    path = Path(source).expanduser()
    if source.startswith(HUB):
        rows = hub_rows(source.removeprefix(HUB), split, None, cure="tuna-exp doctor FILE")
        return _mapped(rows, fields)
    if path.is_dir() and (path / RANKING).is_file():
        return _artifact(path)
    if path.is_dir():
        return _mapped(hub_rows(str(path), split, None, cure="tuna-exp doctor FILE"), fields)
    rows = read_rows(path, None)
    names = set(rows.values[0]) if isinstance(rows.values[0], dict) else set()
    if _is_record(rows.values[0]):
        return RankedData(str(path), "ranked examples", _records(rows), {})
    if not fields and any(names >= telltale for telltale in _RELEASED):
        return _released(path)
    return _mapped(rows, fields)


def _artifact(folder: Path) -> RankedData:
    sets = _records(read_rows(folder / RANKING, None))
    path = folder / REFUSALS
    refused = Counter(r.kind for r in read_records(path, Refusal)) if path.is_file() else {}
    return RankedData(str(folder), "ranking artifact", sets, dict(refused))


def _is_record(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("instruction"), dict) and "responses" in row


def _records(rows: Rows) -> list[RankedSet]:
    sets = []
    for index, row in enumerate(rows.values):
        try:
            if isinstance(row, MalformedError):
                raise row
            example = RankedExample.model_validate(row)
        except (ValidationError, MalformedError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise DataError(
                f"{rows.place(index)} is no ranked example: {reason}; found {show(row)}. "
                "Cure: rank again, or correct the line."
            ) from error
        sets.append(RankedSet(example, tuple(r.text for r in example.responses)))
    return sets


def _released(path: Path) -> RankedData:
    # The exponent orders raw samples by their mean log-probability, as the release did.
    dataset = TunaReleaseDataset(str(path), "auto", length_exponent=1.0, limit=None)
    return _from_entries(str(path), "released Tuna file", dataset.entries())


def _mapped(rows: Rows, given: Mapping[str, str]) -> RankedData:
    first = rows.values[0] if isinstance(rows.values[0], dict) else {}
    named = {role: role if role in first else None for role in MappedRow.model_fields}
    fields: Fields = {**named, **given}
    if fields["responses"] is None:
        raise UserError(
            f"{rows.source} has no field 'responses', so it holds no ranking; its first record has "
            f"{show(list(first))}. Cure: --field responses=NAME, and --field scores=NAME unless "
            "the responses stand best first."
        )
    return _from_entries(rows.source, "mapped records", mapped_entries(rows, fields, "record"))


def _from_entries(source: str, kind: str, entries: Sequence[Entry]) -> RankedData:
    sets = [RankedSet(entry.ranked(), entry.responses) for entry in entries if entry.responses]
    empty = len(entries) - len(sets)
    return RankedData(source, kind, sets, {_JUDGES_OWN: empty} if empty else {})
