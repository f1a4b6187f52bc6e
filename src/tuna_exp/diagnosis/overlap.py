"""What evaluation sets have in common with a dataset: whole texts and runs of words."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from tuna_exp.datasets.overlap import Index
from tuna_exp.datasets.reading import MalformedError, read_rows, read_text
from tuna_exp.diagnosis.findings import Finding, quote
from tuna_exp.diagnosis.loading import RankedSet
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.records import Instruction

_SUFFIXES = (".json", ".jsonl", ".txt")


def build(
    against: Sequence[Path], held_out: Sequence[Instruction], held_out_name: str, size: int
) -> Index:
    """Index evaluation files, folders of them and the held-out instructions.

    Raises ConfigError for a `size` below 1 and DataError for what cannot be read.
    """
    if size < 1:
        raise ConfigError(f"--ngram is {size}; allowed: 1 or more words. Cure: --ngram 13.")
    index = Index(size)
    own = ([i.text, i.reference or ""] for i in held_out)
    index.add(held_out_name, chain.from_iterable(own))
    for path in chain.from_iterable(map(_files, against)):
        index.add(str(path), texts_of(path))
    return index


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*") if _plain_suffix(p) in _SUFFIXES and p.is_file())
    if not found:
        raise DataError(
            f"--against {path}: the folder holds no {', '.join(_SUFFIXES)} file, gzipped or not. "
            "Cure: name the files of the evaluation set."
        )
    return found


def _plain_suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix


def texts_of(path: Path) -> Iterator[str]:
    """Yield every text of a file: lines of plain text, else all strings of its records.

    Instruction and input of a record are one text, as a model is shown them.
    """
    if _plain_suffix(path) == ".txt":
        yield from read_text(path).splitlines()
        return
    rows = read_rows(path, None)
    for index, row in enumerate(rows.values):
        if isinstance(row, MalformedError):
            raise DataError(f"{rows.place(index)}: {row}. Cure: correct the line.") from row
        yield from _strings(row)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from chain.from_iterable(map(_strings, value))
    elif isinstance(value, dict):
        yield from _joined(value)
        yield from chain.from_iterable(map(_strings, value.values()))


def _joined(row: Mapping[str, object]) -> Iterator[str]:
    instruction, given = row.get("instruction"), row.get("input")
    if isinstance(instruction, str) and isinstance(given, str) and given:
        yield f"{instruction}\n\n{given}"


def overlaps(sets: Sequence[RankedSet], index: Index) -> Iterator[Finding]:
    """Yield, for each evaluation source, the instructions and the responses that are in it."""
    found: dict[tuple[str, str, bool], list[tuple[RankedSet, str]]] = {}
    for one in sets:
        kept: dict[tuple[str, str, bool], str] = {}
        instruction = one.example.instruction
        texts = [("instruction", instruction.text), *(("response", t) for t in one.texts)]
        for part, text in texts:
            shared = index.find(text)
            if shared:
                kept.setdefault((shared.source, part, shared.whole), shared.words)
        for key, words in kept.items():
            found.setdefault(key, []).append((one, words))
    for (source, part, whole), some in sorted(found.items()):
        yield _finding(source, part, whole, some, len(sets), index.size)


def _finding(
    source: str, part: str, whole: bool, some: Sequence[tuple[RankedSet, str]], of: int, size: int
) -> Finding:
    one, words = some[0]
    what = f"an {part}" if part == "instruction" else f"a {part}"
    how = "that is in" if whole else f"with a run of {size} words of"
    return Finding(
        f"{part}_in_evaluation" if whole else f"{part}_shares_words_with_evaluation",
        "error" if whole and part == "instruction" else "warning",
        len(some),
        of,
        "sets",
        f"have {what} {how} the evaluation set {source}: a score on it is flattered.",
        quote(one.example.instruction.id, words),
        "leave these sets out of training, or do not report that evaluation",
    )
