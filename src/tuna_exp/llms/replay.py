"""Recorded answers as a teacher: nothing is computed, nothing is bought.

Records are candidate sets (`candidates.jsonl` of an artifact), or JSON lines with `instruction`,
`input` and `responses` (texts, or objects with `text` and `token_logprobs`). They are found by the
instruction's words, so a recording serves any dataset that asks the same. Left out: answers from
tokens, and drawing anew (a record has what it has).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuna_exp.datasets.reading import read_text
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.llms.base import Form, Gift
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.recorded import OpenRecorded, Recorded
from tuna_exp.records import Candidate, CandidateSet, Instruction

# What a line of another shape raises.
_UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    ValidationError,
)


@dataclass(frozen=True)
class ReplayLLM(Recorded):
    """The answers of a file, plain or .gz."""

    path: str

    @property
    def gives(self) -> frozenset[Gift]:
        """Return what it gives besides texts: what the file has is seen when it is read."""
        return frozenset({"logprobs"})

    def check(self) -> None:
        """Raise ConfigError where there is no such file."""
        if not Path(self.path).is_file():
            raise ConfigError(
                f"teacher.path={self.path}: there is no such file. Cure: name a file of recorded "
                "answers."
            )

    def digest(self) -> dict[str, object]:
        """Return what decides the answers: the file's content."""
        self.check()
        return {"replay": sha256(Path(self.path).read_bytes()).hexdigest()}

    def open(self) -> "OpenReplay":
        """Read the file. Raises DataError for a line that is no record."""
        self.check()
        return OpenReplay(self.path, dict(recorded(Path(self.path))))


class OpenReplay(OpenRecorded):
    """Answers by the words of their instruction."""

    chosen_as = "teacher=replay"
    cures = ("ranker.answer=text", "score_with a local model")

    def __init__(self, path: str, answers: Mapping[str, Sequence[Candidate]]) -> None:
        self.path = path
        self.answers = answers

    def prompt_length(self, instruction: Instruction, room: int) -> int:
        """Return the characters of the prompt; DataError where there is no answer to it."""
        self._find(instruction, 1)
        return len(instruction.text)

    def answer(
        self,
        instructions: Sequence[Instruction],
        decoding: Decoding,
        seed: int,
        form: Form | None = None,
    ) -> list[list[Candidate]]:
        """Return the first `decoding.responses` recorded answers to each instruction.

        The same ones however often it is asked. Raises DataError where there are fewer.
        """
        return [self._find(i, decoding.responses) for i in instructions]

    def _find(self, instruction: Instruction, count: int) -> list[Candidate]:
        found = list(self.answers.get(instruction.text, ()))
        if len(found) < count:
            raise DataError(
                f"{self.path} has {len(found)} answers to '{instruction.id}' "
                f"({instruction.text[:60]!r}); asked are {count}. Cure: a recording of this "
                "dataset, or fewer sampling_of_teacher.decoding.responses."
            )
        return found[:count]


def recorded(path: Path) -> list[tuple[str, Sequence[Candidate]]]:
    """Read a file's records: the words of each instruction and its answers."""
    records = []
    for number, line in enumerate(read_text(path).rstrip("\n").split("\n"), 1):
        try:
            records.append(_record(json.loads(line)))
        except _UNREADABLE as error:
            reason = (str(error).splitlines() or [""])[0]
            raise DataError(
                f"{path}:{number}: no recorded answers ({type(error).__name__}: {reason}). "
                'Cure: lines like {"instruction": ..., "responses": [...]}, or the '
                "candidates.jsonl of an artifact."
            ) from error
    return records


def _record(value: Mapping[str, Any]) -> tuple[str, Sequence[Candidate]]:
    if "candidates" in value:
        recorded_set = CandidateSet.model_validate(value)
        return recorded_set.instruction.text, recorded_set.candidates
    asked = Instruction(id="x", instruction=value["instruction"], input=value.get("input", ""))
    answers = [
        Candidate(text=answer)
        if isinstance(answer, str)
        else Candidate(text=answer["text"], token_logprobs=answer.get("token_logprobs", ()))
        for answer in value["responses"]
    ]
    return asked.text, answers
