"""The official test set: how many tasks and instances it has, so that a part is never taken for it.

Facts of the Tk-Instruct release (Wang et al. 2022): 119 English tasks in 12 categories, the first
100 instances of each, 11,810 in all because two tasks are shorter. The names themselves come with
the data (`splits/default/test_tasks.txt`); here is only what they must hash to.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

Metric = Literal["ROUGE-L", "exact match"]
ROUGE_L: Metric = "ROUGE-L"
EXACT_MATCH: Metric = "exact match"


class Category(NamedTuple):
    """How many tasks and instances a category has, and the metric that is reported for it."""

    tasks: int
    instances: int
    reported: Metric


CATEGORIES: Mapping[str, Category] = {
    "Textual Entailment": Category(24, 2400, EXACT_MATCH),
    "Cause Effect Classification": Category(7, 700, EXACT_MATCH),
    "Coreference Resolution": Category(14, 1400, EXACT_MATCH),
    "Dialogue Act Recognition": Category(7, 700, EXACT_MATCH),
    "Answerability Classification": Category(13, 1300, EXACT_MATCH),
    "Word Analogy": Category(8, 800, EXACT_MATCH),
    "Overlap Extraction": Category(2, 200, ROUGE_L),
    "Keyword Tagging": Category(5, 500, ROUGE_L),
    "Question Rewriting": Category(11, 1100, ROUGE_L),
    "Title Generation": Category(18, 1784, ROUGE_L),
    "Data to Text": Category(9, 826, ROUGE_L),
    "Grammar Error Correction": Category(1, 100, ROUGE_L),
}
TASKS = sum(category.tasks for category in CATEGORIES.values())
INSTANCES = sum(category.instances for category in CATEGORIES.values())
INSTANCES_OF_A_TASK = 100
_SHORTER = {
    "task602_wikitext-103_answer_generation": 84,
    "task760_msr_sqa_long_text_generation": 26,
}
_NAMES = "a8b01cadd95b83834369525d0af259b92390c49786dbe8af91284b9ddea12121"


def task_instances(task: str) -> int:
    """Return how many of a task's instances the test set has."""
    return _SHORTER.get(task, INSTANCES_OF_A_TASK)


def is_official(names: Collection[str]) -> bool:
    """Whether these are the 119 tasks, in any order."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest() == _NAMES
