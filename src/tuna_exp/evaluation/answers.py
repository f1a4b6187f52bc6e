"""Another model's answers: a published file, or the predictions of a run of ours.

Left out: several answers of one model to a prompt. A second one is an error, not a choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuna_exp.datasets.checking import Entry, Identifier, NotBlank, Shape, Text, collect, fit
from tuna_exp.datasets.reading import Rows, fingerprint, read_rows, show
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.records import Instruction

Fields = Mapping[str, str | None]
ROLES = ("id", "answer")


class _AnswerRow(Shape):
    """A line of an answers file: which prompt, and the answer, which may be empty."""

    id: Identifier
    answer: Text


class _Asked(Shape):
    id: Identifier
    instruction: NotBlank
    input: str = ""


class _PredictionRow(Shape):
    """A line of `predictions.jsonl`, as far as it is compared."""

    instruction: _Asked
    text: Text


@dataclass(frozen=True)
class Stored:
    """An answer, and the prompt it was given to where the file says so."""

    text: str
    prompt: str | None


@dataclass(frozen=True)
class AnswersFile:
    """Answers in a file of JSON lines or a JSON list.

    `fields` names the file's fields for id and answer; null is a `predictions.jsonl` of ours.
    `where` keeps the rows whose fields have these values, for a file of several models.
    """

    path: str
    fields: Fields | None
    where: Mapping[str, str | int]

    def load(self, key: str) -> dict[str, Stored]:
        """Return the answers by the ids of their prompts; `key` is what the settings call the file.

        Raises ConfigError for fields that are not named, DataError for a file that cannot be used.
        """
        if self.fields is not None:
            check_roles(self.fields, ROLES, f"{key}.fields")
        rows = self._kept(read_rows(Path(self.path), None), key)
        cure = (
            f"correct these records, or name the right fields with {key}.fields (null: "
            "predictions.jsonl of ours), and of several models' answers the one with "
            f"+{key}.where.FIELD=VALUE."
        )
        entries = collect(rows, self._entry, cure)
        # An entry of a file without prompts repeats the id where the prompt would stand.
        prompts = self.fields is None
        return {
            e.instruction.id: Stored(e.responses[0], e.instruction.text if prompts else None)
            for e in entries
        }

    def digest(self) -> dict[str, object]:
        """Return what decides the answers: the file's bytes and how they are read, not its path."""
        fields = None if self.fields is None else dict(self.fields)
        return {"sha256": fingerprint(Path(self.path)), "fields": fields, "where": dict(self.where)}

    def _kept(self, rows: Rows, key: str) -> Rows:
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
                f"has {seen}. Cure: +{key}.where.FIELD=<one of these>."
            )
        kept = [rows.values[place] for place in places]
        return Rows(rows.source, kept, lambda index: rows.place(places[index]))

    def _entry(self, index: int, row: object) -> Entry:
        if self.fields is None:
            made = fit(_PredictionRow, row)
            asked = made.instruction
            prompt = Instruction(id=str(asked.id), instruction=asked.instruction, input=asked.input)
            return Entry(prompt, (made.text,))
        read = fit(_AnswerRow, row, self.fields)
        return Entry(Instruction(id=str(read.id), instruction=str(read.id)), (read.answer,))


def check_answered(
    path: str, answers: Mapping[str, Stored], items: Sequence[Instruction], key: str
) -> None:
    """Raise DataError where a file leaves one of some items open, or answers another prompt.

    `key` is the setting that names the file.
    """
    without = [item.id for item in items if item.id not in answers]
    if without:
        raise DataError(
            f"{path} answers {len(items) - len(without):,} of the {len(items):,} items that are "
            f"asked; none for '{without[0]}'. It has {len(answers):,} answers, the first for "
            f"'{next(iter(answers), '')}'. Cure: {key}=<answers to these items, under their ids>."
        )
    other = [item for item in items if answers[item.id].prompt not in (None, item.text)]
    if other:
        first = other[0]
        raise DataError(
            f"{path} answers other prompts than are asked here ({len(other):,} of "
            f"{len(items):,} items): '{first.id}' is {show(first.text)} here and "
            f"{show(answers[first.id].prompt)} there. Cure: {key}=<answers to these prompts>, or "
            "the settings of the run that made this file."
        )


def check_roles(fields: Fields, roles: tuple[str, ...], key: str) -> None:
    """Raise ConfigError unless `fields` names a field for each of `roles` and nothing else."""
    unknown = [role for role in fields if role not in roles]
    unnamed = [role for role in roles if fields.get(role) is None]
    for role in (*unknown, *unnamed):
        raise ConfigError(
            f"{key}={dict(fields)}: {role} is "
            f"{'no role' if role in unknown else 'null'}; roles are {', '.join(roles)}, "
            "each needs the name of a field. "
            f"Cure: {key}.{(unnamed or roles)[0]}=<field of the file>."
        )
