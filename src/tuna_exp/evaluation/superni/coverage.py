"""How much of the official test set some items are, so that a part is never shown as the whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuna_exp.evaluation.superni.official import (
    CATEGORIES,
    INSTANCES,
    TASKS,
    is_official,
    task_instances,
)
from tuna_exp.evaluation.superni.tasks import Task


@dataclass(frozen=True)
class Coverage:
    """Tasks and instances that are there, and how many the official test set has.

    `of_tasks` and `of_instances` are None where the test set has no such group.
    """

    tasks: int
    instances: int
    of_tasks: int | None
    of_instances: int | None

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, and nothing is there that does not belong."""
        return (self.tasks, self.instances) == (self.of_tasks, self.of_instances)

    def label(self, group: str) -> str:
        """Return the group's name, and what there is of it where that is not the whole."""
        return group if self.whole else f"{group} ({self})"

    def __str__(self) -> str:
        """Such as "118 of 119 tasks, 3,359 of 11,810 instances"; "5 of 100 instances" of a task."""
        if self.of_instances is None:
            return f"not the official test set; tasks: {self.tasks}, instances: {self.instances:,}"
        tasks = "" if self.of_tasks == 1 else f"{self.tasks} of {self.of_tasks} tasks, "
        return f"{tasks}{self.instances:,} of {self.of_instances:,} instances"


def of_all(names: Sequence[str], tasks: int, instances: int) -> Coverage:
    """Coverage of the test set by a list of task names, those that have instances, and these."""
    if not is_official(names):
        return Coverage(tasks, instances, None, None)
    return Coverage(tasks, instances, TASKS, INSTANCES)


def of_category(category: str, tasks: int, instances: int) -> Coverage:
    """Coverage of a category."""
    official = CATEGORIES.get(category)
    if official is None:
        return Coverage(tasks, instances, None, None)
    return Coverage(tasks, instances, official.tasks, official.instances)


def of_task(task: str, instances: int) -> Coverage:
    """Coverage of one task."""
    return Coverage(1, instances, 1, task_instances(task))


def missing(names: Sequence[str], tasks: Sequence[Task]) -> list[str]:
    """Return the listed tasks that are not there or have no instance, in their order."""
    answered = {task.name for task in tasks if task.instances}
    return [name for name in names if name not in answered]
