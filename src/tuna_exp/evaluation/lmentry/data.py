"""The task files as published, read from a tar or a folder; nothing is ever unpacked to disk.

LMentry is an evaluation set: its authors ask that it stay out of training data, so nothing here
makes training records of it. Its `resources` served to build it and are not read.
"""

import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from tuna_exp.datasets.reading import require_whole
from tuna_exp.errors import DataError
from tuna_exp.evaluation.lmentry.tasks import FILES, TEMPLATES
from tuna_exp.records import Check, Instruction

# The largest published file has 1.5 MB; more than this is another thing, or made to fill memory.
_LARGEST_BYTES = 32 * 2**20
_AGAIN = (
    "Cure: get LMentry's data folder again, whole, and name it or a tar of it with "
    "evaluation.lmentry.path."
)

_Words = list[str]
_Text = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")]
_Choice: dict[str, Any] = {
    "answer": _Text, "distractor": _Text, "answer_index": Annotated[int, Field(ge=0, le=1)],
}  # fmt: skip
_Pair: dict[str, Any] = {**_Choice, "word1": _Text, "word2": _Text}
_Query: dict[str, Any] = {**_Choice, "query": _Text}
_Numbers: dict[str, Any] = {"n1": int, "n2": int, **_Choice, "answer": int, "distractor": int}
_Counts: dict[str, Any] = {"category": _Text, "num_words": int, "num_distractors": int}
_Options: dict[str, Any] = {
    "category": _Text, "answer": _Text, "answer_index": int, "distractors": _Words,
}  # fmt: skip
_Sentence: dict[str, Any] = {"sentence": _Text, "answer": _Text}
_Letter: dict[str, Any] = {"letter": Annotated[str, Field(pattern="^[a-z]$")]}

# What the scorer of each task reads.
_NEEDS: Mapping[str, dict[str, Any]] = {
    **dict.fromkeys(("sentence_containing", "sentence_not_containing"), {"word": _Text}),
    **dict.fromkeys(("starts_with_word", "ends_with_word"), {"word": _Text}),
    **dict.fromkeys(("word_containing", "word_not_containing"), _Letter),
    **dict.fromkeys(("starts_with_letter", "ends_with_letter"), _Letter),
    **dict.fromkeys(("bigger_number", "smaller_number"), _Numbers),
    **dict.fromkeys(("more_letters", "less_letters", "first_alphabetically"), _Pair),
    **dict.fromkeys(("rhyming_word", "homophones"), _Query),
    **dict.fromkeys(("any_words_from_category", "all_words_from_category"), _Counts),
    **dict.fromkeys(("most_associated_word", "least_associated_word"), _Options),
    **dict.fromkeys(("first_word", "last_word"), _Sentence),
    **dict.fromkeys(("first_letter", "last_letter"), {"word": _Text, "answer": _Text}),
    **dict.fromkeys(("word_after", "word_before"), {**_Sentence, "query": _Text}),
}


