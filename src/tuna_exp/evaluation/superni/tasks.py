"""One Super-NaturalInstructions task: what its JSON file must hold, and what we keep of it.

Kept are definition, category, positive examples and the first instances. Left out: negative
examples and explanations, which neither the 0-shot nor the 2-shot prompt shows.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import Field

from tuna_exp.datasets.checking import Identifier, NotBlank, S, Shape, Text, Texts, fit
from tuna_exp.datasets.reading import MalformedError
from tuna_exp.errors import DataError

_FIELDS = {
    "categories": "Categories",
    "definitions": "Definition",
    "examples": "Positive Examples",
    "instances": "Instances",
}


@dataclass(frozen=True)
class Example:
    """A positive example: an input and its output."""

    input: str
    output: str


@dataclass(frozen=True)
class Instance:
    """One test instance; `references` are all outputs that count as right, at least one."""

    id: str
    input: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A task with its first instances. `category` is "" where the source does not tell it."""

    name: str
    category: str
    definition: str
    examples: tuple[Example, ...]
    instances: tuple[Instance, ...]


class _ExampleShape(Shape):
    input: Text
    output: Text


class _InstanceShape(Shape):
    id: Annotated[
        Identifier | None, Field(description="a non-blank string, an integer or null")
    ] = None
    input: Text
    output: Texts


class _TaskShape(Shape):
    categories: Texts
    definitions: Annotated[
        NotBlank | list[str], Field(min_length=1, description="a string or a list of strings")
    ]
    examples: Annotated[list[object], Field(description="a list of examples")]
    instances: Annotated[list[object], Field(description="a list of instances")]


def parse_task(name: str, content: bytes, place: str, limit: int) -> Task:
    """Read the first `limit` instances of a task file.

    Raises:
        DataError: it is no whole JSON, a field does not fit, or two instances share an id.
    """
    try:
        shape = fit(_TaskShape, json.loads(content), _FIELDS)
        examples = _fit_each(_ExampleShape, shape.examples, "Positive Examples")
        instances = _fit_each(_InstanceShape, shape.instances[:limit], "Instances")
    except (ValueError, RecursionError) as error:  # MalformedError and UnicodeDecodeError too
        kind = "" if isinstance(error, MalformedError) else "not whole JSON in UTF-8: "
        raise DataError(
            f"{place}: {kind}{error}. Cure: take the file from the natural-instructions release "
            "again."
        ) from error
    definitions = shape.definitions
    task = Task(
        name=name,
        category=shape.categories[0],
        definition=definitions if isinstance(definitions, str) else definitions[0],
        examples=tuple(Example(e.input, e.output) for e in examples),
        instances=tuple(
            Instance(str(n if row.id is None else row.id), row.input, tuple(row.output))
            for n, row in enumerate(instances)
        ),
    )
    _check_ids(task, place)
    return task


def tasks_digest(tasks: Sequence[Task]) -> str:
    """Return the SHA-256 of what the tasks hold, in their order."""
    whole = json.dumps([asdict(task) for task in tasks])
    return hashlib.sha256(whole.encode()).hexdigest()


def _fit_each(shape: type[S], rows: Sequence[object], field: str) -> list[S]:
    fitted = []
    for number, row in enumerate(rows):
        try:
            fitted.append(fit(shape, row))
        except MalformedError as misfit:
            raise MalformedError(f"{field}[{number}]: {misfit}") from misfit
    return fitted


def _check_ids(task: Task, place: str) -> None:
    seen = set[str]()
    for instance in task.instances:
        if instance.id in seen:
            raise DataError(
                f"{place}: two instances have the id '{instance.id}'; allowed: an id of its own "
                "for each. Cure: take the file from the natural-instructions release again."
            )
        seen.add(instance.id)
