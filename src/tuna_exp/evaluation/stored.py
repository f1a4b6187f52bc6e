"""Answers that a model gave elsewhere, scored as if they had been given here.

They come from any file of ids and answers, so a figure of another framework or of a paper's release
can be had with our intervals and compared with a run of ours, item by item. Left out: what they
took. Time, tokens and money of answers made elsewhere are not known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tuna_exp.errors import ConfigError
from tuna_exp.evaluation.answers import AnswersFile, Fields, Stored, check_answered
from tuna_exp.llms.base import Form, Gift
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.recorded import OpenRecorded, Recorded
from tuna_exp.records import Candidate, Instruction

KEY = "answers"


@dataclass(frozen=True)
class StoredAnswers(Recorded):
    """A file's answers as a model called `name` (None: as the file is called).

    `path`, `fields` and `where` as in `AnswersFile`; without a `path` there is none.
    """

    path: str | None
    name: str | None
    fields: Fields | None
    where: Mapping[str, str | int]

    @property
    def called(self) -> str:
        """Return the name in tables."""
        return self.name or Path(self._file.path).name.partition(".")[0]

    @property
    def gives(self) -> frozenset[Gift]:
        """Return nothing but texts."""
        return frozenset()

    @cached_property
    def _file(self) -> AnswersFile:
        if self.path is None:
            raise ConfigError(
                "subject=answers scores a file of answers, and none is named (answers.path=null). "
                "Cure: answers.path=FILE."
            )
        return AnswersFile(self.path, self.fields, self.where)

    def check(self) -> None:
        """Raise UserError where the file cannot be read."""
        self.open()

    def check_items(self, items: Sequence[Instruction]) -> None:
        """Raise UserError unless the file answers each of these items, as they are asked here."""
        check_answered(self._file.path, self._answers, items, f"{KEY}.path")

    @cached_property
    def _answers(self) -> dict[str, Stored]:
        return self._file.load(KEY)

    def digest(self) -> dict[str, object]:
        """Return what decides the answers: the file's content and how it is read."""
        return {"answers": self._file.digest()}

    def open(self) -> "OpenStored":
        """Read the file."""
        return OpenStored(self._answers)


@dataclass
class OpenStored(OpenRecorded):
    """Answers by the ids of their items."""

    chosen_as = "subject=answers"
    cures = ("subject=model", "subject=model")
    answers: Mapping[str, Stored]

    def prompt_length(self, instruction: Instruction, room: int) -> int:
        """Return the characters of the prompt: nothing is computed, so any order does."""
        return len(instruction.text)

    def answer(
        self,
        instructions: Sequence[Instruction],
        decoding: Decoding,
        seed: int,
        form: Form | None = None,
    ) -> list[list[Candidate]]:
        """Return the stored answer to each instruction."""
        return [[Candidate(text=self.answers[i.id].text)] for i in instructions]
