"""From rows to entries: each row is fitted to a shape, and all misfits are told in one message.

A shape is a strict pydantic model whose field descriptions say what was expected; pydantic finds
the misfit, the wording is ours. Left out: repair. A row is right or the dataset is refused.
"""

import hashlib
import json
import logging
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from pydantic_core import ErrorDetails

from tuna_exp.datasets.reading import MalformedError, Rows, show
from tuna_exp.errors import ConfigError, DataError, nearest
from tuna_exp.records import Instruction, RankedExample, RankedResponse
from tuna_exp.sequences import Mapped

_log = logging.getLogger(__name__)
_SHOWN_MISFITS = 5

Text = Annotated[str, Field(description="a string")]
NotBlank = Annotated[str, Field(pattern=r"\S", description="a string that is not blank")]
_NonBlank = Annotated[str, Field(pattern=r"\S")]
Identifier = Annotated[_NonBlank | int, Field(description="a non-blank string or an integer")]
Texts = Annotated[list[str], Field(min_length=1, description="a list of at least one string")]
Numbers = Annotated[list[FiniteFloat], Field(description="a list of finite numbers")]


class Shape(BaseModel):
    """What a row must hold; strict about types, blind to fields that it does not name."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


S = TypeVar("S", bound=Shape)


@dataclass(frozen=True)
class Entry:
    """A row in our terms: an instruction and, in ranked data, its responses.

    Without `scores` the responses stand best first; with them a higher score is better.
    """

    instruction: Instruction
    responses: tuple[str, ...] = ()
    scores: tuple[float, ...] | None = None
    raw: str | None = None

    def ranked(self) -> RankedExample:
        """Return the ranked example; equal scores tie, a repeated text keeps its best place."""
        if self.scores is not None:
            return RankedExample.from_scores(
                self.instruction, list(self.responses), list(self.scores), self.raw
            )
        places = enumerate(dict.fromkeys(self.responses))
        responses = tuple(RankedResponse(text=text, rank=rank) for rank, text in places)
        return RankedExample(instruction=self.instruction, responses=responses, raw=self.raw)


def fit(shape: type[S], row: object, names: Mapping[str, str | None] | None = None) -> S:
    """Fit a row to a shape.

    `names` says which field of the row fills which field of the shape; one that is named null, or
    not at all, is filled with None. Raises MalformedError for the first field that does not fit.
    """
    values = row
    if names is not None and isinstance(row, dict):
        sources = {field: names.get(field) for field in shape.model_fields}
        values = {f: row.get(n) for f, n in sources.items() if n is None or n in row}
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise MalformedError(_explain(first, shape, row, names or {})) from error


def collect(rows: Rows, parse: Callable[[int, object], Entry], cure: str) -> Sequence[Entry]:
    """Parse every row and return the entries: a list, or, of rows that stay on disk, as they do.

    Raises DataError if any row is malformed or repeats an id: how many rows are good, how many
    are not, the first five of those, and the cure.
    """
    entries, misfits = list[Entry](), list[tuple[int, MalformedError]]()
    places, ids, held = array("q"), array("q"), isinstance(rows.values, list)
    for index, row in enumerate(rows.values):
        try:
            if isinstance(row, MalformedError):
                raise row
            entry = parse(index, row)
        except MalformedError as misfit:
            misfits.append((index, misfit))
            continue
        places.append(index)
        ids.append(hash(entry.instruction.id))
        if held:
            entries.append(entry)
    again = list(_repeated(rows, parse, _suspects(ids, places)))
    if misfits or again:
        every = sorted([*misfits, *again], key=lambda one: one[0])
        raise DataError(_report(rows, len(places) - len(again), every, cure))
    return entries if held else Mapped(rows.values, parse)


def instructions_of(entries: Sequence[Entry]) -> Sequence[Instruction]:
    """Return the instructions of entries, which stay where they are."""
    if isinstance(entries, list):
        return [entry.instruction for entry in entries]
    return Mapped(entries, _instruction_of)


def rankings_of(entries: Sequence[Entry]) -> Sequence[RankedExample]:
    """Return the rankings of entries, which stay where they are."""
    if isinstance(entries, list):
        return [entry.ranked() for entry in entries]
    return Mapped(entries, _ranking_of)


def _instruction_of(_: int, entry: Entry) -> Instruction:
    return entry.instruction


def _ranking_of(_: int, entry: Entry) -> RankedExample:
    return entry.ranked()


def of_split(
    entries: Sequence[Entry], split: str | None, key: str, path: str, what: str
) -> list[Instruction]:
    """Return the instructions of one split of a file, of all where it is None.

    `key` is the setting that names it, `what` an item is called. Raises ConfigError for a split
    without any.
    """
    found = [e.instruction for e in entries if split in (None, e.instruction.split)]
    if not found:
        known = ", ".join(sorted({e.instruction.split for e in entries})) or "none"
        raise ConfigError(
            f"{key}={split}: {path} has no {what} of it (it has: {known}). Cure: one of these, or "
            "null for all."
        )
    return found


def usable_reference(text: str | None) -> str | None:
    """Return the response a model can be trained on, or None where it is absent or blank."""
    return text if text and text.strip() else None


def tell_missing_references(entries: Sequence[Entry], source: str) -> None:
    """Log once how many entries have no reference, because training has to do without them."""
    missing = sum(entry.instruction.reference is None for entry in entries)
    if missing:
        _log.warning(
            "%s: %d of %d records have an empty response and so no reference to train on",
            source, missing, len(entries),
        )  # fmt: skip


def check_lengths(lists: Mapping[str, list[str] | list[float] | list[int]]) -> None:
    """Raise MalformedError unless all lists are as long as the first; keys are field names."""
    (first, wanted), *others = lists.items()
    for name, values in others:
        if len(values) != len(wanted):
            raise MalformedError(
                f"field '{name}': expected {len(wanted)} entries, one per entry of '{first}', "
                f"found {len(values)}: {show(values)}"
            )


def content_digest(entries: Iterable[Entry]) -> str:
    """Return the SHA-256 of what the entries hold, for sources that are not one file."""
    digest = hashlib.sha256()
    for entry in entries:
        ranking = json.dumps([entry.responses, entry.scores, entry.raw])
        digest.update(f"{entry.instruction.model_dump_json()}\n{ranking}\n".encode())
    return digest.hexdigest()


def _suspects(ids: "array[int]", places: "array[int]") -> list[int]:
    """Return the places in order whose id's hash another place has: 8 bytes are kept of an id."""
    hashes = np.frombuffer(ids, dtype=np.int64)
    _, first, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return [places[i] for i in np.flatnonzero(counts[first] > 1)]


