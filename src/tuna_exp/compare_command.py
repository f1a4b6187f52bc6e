"""`tuna-exp compare`: the methods of finished runs in one table, on the screen or as a file.

Every comparison has all formats beside its report; `format` and `out` take one of them elsewhere.
Left out: what is compared how (`runs.compared` and `stages.compare`).
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tuna_exp.errors import UserError, nearest
from tuna_exp.store import Artifact

USAGE = """usage: tuna-exp compare runs=FOLDER[,FOLDER...] [baseline=METHOD] [artifacts=FOLDER]
       [format=markdown|latex|csv|html|json] [out=FILE]

Compare the methods of finished runs; runs that differ by their seed alone are one method.

  tuna-exp compare runs=runs                               all runs below a folder
  tuna-exp compare runs=runs/2026-01-31/12-00-00           a sweep
  tuna-exp compare runs=runs baseline=tuna_p               against another method
  tuna-exp compare runs=runs format=latex out=table.tex    for a paper (booktabs)
  tuna-exp compare runs=/mnt/theirs artifacts=/mnt/store   artifacts were moved there
"""
FILES = {
    "markdown": "table.md",
    "latex": "table.tex",
    "csv": "table.csv",
    "html": "report.html",
    "json": "comparison.json",
}
_KEYS = ("runs", "baseline", "artifacts", "format", "out")


def main(arguments: Sequence[str]) -> int:
    """Compare, show or write, and return the exit status; UserError for what cannot be done."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE)
        return 0
    asked = parsed(arguments)
    form, out = form_of(asked), Path(asked["out"]) if "out" in asked else None
    from tuna_exp.runs import compared, show_comparison

    artifact = compared(
        _folders(asked["runs"]), asked.get("baseline", ""), _folders(asked.get("artifacts", ""))
    )
    if form:
        _give(artifact, form, out)
    else:
        show_comparison(artifact)
    return 0


def parsed(arguments: Sequence[str]) -> dict[str, str]:
    """Return the arguments by key; raises UserError for one that is not known or without value."""
    found = {}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in _KEYS or not value:
            raise UserError(
                f"compare was given '{argument}'; it takes runs=FOLDER or runs=FOLDER,FOLDER, "
                f"baseline=METHOD, artifacts=FOLDER, format={'|'.join(FILES)} and out=FILE."
                f"{nearest(key, _KEYS) if key not in _KEYS else ''} Cure: give the folder that a "
                "run or a sweep wrote, runs/DATE/TIME."
            )
        found[key] = value
    if "runs" not in found:
        raise UserError(
            "compare was not told what to compare; it takes runs=FOLDER or runs=FOLDER,FOLDER. "
            "Cure: give the folder that a run or a sweep wrote, runs/DATE/TIME."
        )
    return found


def form_of(asked: dict[str, str]) -> str:
    """Return the format that is asked for, by name or by the ending of the file; "" for a screen.

    Raises UserError where there is none of that name, or nowhere for it to go.
    """
    out = Path(asked["out"]) if "out" in asked else None
    endings = {Path(file).suffix: name for name, file in FILES.items()}
    form = asked.get("format") or (endings.get(out.suffix, out.suffix or out.name) if out else "")
    if form and form not in FILES:
        raise UserError(
            f"format={form}: allowed are {', '.join(FILES)}.{nearest(form, FILES)} Cure: one of "
            "them, or out=FILE with one of the endings " + ", ".join(endings) + "."
        )
    if form == "html" and out is None:
        raise UserError("format=html is a page of its own. Cure: out=report.html.")
    if out is not None and not out.absolute().parent.is_dir():
        raise UserError(
            f"out={out}: there is no folder {out.absolute().parent}. Cure: make it, or out=FILE "
            "elsewhere."
        )
    return form


def _give(artifact: Artifact, form: str, out: Path | None) -> None:
    made = artifact.folder / FILES[form]
    if out is None:
        sys.stdout.write(made.read_text(encoding="utf-8"))
    else:
        shutil.copyfile(made, out)


def _folders(names: str) -> list[Path]:
    return [Path(name) for name in names.split(",") if name]
