"""Rows with field names of the user's choosing: what `jsonl` and `hub` have in common.

Left out: nested field names and templates; write the fields out before you map them.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from tuna_exp.datasets.checking import (
    Entry,
    Identifier,
    NotBlank,
    Numbers,
    Shape,
    Texts,
    check_lengths,
    collect,
    fit,
    tell_missing_references,
    usable_reference,
)
from tuna_exp.datasets.reading import MalformedError, Rows
from tuna_exp.errors import ConfigError, nearest
from tuna_exp.records import Instruction

Fields = Mapping[str, str | None]
OptionalText = Annotated[str | None, Field(description="a string or null")]


class MappedRow(Shape):
    """The roles that a field can play; a role that no field plays is None."""

    instruction: NotBlank
    input: OptionalText
    output: OptionalText
    id: Annotated[Identifier | None, Field(description="a non-blank string, an integer or null")]
    responses: Annotated[
        Texts | None, Field(description="a list of at least one string, best first unless scored")
    ]
    scores: Annotated[Numbers | None, Field(description="a list of finite numbers")]


def mapped_entries(rows: Rows, fields: Fields, prefix: str, split: str = "") -> Sequence[Entry]:
    """Check the mapping, then every row.

    `fields` maps a role to the row's field, or to null where no field plays it. A record without
    an id gets `prefix` and its position. Raises ConfigError and DataError.
    """
    check_fields(fields)

    def parse(index: int, value: object) -> Entry:
        row = fit(MappedRow, value, fields)
        _check_ranking(row, fields)
        instruction = Instruction(
            id=f"{prefix}-{index:06d}" if row.id is None else str(row.id),
            instruction=row.instruction,
            input=row.input or "",
            reference=usable_reference(row.output),
            split=split,
        )
        scores = None if row.scores is None else tuple(row.scores)
        return Entry(instruction, tuple(row.responses or ()), scores)

    cure = (
        "correct these records, or name the right field with dataset.fields.<role>=<field>, or "
        "dataset.fields.<role>=null where no field plays the role "
        f"(roles: {', '.join(MappedRow.model_fields)})."
    )
    entries = collect(rows, parse, cure)
    if fields.get("output") is not None:
        tell_missing_references(entries, rows.source)
    return entries


def check_fields(fields: Fields) -> None:
    """Raise ConfigError for an unknown role, no instruction, or scores without responses."""
    roles = list(MappedRow.model_fields)
    for role in fields:
        if role not in roles:
            raise ConfigError(
                f"dataset.fields.{role} is no role; allowed: {', '.join(roles)}."
                f"{nearest(role, roles)} Cure: dataset.fields.<role>=<field of the data>."
            )
    for role, needed in (("instruction", True), ("responses", fields.get("scores") is not None)):
        if needed and fields.get(role) is None:
            raise ConfigError(
                f"dataset.fields.{role} is null with fields {dict(fields)}; expected the name of "
                f"a field. Cure: dataset.fields.{role}=<field of the data>."
            )


def require_responses(fields: Fields) -> None:
    """Raise ConfigError unless a field with several responses is named."""
    if fields.get("responses") is None:
        raise ConfigError(
            "dataset.fields.responses is null, so the data has no ranking; expected the field "
            "that lists the responses, best first or with dataset.fields.scores. "
            "Cure: dataset.fields.responses=<field of the data>."
        )


def _check_ranking(row: MappedRow, fields: Fields) -> None:
    for role, value in (("responses", row.responses), ("scores", row.scores)):
        if fields.get(role) is not None and value is None:
            raise MalformedError(f"field '{fields[role]}': expected a list, found null")
    if row.responses is not None and row.scores is not None:
        names = (str(fields["responses"]), str(fields["scores"]))
        check_lengths(dict(zip(names, (row.responses, row.scores), strict=True)))