def _repeated(
    rows: Rows, parse: Callable[[int, object], Entry], suspects: Sequence[int]
) -> Iterator[tuple[int, MalformedError]]:
    """Yield the places whose id an earlier one has."""
    owners = dict[str, int]()
    for index in suspects:
        identifier = parse(index, rows.values[index]).instruction.id
        owner = owners.setdefault(identifier, index)
        if owner != index:
            yield (
                index,
                MalformedError(
                    f"field 'id': expected an id of its own, found {show(identifier)}, which "
                    f"{rows.place(owner)} has"
                ),
            )


def _report(rows: Rows, good: int, misfits: list[tuple[int, MalformedError]], cure: str) -> str:
    shown = misfits[:_SHOWN_MISFITS]
    lines = [f"  {rows.place(index)}: {misfit}" for index, misfit in shown]
    head = f"{rows.source}: {good} records are good, {len(misfits)} are not; the first few:"
    return "\n".join([head, *lines, f"Cure: {cure}"])


def _explain(
    error: ErrorDetails, shape: type[Shape], row: object, names: Mapping[str, str | None]
) -> str:
    if not error["loc"] or not isinstance(row, dict):
        return f"expected a JSON object, found {show(row)}"
    field, expected = _locate(error["loc"], shape, names)
    if error["type"] != "missing":
        return f"field '{field}': expected {expected}, found {show(error['input'])}"
    present = [str(name) for name in (error["input"] if "." in field else row)]
    return (
        f"field '{field}' is missing; expected {expected}; "
        f"found only {show(present)}.{nearest(field.split('.')[-1], present)}"
    )


def _locate(
    loc: tuple[int | str, ...], shape: type[Shape], names: Mapping[str, str | None]
) -> tuple[str, str]:
    """Name the field as the row does, and what its shape expects there."""
    path, expected = "", ""
    for part in loc:
        field = shape.model_fields.get(str(part))
        if isinstance(part, int):
            path += f"[{part}]"
        elif field is not None:  # other parts are pydantic's names for the members of a union
            path += f".{part}" if path else names.get(part) or part
            expected = field.description or expected
            inner = field.annotation
            shape = inner if isinstance(inner, type) and issubclass(inner, Shape) else shape
    return path, expected
