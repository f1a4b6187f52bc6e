"""Another model's answers: a published file, or the predictions of a run of ours.

Left out: several answers of one model to a prompt. A second one is an error, not a choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tuna_exp.datasets.checking import Entry, Identifier, Shape, Text, collect, fit
from tuna_exp.datasets.reading import MalformedError, Rows, fingerprint, read_rows, show
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.records import Instruction

Fields = Mapping[str, str | None]
ROLES = ("id", "answer")


class AnswerRow(Shape):
    """A line of an answers file: which prompt, and the answer, which may be empty."""

    id: Identifier
    answer: Annotated[str, Field(description="a string")]


class PredictionRow(Shape):
    """A line of `predictions.jsonl`, as far as it is compared."""

    instruction: Annotated[dict[str, object], Field(description="an object")]
    text: Annotated[str, Field(description="a string")]


@dataclass(frozen=True)
class AnswersFile:
    """Answers in a file of JSON lines or a JSON list.

    `fields` names the file's fields for id and answer; null is a `predictions.jsonl` of ours.
    `where` keeps the rows whose fields have these values, for a file of several models.
    """

    path: str
    fields: Fields | None
    where: Mapping[str, str | int]

    def load(self, prompts: Mapping[str, str]) -> dict[str, str]:
        """Return the answers by the ids of their prompts, whose texts `prompts` has by id.

        Raises ConfigError for fields that are not named, DataError for a file that cannot be used,
        as predictions of ours on other prompts with the same ids.
        """
        if self.fields is not None:
            check_roles(self.fields, ROLES, "reference.fields")
        rows = self._kept(read_rows(Path(self.path), None))
        cure = (
            "correct these records, or name the right fields with evaluation.NAME.reference.fields "
            "(null: predictions.jsonl of ours), and of several models' answers the one with "
            "+evaluation.NAME.reference.where.FIELD=VALUE."
        )
        made = collect(rows, partial(self._entry, prompts), cure)
        return {e.instruction.id: e.responses[0] for e in made}

    def digest(self) -> dict[str, object]:
        """Return what decides the answers: the file's bytes and how they are read, not its path."""
        fields = None if self.fields is None else dict(self.fields)
        return {"sha256": fingerprint(Path(self.path)), "fields": fields, "where": dict(self.where)}

    def _kept(self, rows: Rows) -> Rows:
        if not self.where:
            return rows
        places = [
            place
            for place, row in enumerate(rows.values)
            if isinstance(row, dict) and all(row.get(k) == v for k, v in self.where.items())
        ]
        if not places:
            seen = {k: sorted({str(r.get(k)) for r in rows.values if isinstance(r, dict)})
                    for k in self.where}  # fmt: skip
            raise DataError(
                f"{self.path}: none of its {len(rows.values)} records has {dict(self.where)}; it "
                f"has {seen}. Cure: +evaluation.NAME.reference.where.FIELD=<one of these>."
            )
        kept = [rows.values[place] for place in places]
        return Rows(rows.source, kept, lambda index: rows.place(places[index]))

    def _entry(self, prompts: Mapping[str, str], index: int, row: object) -> Entry:
        if self.fields is None:
            made = fit(PredictionRow, row)
            asked, answer = fit(_Asked, made.instruction), made.text
            name, prompt = asked.id, prompts.get(str(asked.id))
            if prompt not in (None, asked.instruction):
                raise MalformedError(
                    f"answers another prompt of the id {show(name)}: {show(asked.instruction)}, "
                    f"not {show(prompt)}"
                )
        else:
            read = fit(AnswerRow, row, self.fields)
            name, answer = read.id, read.answer
        return Entry(Instruction(id=str(name), instruction=str(name)), (answer,))


class _Asked(Shape):
    id: Identifier
    instruction: Text


def check_roles(fields: Fields, roles: tuple[str, ...], key: str) -> None:
    """Raise ConfigError unless `fields` names a field for each of `roles` and nothing else."""
    unknown = [role for role in fields if role not in roles]
    unnamed = [role for role in roles if fields.get(role) is None]
    for role in (*unknown, *unnamed):
        raise ConfigError(
            f"evaluation.NAME.{key}={dict(fields)}: {role} is "
            f"{'no role' if role in unknown else 'null'}; roles are {', '.join(roles)}, "
            "each needs the name of a field. "
            f"Cure: evaluation.NAME.{key}.{(unnamed or roles)[0]}=<field of the file>."
        )
