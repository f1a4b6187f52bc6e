"""Keep what a run measured beside its experiment, and show it in the README.

    python experiments/record.py RUN_FOLDER NAME

copies the comparison of a run to experiments/NAME/ and its table into the README, between the
markers of that name. Nothing is rounded or chosen by hand.
"""

import json
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ("table.md", "table.csv", "figures.csv", "comparison.json")


def record(run: Path, name: str) -> None:
    """Copy a run's comparison to experiments/NAME and into the README."""
    made = json.loads((run / "run.json").read_text(encoding="utf-8"))
    comparison = Path(made["artifacts"]) / "compare" / made["comparison"]
    kept = ROOT / "experiments" / name
    kept.mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        shutil.copyfile(comparison / file, kept / file)
    readme = ROOT / "README.md"
    table = (kept / "table.md").read_text(encoding="utf-8")
    readme.write_text(inserted(readme.read_text(encoding="utf-8"), name, table), encoding="utf-8")


def inserted(text: str, name: str, table: str) -> str:
    """Return the text with the table between its two markers."""
    begin, end = f"<!-- {name}: ", f"<!-- end of {name} -->"
    pattern = re.compile(rf"({re.escape(begin)}[^\n]*\n).*?({re.escape(end)})", re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}\n{table.strip()}\n\n{found[2]}", text)


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2])
