"""Where segments come from: a file of JSON lines, or a folder of a TSV file per language pair.

The latter is what `sacrebleu -t wmt22 -l de-en --echo src ref` prints: source, tab, reference, a
segment on each line. Left out: further references of a segment.
"""

import hashlib
from pathlib import Path

from tuna_exp.datasets.reading import MalformedError, Rows, fingerprint, read_rows, read_text
from tuna_exp.errors import DataError


def read_segments(path: Path) -> Rows:
    """Return rows of pair, index, source and reference. Raises DataError where there are none."""
    path = path.expanduser()
    if not path.is_dir():
        return read_rows(path, None)
    rows, places = list[object](), list[str]()
    for file in _files(path):
        for number, line in enumerate(read_text(file).rstrip("\n").split("\n"), 1):
            rows.append(_row(file.name.partition(".")[0], number, line))
            places.append(f"{file.name} line {number}")
    return Rows(str(path), rows, places.__getitem__)


def segments_digest(path: Path) -> str:
    """Return the SHA-256 of the file, or of the names and contents of the folder's files."""
    path = path.expanduser()
    if not path.is_dir():
        return fingerprint(path)
    told = "".join(f"{file.name} {fingerprint(file)}\n" for file in _files(path))
    return hashlib.sha256(told.encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    found = sorted([*folder.glob("*.tsv"), *folder.glob("*.tsv.gz")])
    if not found:
        inside = ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "nothing"
        raise DataError(
            f"{folder} has no file like de-en.tsv; it holds {inside}. Cure: "
            f"sacrebleu -t wmt22 -l de-en --echo src ref > {folder / 'de-en.tsv'}"
        )
    return found


def _row(pair: str, number: int, line: str) -> object:
    texts = line.split("\t")
    if len(texts) != 2:
        return MalformedError(f"expected source, tab, reference; found {len(texts)} texts")
    return {"pair": pair, "index": number, "source": texts[0], "reference": texts[1]}