class _Settings(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str
    num_examples_per_template: Annotated[int, Field(ge=1)]
    input_templates: Annotated[list[str], Field(min_length=TEMPLATES, max_length=TEMPLATES)]


class _Example(BaseModel):
    model_config = ConfigDict(strict=True)

    input: Annotated[str, Field(min_length=1)]
    metadata: dict[str, Any]


class _TaskFile(BaseModel):
    model_config = ConfigDict(strict=True)

    settings: _Settings
    examples: dict[Annotated[str, Field(pattern=r"^\d+$")], _Example]


def read_files(path: Path) -> dict[str, bytes]:
    """Return the content of the 41 task files by name, in LMentry's order.

    `path` is a folder with the files, or with a folder `data` of them, or a tar of either, packed
    or not.

    Raises:
        DataError: nothing there, no tar, an unsafe member, a file that is missing or too large.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist; a relative path starts at {Path.cwd()}. {_AGAIN}")
    found = dict(_from_folder(path) if path.is_dir() else _from_tar(path))
    missing = [name for name in FILES if name not in found]
    if missing:
        told = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DataError(
            f"{path} has {len(FILES) - len(missing)} of LMentry's {len(FILES)} task files; missing "
            f"as <name>.json: {told}. {_AGAIN}"
        )
    return {name: found[name] for name in FILES}


def content_digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of names and contents, however they were packed."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return whole.hexdigest()


def instructions(files: Mapping[str, bytes], per_template: int | None) -> list[Instruction]:
    """Return an instruction for each example, the first `per_template` (None: all) per template.

    `kind` is the file's name, `split` core or argument_content; `check` names the task that scores
    and has the example's metadata, with `argument_tuple`, the place of its arguments: the same
    arguments come once under each template.

    Raises:
        DataError: a file that is no task file, is not whole, or lacks what its scorer reads.
    """
    return [item for name in files for item in _file_items(name, files[name], per_template)]


def _file_items(name: str, content: bytes, per_template: int | None) -> Iterator[Instruction]:
    task, task_file = FILES[name], _parse(name, content)
    seen = [0] * TEMPLATES
    for key in sorted(task_file.examples, key=int):
        example = task_file.examples[key]
        template = _checked(name, key, example.metadata)
        place, seen[template] = seen[template], seen[template] + 1
        if per_template is not None and place >= per_template:
            continue
        yield Instruction(
            id=f"{name}/{key}",
            instruction=example.input,
            kind=name,
            split="core" if task == name else "argument_content",
            check=Check(
                name=f"lmentry/{task}", arguments={**example.metadata, "argument_tuple": place}
            ),
        )
    expected = task_file.settings.num_examples_per_template
    if seen != [expected] * TEMPLATES:
        told = ", ".join(map(str, seen))
        raise DataError(
            f"LMentry's {name} has {told} examples under its {TEMPLATES} templates; its settings "
            f"say {expected} each (num_examples_per_template). {_AGAIN}"
        )


def _parse(name: str, content: bytes) -> _TaskFile:
    try:
        made = _TaskFile.model_validate(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"LMentry's {name}.json is not a task file: {_first(error)}. {_AGAIN}"
        ) from error
    if made.settings.name != name:
        raise DataError(
            f"LMentry's {name}.json is of the task {made.settings.name!r}; allowed: {name}. "
            f"{_AGAIN}"
        )
    return made


def _checked(name: str, key: str, metadata: Mapping[str, Any]) -> int:
    """Return the template, after a look at all that the scorer will read."""
    try:
        _metadata_of(FILES[name]).model_validate(metadata)
    except ValidationError as error:
        raise DataError(
            f"LMentry's {name} example {key}: metadata.{_first(error)}. {_AGAIN}"
        ) from error
    return int(metadata["template_id"])


@cache
def _metadata_of(task: str) -> type[BaseModel]:
    needs = {**_NEEDS[task], "template_id": Annotated[int, Field(ge=0, lt=TEMPLATES)]}
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in needs.items()}
    return create_model(f"{task} metadata", __config__=ConfigDict(strict=True), **fields)


def _from_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    folder = path / "data" if (path / "data").is_dir() else path
    for file in sorted(folder.glob("*.json")):
        if file.stem in FILES:
            _refuse_large(file.name, file.stat().st_size)
            yield file.stem, file.read_bytes()


def _from_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                yield from _member(path, archive, member)
            require_whole(archive)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise DataError(
            f"{path} is no tar and no folder, or is cut short or damaged ({reason}). {_AGAIN}"
        ) from error


def _member(
    path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo
) -> Iterator[tuple[str, bytes]]:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isreg() or member.isdir()):
        raise DataError(
            f"{path} has the member {member.name!r}; allowed: plain files and folders below it, no "
            f"links. {_AGAIN}"
        )
    if not member.isreg() or name.suffix != ".json" or name.stem not in FILES:
        return
    _refuse_large(member.name, member.size)
    stream = archive.extractfile(member)
    if stream is not None:
        yield name.stem, stream.read()


def _refuse_large(name: str, size: int) -> None:
    if size > _LARGEST_BYTES:
        raise DataError(
            f"{name} has {size} bytes; allowed for a task file: {_LARGEST_BYTES}. {_AGAIN}"
        )


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        found = error.errors()[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error)
