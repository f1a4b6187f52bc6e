"""Super-NaturalInstructions by the protocol of Tk-Instruct (Wang et al. 2022), as Tuna used it.

The whole prompt is the user's message of the model's own template; `prompt_format: raw` sends it
bare, as the original did. Left out: the cross-lingual track, and proof that instances are the
official ones: their number is checked, their content is not known here.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import ConfigError, DataError, UserError
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.rouge import rouge_l
from tuna_exp.evaluation.superni import coverage
from tuna_exp.evaluation.superni.coverage import Coverage
from tuna_exp.evaluation.superni.prompts import END, Limit, prompt
from tuna_exp.evaluation.superni.scoring import Answer, exact_match, figures
from tuna_exp.evaluation.superni.sources import Found, read_hub, read_local
from tuna_exp.evaluation.superni.tasks import Instance, Task, tasks_digest
from tuna_exp.llms.decoding import Decoding
from tuna_exp.models.loading import load_tokenizer
from tuna_exp.models.sources import ModelSource
from tuna_exp.records import Candidate, Instruction, Prediction

SCORING = 1  # to be raised with every change of prompts or scores: old results are then not reused
_NAMED = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SuperNIBenchmark:
    """The first `instances` of every listed task, with `shots` positive examples in the prompt.

    `path` is a checkout of natural-instructions, a folder or a tar of its task files; where
    `hub_id` names a dataset of the Hub, that is read instead, at `revision`. `task_list` is a file
    of task names (null: the source's own list). Prompts are kept to `max_source_tokens` of the
    tokenizer of `tokenizer_of` (null: no limit). Answers are greedy, `batch_size` at a time.
    """

    name: str
    path: str | None
    task_list: str | None
    hub_id: str | None
    revision: str | None
    shots: int
    instances: int
    max_source_tokens: int | None
    tokenizer_of: ModelSource
    max_new_tokens: int
    batch_size: int

    def items(self) -> list[Instruction]:
        """Return the items, task by task in the order of the list.

        What is missing of the official test set is logged and marked in all figures.

        Raises:
            ConfigError: neither `path` nor `hub_id`, or what the source does not have.
            UserError: data that is not there or broken, or a task with too few examples.
        """
        self._tell_missing()
        limit = self._limit()
        items = [
            self._item(task, instance, limit)
            for task in self._found.tasks
            for instance in task.instances
        ]
        if not items:
            raise DataError(
                f"evaluation.{self.name}: the {len(self._found.tasks)} tasks of "
                f"{self.path or self.hub_id} have no instance. Cure: the task files of the "
                "natural-instructions release."
            )
        cut = sum(not item.instruction.endswith(END) for item in items)
        if cut:
            _log.warning(
                "%s: %d of %d prompts are cut at %s tokens, as the protocol has it; they ask no "
                "question any more", self.name, cut, len(items), self.max_source_tokens,
            )  # fmt: skip
        return items

    def coverage(self) -> Coverage:
        """Return how much of the official test set the source has, before anything is answered."""
        with_instances = [task for task in self._found.tasks if task.instances]
        instances = sum(len(task.instances) for task in with_instances)
        return coverage.of_all(self._found.names, len(with_instances), instances)

    def decoding(self) -> Decoding:
        """Return greedy decoding, one response."""
        return Decoding.greedy(self.max_new_tokens)

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score one answer: `score` is ROUGE-L and `passed` exact match, by the best reference."""
        references = Answer.of(instruction).references
        return Prediction(
            instruction=instruction,
            text=answer.text,
            tokens=answer.tokens,
            passed=exact_match(references, answer.text),
            score=rouge_l(references, answer.text),
        )

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return ROUGE-L and exact match over all, per category and per task (see `scoring`)."""
        return figures(predictions, self._found.names, bootstrap)

    def digest(self) -> dict[str, object]:
        """Return what decides items and scores, and how much of the test set they are."""
        limit: dict[str, object] | None = None
        if self.max_source_tokens is not None:
            limit = {"tokens": self.max_source_tokens, "of": self.tokenizer_of.digest()}
        there = self.coverage()
        return {
            "benchmark": "superni",
            "scoring": SCORING,
            "names": list(self._found.names),
            "sha256": tasks_digest(self._found.tasks),
            "tasks": there.tasks,
            "instances": there.instances,
            "whole": there.whole,
            "shots": self.shots,
            "source_limit": limit,
            "max_new_tokens": self.max_new_tokens,
            "batch_size": self.batch_size,
        }

    @cached_property
    def _found(self) -> Found:
        self._check()
        task_list = Path(self.task_list) if self.task_list else None
        if self.hub_id is not None:
            return read_hub(self.hub_id, self.revision, task_list, self.instances)
        return read_local(Path(str(self.path)), task_list, self.instances)

    def _check(self) -> None:
        if self.path is None and self.hub_id is None:
            raise ConfigError(
                f"evaluation.{self.name}: path=null and hub_id=null; one of them is needed. Cure: "
                f"evaluation.{self.name}.path=<checkout of natural-instructions, or a tar of its "
                f"task files>, or evaluation.{self.name}.hub_id=<dataset of the Hub>."
            )
        if self.hub_id is None and self.revision is not None:
            raise ConfigError(
                f"{self.name}: revision={self.revision} with path={self.path}, which has none; "
                "allowed: null. Cure: revision=null."
            )
        if self.hub_id is not None and self.shots:
            raise ConfigError(
                f"{self.name}: shots={self.shots} with hub_id={self.hub_id}; such data has no "
                "examples, so 0 is allowed. Cure: shots=0, or path=<checkout or tar>."
            )

    def _limit(self) -> Limit | None:
        if self.max_source_tokens is None:
            return None
        return Limit(load_tokenizer(self.tokenizer_of.resolve()), self.max_source_tokens)

    def _item(self, task: Task, instance: Instance, limit: Limit | None) -> Instruction:
        if len(task.examples) < self.shots:
            raise UserError(
                f"{self.name}: {task.name} has {len(task.examples)} positive examples, "
                f"{self.shots} are needed. Cure: shots={len(task.examples)}, or the task file of "
                "the natural-instructions release."
            )
        answer = Answer(task=task.name, category=task.category, references=instance.references)
        return Instruction(
            id=f"{task.name}/{instance.id}",
            instruction=prompt(task, instance.input, self.shots, limit),
            reference=instance.references[0],
            kind=task.name,
            split="test",
            check=answer.check(),
        )

    def _tell_missing(self) -> None:
        there = self.coverage()
        if there.whole:
            return
        gone = coverage.missing(self._found.names, self._found.tasks)
        named = ", ".join(gone[:_NAMED]) + (" and others" if len(gone) > _NAMED else "")
        _log.warning(
            "%s is not the whole test set: %s%s. Its figures are marked and cannot be compared "
            "with published ones.",
            self.name,
            there,
            f"; tasks without an instance ({len(gone)}): {named}" if gone else "",
        )
