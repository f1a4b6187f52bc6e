"""`tuna-exp config`: what will run, and where each value comes from.

Words without "=" choose keys: a group, a dotted key, or any part of one; * stands for anything.
What is wrong with the config is told below it. Nothing is run or written; torch is not asked which
precision the machine has.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuna_exp.composing import SETTINGS, checked, loading, parser
from tuna_exp.config_sources import Choice, Sources, Value, sources
from tuna_exp.config_types import check_config
from tuna_exp.errors import ConfigError, nearest
from tuna_exp.quiet import quiet_screen

_WIDTH = 200  # Rich cuts tables to 80 columns where there is no terminal; a pipe has no width
T = TypeVar("T")


def main(arguments: Sequence[str]) -> int:
    """Show settings with their sources and return 0; raises UserError for what cannot run."""
    asking = parser("config", "What will run, and where each value comes from.")
    asking.usage = "%(prog)s [KEY ...] [GROUP=OPTION ...] [KEY=VALUE ...] [FLAG ...]"
    asking.add_argument("--changed", action="store_true", help="only what is not the default")
    asking.add_argument("--multirun", "-m", action="store_true", help=argparse.SUPPRESS)
    given = asking.parse_intermixed_args(list(arguments))
    if given.multirun:
        raise ConfigError(
            "config -m: it shows the settings of one run. Cure: leave out -m and give one value of "
            "each key; `tuna-exp plan -m` shows what the runs of a sweep would do."
        )
    words = [word for word in given.overrides if "=" not in word and word[:1] not in "+~"]
    given.overrides = [override for override in given.overrides if override not in words]
    checked(given, arguments)
    quiet_screen()
    with loading(given.config_dir) as configs:
        asked = sources(configs, given.overrides)
        usual = sources(configs, []) if given.changed or given.json else None
    choices, values = chosen(asked.choices, words), chosen(asked.values, words)
    if words and not choices and not values:
        raise ConfigError(_nothing(words, asked))
    if given.changed and usual:
        choices = {g: c for g, c in choices.items() if c != usual.choices.get(g)}
        values = {k: v for k, v in values.items() if _differs(v, usual.values.get(k))}
    if given.json and usual:
        told = as_json(choices.values(), values.values(), usual)
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        show(choices.values(), values.values(), usual)
        gone = _gone(chosen(usual.values, words), asked) if usual else []
        if gone:
            console().print(f"No longer there: {', '.join(gone)}.", markup=False, soft_wrap=True)
    check_config(asked.config, SETTINGS)
    return 0


def chosen(by_key: Mapping[str, T], words: Sequence[str]) -> dict[str, T]:
    """Return what is meant by any of the words; all where there is none."""
    return {k: v for k, v in by_key.items() if not words or any(_meant(w, k) for w in words)}


def _meant(word: str, key: str) -> bool:
    """Whether a word is a key, a group of keys, or parts that follow one another in it."""
    return f".{word}." in f".{key.replace('@', '.')}." or fnmatchcase(key, word)


def _nothing(words: Sequence[str], asked: Sources) -> str:
    parts = {part for key in asked.values for part in key.split(".")}
    near = next(filter(None, (nearest(word, {*asked.values, *parts}) for word in words)), "")
    return (
        f"{' '.join(words)}: no key or group of this config.{near} Cure: `tuna-exp config` without "
        "a word shows all keys; a value is given as KEY=VALUE."
    )


def _differs(value: Value, usual: Value | None) -> bool:
    return usual is None or value.value != usual.value


def _gone(usual: Iterable[str], asked: Sources) -> list[str]:
    """Return the keys that the config without arguments has and this one has not."""
    below = {
        ".".join(key.split(".")[:n]) for key in asked.values for n in range(key.count(".") + 1)
    }
    return sorted(set(usual) - set(asked.values) - below)


def console() -> Console:
    """Return where tables go."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)


def show(choices: Iterable[Choice], values: Iterable[Value], usual: Sources | None) -> None:
    """Print options and values with their sources; beside the default where that is asked for."""
    default = ("default",) if usual else ()
    options = _table("group", "option", *default, "chosen in")
    for choice in choices:
        was = usual.choices.get(choice.group) if usual else None
        beside = (was.option if was else "-",) if usual else ()
        options.add_row(*map(Text, (choice.group, choice.option, *beside, choice.source)))
    keys = _table("key", "value", *default, "from")
    for value in values:
        known = usual.values.get(value.key) if usual else None
        beside = (_told(known.value) if known else "-",) if usual else ()
        keys.add_row(*map(Text, (value.key, _told(value.value), *beside, _from(value))))
    for table in (options, keys):
        if table.row_count:
            console().print(table)
    if not options.row_count and not keys.row_count:
        console().print("All of it is as it is without any arguments.")


def _table(key: str, *headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(key, no_wrap=True)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _told(value: Any) -> str:
    return "??? (must be given)" if value == "???" else json.dumps(value, ensure_ascii=False)


def _from(value: Value) -> str:
    computed = "" if value.written == value.value else f": {value.written}"
    return f"{value.source}{computed}"


def as_json(
    choices: Iterable[Choice], values: Iterable[Value], usual: Sources
) -> dict[str, list[dict[str, Any]]]:
    """Return options and values as JSON values."""
    return {
        "options": [vars(choice) for choice in choices],
        "keys": [
            vars(value) | {"default": usual.values[value.key].value}
            if value.key in usual.values
            else vars(value)
            for value in values
        ],
    }
