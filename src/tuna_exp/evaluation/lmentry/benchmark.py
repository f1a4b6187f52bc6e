"""LMentry as a benchmark: items of 25 core tasks and 16 subsets, published scores and figures.

The prompts are put to the model as published, without examples. Left out: training on it, which its
authors ask not to do, and the share of sure scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import DataError
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.lmentry.data import content_digest, instructions, read_files
from tuna_exp.evaluation.lmentry.figures import ALL, figures_of, results_of
from tuna_exp.evaluation.lmentry.scoring import SCORERS, score_prediction
from tuna_exp.evaluation.lmentry.tasks import PUBLISHED
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Check, Instruction, Prediction

# Raised whenever a change of the scorers could change a score.
_SCORING = 2
_PREFIX = "lmentry/"


@dataclass(frozen=True)
class LMentryBenchmark:
    """LMentry from `path`, the first `per_template` argument tuples (None: all) of each task file.

    `path` is a tar, packed or not, or a folder, of the published layout. `cut` scores the first
    sentence of the first line only, as published for base models, which do not stop. Answers are
    greedy, of at most `max_new_tokens`, `batch_size` at a time.
    """

    name: str
    path: str
    per_template: int | None
    cut: bool
    max_new_tokens: int
    batch_size: int

    def digest(self) -> dict[str, object]:
        """Return what decides items and scores: the files' content, not where or how they lie."""
        return {
            "benchmark": "lmentry",
            "sha256": content_digest(self._files()),
            "per_template": self.per_template,
            "cut": self.cut,
            "scoring": _SCORING,
            "max_new_tokens": self.max_new_tokens,
            "batch_size": self.batch_size,
        }

    def items(self) -> list[Instruction]:
        """Return the examples of all task files. Raises DataError where they are not whole."""
        return instructions(self._files(), self.per_template)

    def decoding(self) -> Decoding:
        """Return greedy decoding, one response."""
        return Decoding.greedy(self.max_new_tokens)

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score one answer as published: 1 or 0. Raises DataError for an item of another kind."""
        check = instruction.check or Check(name="")
        task = check.name.removeprefix(_PREFIX)
        if task not in SCORERS:
            raise DataError(
                f"item '{instruction.id}' has the check '{check.name}'; allowed: {_PREFIX}<task>. "
                "Cure: score LMentry's own items"
            )
        prompt = instruction.instruction
        verdict = score_prediction(task, check.arguments, prompt, answer.text, self.cut)
        return Prediction(
            instruction=instruction,
            text=answer.text,
            tokens=answer.tokens,
            passed=verdict.score == 1,
            score=verdict.score,
        )

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return the LMentry score, accuracy, robustness with its parts, and task accuracies.

        Overall figures of fewer prompts than were published say so in their name.
        """
        made = figures_of(results_of(predictions), bootstrap)
        if len(predictions) == PUBLISHED:
            return made
        part = f" ({len(predictions):,} of {PUBLISHED:,} prompts)"
        return [replace(f, metric=f.metric + part) if f.group == ALL else f for f in made]

    def _files(self) -> dict[str, bytes]:
        return read_files(Path(self.path).expanduser())
