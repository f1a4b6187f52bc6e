"""Where the tasks come from: a checkout of natural-instructions, an archive of it, or the Hub.

An archive is read in place and nothing is unpacked, so that no member of it can write anywhere.
Left out: which tasks and instances there should have been (`official`, `coverage`); what is not
there is simply not returned.
"""

import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from tuna_exp.datasets.checking import NotBlank, Shape, Text, Texts, fit
from tuna_exp.datasets.hub import hub_rows
from tuna_exp.datasets.reading import MalformedError, read_text, require_whole
from tuna_exp.errors import DataError
from tuna_exp.evaluation.superni.tasks import Instance, Task, parse_task

LISTS = ("splits/default/test_tasks.txt", "test_tasks.txt")
# The largest file of the release has some 30 MB; more in one member is no task.
_LARGEST_MEMBER = 256 * 2**20
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError)


@dataclass(frozen=True)
class Found:
    """The tasks that a source was asked for, by `names`, and those it has, in that order."""

    names: tuple[str, ...]
    tasks: tuple[Task, ...]


class Shelf(Protocol):
    """Files by relative name, wherever they lie."""

    def names(self) -> list[str]:
        """Return the names, with slashes."""

    def read(self, name: str) -> bytes:
        """Return a file's content; raises DataError where it may not or cannot be read."""


@dataclass(frozen=True)
class Folder:
    """A checkout, or a folder of task files."""

    path: Path

    def names(self) -> list[str]:
        """Return the task files in the folder and in `tasks`, and the lists of test tasks."""
        patterns = ("*.json", "tasks/*.json", *LISTS)
        found = (path for pattern in patterns for path in self.path.glob(pattern))
        return [path.relative_to(self.path).as_posix() for path in found]

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise DataError(
                f"{self.path / name} cannot be read: {error.strerror}. Cure: check its rights."
            ) from error


@dataclass(frozen=True)
class Archive:
    """An open tar archive, compressed or not, by the names of its members."""

    path: Path
    tar: tarfile.TarFile
    members: Mapping[str, tarfile.TarInfo]

    def names(self) -> list[str]:
        """Return the names of all members but folders."""
        return list(self.members)

    def read(self, name: str) -> bytes:
        """Return a member's content; links, devices, odd paths and giants are refused."""
        member = self.members[name]
        parts = PurePosixPath(name).parts
        if not member.isreg() or ".." in parts or name.startswith("/"):
            raise DataError(
                f"{self.path}: member {name} is a link, a device or lies outside the archive; "
                "allowed: plain files below it. Cure: pack the task files themselves again."
            )
        if member.size > _LARGEST_MEMBER:
            raise DataError(
                f"{self.path}: member {name} has {member.size} bytes; allowed: "
                f"{_LARGEST_MEMBER}. Cure: take the file from the natural-instructions release."
            )
        content = self.tar.extractfile(member)
        return content.read() if content else b""


def read_local(path: Path, task_list: Path | None, limit: int) -> Found:
    """Read the first `limit` instances of the listed tasks from a folder or a tar archive.

    `task_list` is a file of one task name per line; None takes the source's own, or the
    `test_tasks.txt` beside it.

    Raises:
        DataError: there is nothing at `path`, no list, none of its tasks, or a file is broken.
    """
    path = path.expanduser()
    with _opened(path) as shelf:
        files = shelf.names()
        names = _listed_in(task_list) if task_list else _listed(shelf, files, path)
        places = {name: place for name in names if (place := _place(name, files, path))}
        tasks = [
            parse_task(name, shelf.read(place), f"{path}: {place}", limit)
            for name, place in places.items()
        ]
    if not tasks:
        raise DataError(
            f"{path} has none of the {len(names)} listed tasks, such as {names[0]}.json; it holds "
            f"{', '.join(sorted(files)[:5]) or 'no JSON file'}. Cure: path=<checkout of "
            "natural-instructions, or a tar of its task files>."
        )
    return Found(names, tuple(tasks))


class _HubRow(Shape):
    task_name: NotBlank
    id: NotBlank
    definition: NotBlank
    inputs: Text
    targets: Text | Texts


