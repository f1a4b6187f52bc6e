"""In what two runs may not differ: the same artifacts to the byte, and the same final table.

Logs tell times and are left out, and so is the comparison's report; its table is compared without
what the machine took: time, energy, memory.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from tuna_exp.store import MANIFEST, Entry, Store

# Columns of the table that another run on the same machine would not repeat.
MACHINES = frozenset({"seconds", "joules", "peak_memory_bytes", "tokens_per_second"})


def finished(folder: Path) -> dict[str, Entry]:
    """The finished artifacts of a run by STAGE/KEY."""
    entries = Store(folder / "artifacts").entries()
    return {name(entry): entry for entry in entries if entry.state == "finished"}


def name(entry: Entry) -> str:
    """STAGE/KEY of an artifact."""
    return f"{entry.folder.parent.name}/{entry.key}"


def stamp(entry: Entry) -> tuple[int, int]:
    """What changes where an artifact is built anew: its manifest's inode and time."""
    told = (entry.folder / MANIFEST).stat()
    return told.st_ino, told.st_mtime_ns


def results(entry: Entry) -> dict[str, object]:
    """Size and SHA-256 of an artifact's files, without its logs."""
    return {name: f for name, f in entry.manifest["files"].items() if not name.startswith("logs/")}


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of the comparison, without what the machine took for them."""
    (path,) = folder.glob("artifacts/compare/????????????????/table.csv")
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return [{key: row[key] for key in row if key not in MACHINES} for row in rows]


def differences(calm: Path, disturbed: Path) -> Iterator[str]:
    """Yield each way in which the two runs did not end the same."""
    ours, theirs = finished(calm), finished(disturbed)
    if ours.keys() != theirs.keys():
        yield f"other artifacts: {sorted(ours.keys() ^ theirs.keys())}"
    for key in ours.keys() & theirs.keys():
        if not key.startswith("compare/"):  # its report tells times
            one, two = results(ours[key]), results(theirs[key])
            names = sorted(n for n in {**one, **two} if one.get(n) != two.get(n))
            label = ours[key].manifest["label"]
            yield from (f"{key} ({label}): {name} differs" for name in names)
    if table(calm) != table(disturbed):
        yield "the final tables differ"
