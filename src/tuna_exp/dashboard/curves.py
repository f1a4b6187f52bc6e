"""The curves of a training, also of one that is still writing them, thinned to what a screen shows.

Unlike the comparison's reading of a finished training this one skips a torn last line, and keeps
columns instead of rows: hundreds of curves travel to a browser.
"""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

# More than the pixels of a chart would not be seen; it keeps 100 runs of 1,000 steps at some MB.
POINTS = 400
Columns = dict[str, list[float | None]]
STEP = "step"
_NO_CURVES = ("epoch", "examples", "tokens")  # other axes


def metrics_files(folder: Path) -> list[Path]:
    """The files that the CSV logger wrote below a training's folder, the oldest first."""
    found = [(path.stat().st_mtime_ns, path) for path in folder.glob("logs/**/metrics.csv")]
    return [path for _, path in sorted(found)]


def read_columns(files: Sequence[Path], points: int = POINTS) -> Columns:
    """Return every metric by name, and `step`; a continuation wins over what it repeats.

    Where there are more than `points` steps each value is the mean of a stretch of them. A step
    without a value has None, also where it is not finite.
    """
    by_step: dict[float, dict[str, float]] = {}
    for path in files:
        # What is behind the last line break is still being written.
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
        for row in csv.DictReader(io.StringIO(whole)):
            step = _number(row.get(STEP))
            if step is not None:
                by_step.setdefault(step, {}).update(_known(row))
    steps = sorted(by_step)
    names = sorted({name for row in by_step.values() for name in row} - {STEP, *_NO_CURVES})
    size = max(1, math.ceil(len(steps) / points))
    stretches = [steps[first : first + size] for first in range(0, len(steps), size)]
    columns: Columns = {STEP: [stretch[-1] for stretch in stretches]}
    for name in names:
        columns[name] = [_mean([by_step[s].get(name) for s in some]) for some in stretches]
    return columns


def _known(row: dict[str, str]) -> dict[str, float]:
    values = {name: _number(value) for name, value in row.items() if name}
    return {name: value for name, value in values.items() if value is not None}


def _number(text: object) -> float | None:
    try:
        value = float(text) if isinstance(text, str) else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return rounded(sum(known) / len(known)) if known else None


def rounded(value: float) -> float:
    """Five significant digits: more cannot be seen and would double the page."""
    return float(f"{value:.5g}")
