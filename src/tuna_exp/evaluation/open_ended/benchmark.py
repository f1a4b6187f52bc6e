"""Any file of open-ended prompts as a benchmark: it collects answers, which a judge then compares.

An answer has no score of its own here but that there is one. How good it is, a judge says beside
another answer (`judging`), and `win_rates` makes figures of that. Left out: prompts of several
turns, such as those of MT-bench.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tuna_exp.comparison.statistics import Bootstrap, mean_interval
from tuna_exp.datasets.checking import Entry, Identifier, NotBlank, Shape, collect, fit
from tuna_exp.datasets.reading import fingerprint, read_rows
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.evaluation.answers import AnswersFile, check_answered
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.open_ended.judging import AnswerJudge
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Instruction, Prediction

ROLES = ("id", "instruction", "category")


class PromptRow(Shape):
    """A line of a prompt file; without an id its place is its id."""

    instruction: NotBlank
    id: Annotated[Identifier | None, Field(description="a non-blank string, an integer or null")]
    category: Annotated[str | None, Field(description="a string or null")]


@dataclass(frozen=True)
class OpenEndedBenchmark:
    """Prompts of a file (JSON lines or a list), called `name`.

    `fields` names the file's fields for id, instruction and category, null where it has none.
    `judging` compares answers with those of `reference`, another model's to the same ids; where it
    is None, with those of the baseline of the run's methods. Without `judging` answers are only
    collected. Answers are drawn as `drawn` says.
    """

    name: str
    path: str
    fields: Mapping[str, str | None]
    reference: AnswersFile | None
    judging: AnswerJudge | None
    drawn: Decoding
    batch_size: int

    @property
    def judged_by(self) -> AnswerJudge | None:
        """Return who compares answers with others."""
        return self.judging

    @property
    def against_baseline(self) -> bool:
        """Whether answers are compared with those of the baseline of the run's methods."""
        return self.judging is not None and self.reference is None

    def items(self) -> list[Instruction]:
        """Return the prompts, each with its category as its kind and the other model's answer.

        Raises ConfigError and DataError: a field or file that is not there, a prompt that the
        reference does not answer.
        """
        self._check_fields()
        rows = read_rows(Path(self.path), None)
        key = f"evaluation.{self.name}"
        cure = f"correct these records, or name the right fields with {key}.fields."
        prompts = [entry.instruction for entry in collect(rows, self._entry, cure)]
        if self.reference is None:
            return prompts
        answers = self.reference.load(f"{key}.reference")
        check_answered(self.reference.path, answers, prompts, f"{key}.reference.path")
        if all(answers[prompt.id].text == prompt.instruction for prompt in prompts):
            raise DataError(
                f"{self.reference.path} has the prompts of {self.path} in the place of answers. "
                f"Cure: {key}.reference.path=<another model's answers to them>."
            )
        return [p.model_copy(update={"reference": answers[p.id].text}) for p in prompts]

    def decoding(self) -> Decoding:
        """Return how an answer is drawn."""
        return self.drawn

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Keep an answer; it passes with 1 where it says anything."""
        there = bool(answer.text.strip())
        return Prediction(
            instruction=instruction,
            text=answer.text,
            tokens=answer.tokens,
            passed=there,
            score=float(there),
        )

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return the share of prompts that were answered: what can be said without a judge."""
        scores = [prediction.score for prediction in predictions]
        return [Figure("answered", "all", mean_interval(scores, (0.0, 1.0), bootstrap))]

    def digest(self) -> dict[str, object]:
        """Return what decides the prompts and the answers; the judge has a digest of its own."""
        return {
            "benchmark": "open_ended",
            "sha256": fingerprint(Path(self.path)),
            "fields": dict(self.fields),
            "reference": self.reference.digest() if self.reference else None,
            "decoding": vars(self.drawn),
            "batch_size": self.batch_size,
        }

    def _check_fields(self) -> None:
        unknown = [role for role in self.fields if role not in ROLES]
        if unknown or self.fields.get("instruction") is None:
            told = f"{unknown[0]} is no role" if unknown else "no field is named for instruction"
            raise ConfigError(
                f"evaluation.{self.name}.fields={dict(self.fields)}: {told}; roles are "
                f"{', '.join(ROLES)}. "
                f"Cure: evaluation.{self.name}.fields.instruction=<field of the file>."
            )

    def _entry(self, index: int, row: object) -> Entry:
        read = fit(PromptRow, row, self.fields)
        return Entry(
            Instruction(
                id=f"{self.name}-{index:06d}" if read.id is None else str(read.id),
                instruction=read.instruction,
                kind=read.category or "",
                split="test",
            )
        )