def read_hub(hub_id: str, revision: str | None, task_list: Path | None, limit: int) -> Found:
    """Read the first `limit` instances of the listed tasks from a Hub dataset's test split.

    One row is an instance with one output (rows of one id are joined) or a list of outputs, in the
    columns task_name, id, definition, inputs and targets, as in Muennighoff/natural-instructions.
    Such data has neither categories nor examples. Without a `task_list` every task is taken.

    Raises:
        DataError: a row has not these columns, or no row is of a listed task.
        UserError: the dataset cannot be had.
    """
    rows = hub_rows(hub_id, "test", None, revision=revision, cure="path=<checkout or tar>")
    listed = None if task_list is None else _listed_in(task_list)
    definitions = dict[str, str]()
    instances = dict[str, dict[str, Instance]]()
    for index, value in enumerate(rows.values):
        try:
            row = fit(_HubRow, value)
        except MalformedError as error:
            raise DataError(
                f"{rows.place(index)}: {error}. Cure: name a dataset with the columns "
                f"{', '.join(_HubRow.model_fields)}, or read a local copy: path=<checkout or tar>."
            ) from error
        if listed is not None and row.task_name not in listed:
            continue
        definitions.setdefault(row.task_name, row.definition)
        of_task = instances.setdefault(row.task_name, {})
        outputs = (row.targets,) if isinstance(row.targets, str) else tuple(row.targets)
        before = of_task.get(row.id)
        if before or len(of_task) < limit:
            references = (before.references if before else ()) + outputs
            of_task[row.id] = Instance(row.id, row.inputs, references)
    names = listed or tuple(instances)
    tasks = [
        Task(name, "", definitions[name], (), tuple(instances[name].values()))
        for name in names
        if name in instances
    ]
    if not tasks:
        raise DataError(
            f"{hub_id} has no row of the {len(names)} tasks of {task_list}, such as {names[0]}. "
            "Cure: task_list=null, or the list that belongs to this dataset."
        )
    return Found(names, tuple(tasks))


@contextmanager
def _opened(path: Path) -> Iterator[Shelf]:
    if path.is_dir():
        yield Folder(path)
        return
    if not path.is_file():
        raise DataError(
            f"{path} does not exist. Cure: path=<checkout of natural-instructions, or a tar of its "
            f"task files>; a relative one starts at {Path.cwd()}."
        )
    with _told_if_damaged(path), tarfile.open(path) as tar:
        members = {m.name.removeprefix("./"): m for m in tar.getmembers() if not m.isdir()}
        require_whole(tar)
        yield Archive(path, tar, members)


@contextmanager
def _told_if_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise DataError(
            f"{path} is no tar archive, or is cut short or damaged "
            f"({str(error).splitlines()[0].rstrip(':')}). Cure: download or "
            "pack it again; `tar tf` tells whether a copy is whole."
        ) from error


def _listed(shelf: Shelf, files: list[str], path: Path) -> tuple[str, ...]:
    inside = next((f for end in LISTS for f in files if PurePosixPath(f).match(end)), None)
    if inside is not None:
        return _task_names(shelf.read(inside).decode("utf-8", "replace"), f"{path}: {inside}")
    beside = path.parent / PurePosixPath(LISTS[-1]).name
    if beside.is_file():
        return _listed_in(beside)
    raise DataError(
        f"{path} has no list of test tasks ({' or '.join(LISTS)}), nor is one beside it; without "
        "it nobody can say what is missing. Cure: task_list=<file with one task name per line>."
    )


def _listed_in(task_list: Path) -> tuple[str, ...]:
    return _task_names(read_text(task_list.expanduser()), str(task_list))


def _task_names(text: str, place: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split()))
    if not names:
        raise DataError(f"{place} names no task. Cure: task_list=<file with one name per line>.")
    return names


def _place(name: str, files: list[str], path: Path) -> str | None:
    """Return where a task's file is, in a folder `tasks` where there are more; None: nowhere."""
    found = [file for file in files if PurePosixPath(file).name == f"{name}.json"]
    if len(found) > 1:
        found = [file for file in found if PurePosixPath(file).parent.name == "tasks"] or found
    if len(found) > 1:
        raise DataError(
            f"{path} has {len(found)} files of {name}: {', '.join(found)}; allowed: one. "
            "Cure: remove all but one."
        )
    return found[0] if found else None
