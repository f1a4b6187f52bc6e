"""`tuna-exp new KIND NAME`: a class, its option and a test of a part of the user's own.

What is written works as it is: the test passes and `tuna-exp` runs with it. The templates are in
`new_parts/`. Left out: kinds with more than one class to write, such as objectives.
"""

import argparse
import ast
import importlib.util
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from tuna_exp.errors import ConfigError, UserError, nearest

# What the written option is tried with: the run of seconds, and the method that it has a part in.
KINDS = {
    "ranker": "experiment=tiny method=tuna_c ranker={name}",
    "teacher": "experiment=tiny method=tuna_p teacher={name}",
    "dataset": "experiment=tiny dataset={name}",
    "ranking_loss": "experiment=tiny ranking_loss={name}",
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def main(arguments: Sequence[str], settings: Path) -> int:
    """Write a part and say what to do next; returns 0.

    `settings` is the folder of our YAML files. Raises UserError for a name that cannot be used and
    where a file is there already; nothing is written then.
    """
    given = _parser().parse_args(arguments)
    check_kind(given.kind)
    check_name(given.kind, given.name, settings)
    folder: Path = given.into
    texts = {folder / place: text for place, text in written(given.kind, given.name).items()}
    there = [str(path) for path in texts if path.exists() or path.is_symlink()]
    if there:
        raise UserError(
            f"{', '.join(there)}: there already; nothing was written. Cure: another NAME, or "
            "another folder with --into FOLDER."
        )
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{error.filename}: {error.strerror}. Cure: another folder with --into FOLDER."
        ) from error
    sys.stdout.write(told(given.kind, given.name, folder, list(texts)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tuna-exp new",
        description="Write a part of your own to start from: class, option and test.",
    )
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="of module and option; my_name gives MyName")
    parser.add_argument("--into", type=Path, default=Path("."), metavar="FOLDER", help="where to")
    return parser


def check_kind(kind: str) -> None:
    """Raise ConfigError for a kind of part that there is no template of."""
    if kind not in KINDS:
        raise ConfigError(
            f"new {kind}: no such kind.{nearest(kind, KINDS)} Allowed: {', '.join(KINDS)}."
        )


def check_name(kind: str, name: str, settings: Path) -> None:
    """Raise ConfigError for a name that cannot be a module's and an option's, or is taken."""
    reason = None
    if not _NAME.fullmatch(name):
        reason = "it must be a Python identifier of at most 40 lower-case letters, digits and _"
    elif not isinstance(yaml.safe_load(name), str) or name in ("nan", "inf", "none"):
        reason = "YAML or Hydra reads it as a value"
    elif (settings / kind / f"{name}.yaml").is_file():
        reason = f"there is an option {kind}={name} already"
    elif importlib.util.find_spec(name) is not None and not Path(f"{name}.py").is_file():
        reason = "there is a Python module of that name, which yours would hide"
    elif keyworded(name):
        reason = "Python keeps it for itself"
    elif class_name(name) in _imported(kind):
        reason = f"its class would be {class_name(name)}, which it imports"
    if reason:
        raise ConfigError(f"{name!r}: {reason}. Cure: another NAME, such as my_{kind}.")


def keyworded(name: str) -> bool:
    """Whether Python keeps a name, or the class's, for itself."""
    try:
        ast.parse(f"import {name}\nclass {class_name(name)}: ...")
    except SyntaxError:
        return True
    return False


def class_name(name: str) -> str:
    """Return my_name as MyName."""
    return "".join(part.capitalize() for part in name.split("_"))


def _imported(kind: str) -> set[str]:
    """Return the names that the templates of a kind import."""
    texts = (text for place, text in written(kind, "x").items() if place.endswith(".py"))
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module != "x"]
    return {alias.name for node in froms for alias in node.names}


def written(kind: str, name: str) -> dict[str, str]:
    """Return the text of each file of a new part, by its path below the folder."""
    loader = PackageLoader("tuna_exp", "new_parts")
    environment = Environment(
        loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    places = {
        f"{name}.py": "py",
        f"conf/{kind}/{name}.yaml": "yaml",
        f"test_{name}.py": "test",
    }
    return {
        place: environment.get_template(f"{kind}.{form}.jinja").render(
            name=name, made=class_name(name)
        )
        for place, form in places.items()
    }


def told(kind: str, name: str, folder: Path, paths: Sequence[Path]) -> str:
    """Return what was written and the next commands."""
    place, conf = shlex.quote(str(folder)), shlex.quote(str(folder / "conf"))
    tried = KINDS[kind].format(name=name)
    return "".join(
        [
            "Written:\n",
            *(f"  {path}\n" for path in paths),
            "Its test, and a run of seconds with it:\n",
            f"  pytest {shlex.quote(str(folder / f'test_{name}.py'))}\n",
            f"  PYTHONPATH={place} tuna-exp --config-dir {conf} {tried}\n",
        ]
    )
