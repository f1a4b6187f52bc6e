"""`tuna-exp artifacts`: see what is in the store, why it is there, and remove what is not needed.

Nothing here builds, and only `prune --yes` deletes. An artifact that a running step reads is safe
because the step's unfinished folder names it as an input.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from tuna_exp.errors import UserError, nearest
from tuna_exp.progress import spoken_time
from tuna_exp.reasons import Reasons, flat, nearest_earlier
from tuna_exp.store import Artifact, Entry, Store, modified
from tuna_exp.unfinished import Notebook

_SHORT = 8
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_STATES = ("finished", "unfinished", "damaged")


def main(argv: Sequence[str]) -> int:
    """Run one subcommand and return the exit status; raises UserError for what cannot be done."""
    arguments = _parser().parse_args(argv)
    store = Store(arguments.root)
    # Rich cuts tables to 80 columns where there is no terminal; a pipe has no width.
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    if arguments.command == "list":
        _list(store, console)
    elif arguments.command == "verify":
        return _verify(store, console)
    elif arguments.command == "explain":
        _explain(store, arguments.artifact, console)
    else:
        _prune(store, arguments, console)
    return 0


def store_root() -> Path:
    """Return the artifact folder where none is named: TUNA_EXP_ARTIFACTS or `artifacts`."""
    return Path(os.environ.get("TUNA_EXP_ARTIFACTS", "artifacts"))


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--root", type=Path, default=store_root(), help="artifact folder (%(default)s)"
    )
    parser = argparse.ArgumentParser(prog="tuna-exp artifacts", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", parents=[shared], help="every artifact, the unfinished ones too")
    commands.add_parser(
        "verify", parents=[shared], help="hash every file; what is damaged is set aside (status 1)"
    )
    explain = commands.add_parser("explain", parents=[shared], help="what made one, and why anew")
    explain.add_argument("artifact", metavar="DIGEST|FOLDER", help="the first digits are enough")
    prune = commands.add_parser("prune", parents=[shared], help="show or delete what may go")
    prune.add_argument("--older-than", metavar="AGE", help="such as 12h, 7d or 2w")
    prune.add_argument("--stage", help="only of this stage")
    prune.add_argument("--unfinished", action="store_true", help="only unfinished and damaged ones")
    prune.add_argument("--force", action="store_true", help="also what a kept one was made from")
    prune.add_argument("--yes", action="store_true", help="delete; without it only show")
    return parser


def _list(store: Store, console: Console) -> None:
    entries = store.entries()
    if not entries:
        console.print(f"No artifacts in {store.root} yet.", markup=False)
        return
    headings = ("stage", "label", "digest", "state", "size", "age", "took", "used by")
    table = Table(*headings, box=box.SIMPLE_HEAD)
    for entry in entries:
        users = [e.key[:_SHORT] for e in entries if entry.key in e.made_from.values()]
        row = (*_columns(entry), ", ".join(users))
        table.add_row(*map(Text, row), style=None if entry.state == "finished" else "yellow")
    console.print(table)


def _columns(entry: Entry) -> tuple[str, ...]:
    return (
        entry.folder.parent.name,
        str(entry.manifest.get("label", "?")),
        entry.key[:_SHORT],
        entry.state,
        decimal(_bytes(entry.folder)),
        spoken_time(_age(entry)),
        spoken_time(_took(entry)),
    )


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _age(entry: Entry) -> float:
    return max(time.time() - modified(entry.folder), 0.0)


def _took(entry: Entry) -> float:
    return float(entry.manifest.get("wall_seconds", Notebook(entry.folder).seconds))


def _verify(store: Store, console: Console) -> int:
    """Hash all finished artifacts, set the damaged ones aside, and return 1 where there was one."""
    ended = [entry for entry in store.entries() if entry.state != "unfinished"]
    ended = [entry for entry in ended if "." not in entry.folder.name]  # not set aside before
    damaged = [(entry, names) for entry in ended if (names := _damage(store, entry))]
    for entry, names in damaged:
        fate = "set aside; built anew when needed"
        if not store.set_aside(entry):
            fate = "left: it is being built"
        console.print(f"{_title(entry)}: {names}: {fate}", markup=False, soft_wrap=True)
    console.print(f"{len(ended)} finished artifacts, {len(damaged)} damaged")
    return int(bool(damaged))


def _damage(store: Store, entry: Entry) -> str:
    if entry.state == "damaged":
        return "its manifest, its marker or a size is wrong"
    return ", ".join(store.verify(Artifact(entry.folder, entry.manifest)))


def _explain(store: Store, wanted: str, console: Console) -> None:
    entries = store.entries()
    entry = named(wanted, entries)
    facts = Table.grid(padding=(0, 2))
    for name, value in _summary(entry).items():
        facts.add_row(Text(name), Text(str(value)))
    console.print(facts)
    tree = Tree(Text("made from" if entry.made_from else "made from nothing else"))
    _grow(tree, entry, {e.key: e for e in entries})
    console.print(tree)
    old = nearest_earlier(entry, entries)
    if old is None:
        console.print("the first of its stage: nothing earlier to compare with")
        return
    console.print(f"differs from the earlier {_title(old)} in", markup=False)
    for reason in Reasons(entries).between(old, entry):
        console.print(f"  {reason}", markup=False, soft_wrap=True)


def named(wanted: str, entries: Sequence[Entry]) -> Entry:
    """The entry with this folder or first digits; a finished one before others of one digest."""
    folder = Path(wanted).absolute()
    found = [e for e in entries if e.folder == folder or e.key.startswith(wanted[:16].lower())]
    exact = [e for e in found if e.folder == folder] or found
    if not exact:
        keys = [entry.key for entry in entries]
        hint = nearest(wanted, keys) or nearest(wanted, [key[: len(wanted)] for key in keys])
        raise UserError(
            f"artifact '{wanted}' is not in the store, which has {len(entries)}.{hint} Cure: take "
            "a digest of `tuna-exp artifacts list` or name the store with --root."
        )
    if len({entry.key for entry in exact}) > 1:
        raise UserError(
            f"'{wanted}' is the beginning of {', '.join(sorted({e.key for e in exact}))}. Cure: "
            "give more digits."
        )
    return min(exact, key=lambda entry: _STATES.index(entry.state))


def _title(entry: Entry) -> str:
    return f"{entry.folder.parent.name} {entry.key[:_SHORT]} ({entry.manifest.get('label', '?')})"


def _summary(entry: Entry) -> dict[str, Any]:
    manifest = entry.manifest
    return {
        "artifact": _title(entry),
        "state": entry.state,
        "folder": entry.folder,
        "created": manifest.get("created", "not finished"),
        "took": f"{spoken_time(_took(entry))} in {manifest.get('attempts', '?')} attempt(s)",
        "size": decimal(_bytes(entry.folder)),
        "stage's code": f"version {manifest.get('version', '?')}",
        **{f"setting {k}": v for k, v in flat(manifest.get("settings", {})).items() if k},
        **{f"fact {k}": v for k, v in flat(manifest.get("facts", {})).items() if k},
        **{f"with {k}": v for k, v in flat(manifest.get("environment", {})).items() if k},
    }


def _grow(tree: Tree, entry: Entry, by_key: dict[str, Entry]) -> None:
    for name, key in entry.made_from.items():
        made = by_key.get(key)
        title = _title(made) if made else f"{key[:_SHORT]} (no longer in the store)"
        branch = tree.add(Text(f"{name}: {title}"))
        if made is not None:
            _grow(branch, made, by_key)


def _prune(store: Store, arguments: argparse.Namespace, console: Console) -> None:
    if not (arguments.older_than or arguments.stage or arguments.unfinished):
        raise UserError(
            "prune has nothing to choose by; allowed are --older-than AGE, --stage STAGE and "
            "--unfinished. Cure: give at least one, such as --older-than 30d."
        )
    entries = store.entries()
    wanted = [entry for entry in entries if _matches(entry, arguments)]
    needed = set() if arguments.force else _needed(entries, wanted)
    freed = 0
    for entry in wanted:
        size = _bytes(entry.folder)
        kept = "a kept artifact was made from it" if entry.folder in needed else None
        outcome = f"kept: {kept}" if kept else _remove(store, entry, arguments.yes)
        freed += 0 if outcome.startswith("kept") else size
        console.print(f"{_title(entry)}, {decimal(size)}: {outcome}", markup=False, soft_wrap=True)
    done = "freed" if arguments.yes else "would be freed; nothing was deleted, --yes does it"
    console.print(f"{decimal(freed)} {done}")


def _remove(store: Store, entry: Entry, really: bool) -> str:
    busy = store.is_being_built(entry) if not really else not store.remove(entry)
    if busy:
        return "kept: it is being built"
    return "deleted" if really else "may go"


def _matches(entry: Entry, arguments: argparse.Namespace) -> bool:
    old = not arguments.older_than or _age(entry) > _parsed(arguments.older_than).total_seconds()
    stage = arguments.stage in (None, entry.folder.parent.name)
    return old and stage and (not arguments.unfinished or entry.state != "finished")


def _parsed(age: str) -> timedelta:
    match = re.fullmatch(r"(\d+)([mhdw])", age)
    if match is None:
        raise UserError(
            f"--older-than is '{age}'; allowed is a whole number with m, h, d or w. Cure: write 7d "
            "for seven days."
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _needed(entries: Sequence[Entry], wanted: Sequence[Entry]) -> set[Path]:
    """Folders that the entries which stay were made from, however far back."""
    by_key: dict[str, list[Entry]] = {}
    for entry in entries:
        by_key.setdefault(entry.key, []).append(entry)
    going = {entry.folder for entry in wanted}
    open_ends = [e for e in entries if e.folder not in going and e.state != "damaged"]
    needed: set[Path] = set()
    while open_ends:
        for key in open_ends.pop().made_from.values():
            fresh = [e for e in by_key.get(key, []) if e.folder not in needed]
            used = [e for e in fresh if e.state != "damaged"]
            needed.update(e.folder for e in used)
            open_ends += used
    return needed
