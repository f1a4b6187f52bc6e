"""`tuna-exp --shell-completion`: commands, groups, options, keys and values in bash, zsh and fish.

The shell's own script (in `completions/`) asks this module for what could stand where the cursor
is. Left out: Hydra's plugin for the same, which knows neither our commands nor a folder given by
--config-dir, and resolves values, for which it would import torch.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from hydra.types import RunMode

from tuna_exp.command_help import groups
from tuna_exp.commands import COMMANDS
from tuna_exp.composing import SETTINGS, loading
from tuna_exp.config_errors import chosen_keys, own_folder
from tuna_exp.config_types import HYDRA_KEYS
from tuna_exp.config_values import rule_for
from tuna_exp.durable import disk_failures
from tuna_exp.errors import ConfigError

SHELLS = ("bash", "zsh", "fish")
_SCRIPTS = Path(__file__).with_name("completions")
_FLAGS = ("-m", "--config-dir", "--cfg", "--info", "--help", "--shell-completion")
# What stands behind a flag.
_TAKES = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
    "--shell-completion": ("bash", "zsh", "fish", "install"),
}
_TAKES_FOLDER = ("-cd", "--config-dir", "--into")


def complete(arguments: Sequence[str]) -> int:
    """Print a shell's script, install it, or answer it; return the exit status.

    Raises ConfigError for what is none of these.
    """
    asked = [a for a in arguments if a not in ("-sc", "--shell-completion")]
    what, _, shell = (asked[0] if len(asked) == 1 else "").partition("=")
    if what == "query" and shell in SHELLS:
        found: list[str] = []
        # Whatever is wrong with a line that is still being typed is told when it is run.
        with suppress(Exception):
            found = candidates(os.environ.get("COMP_LINE", ""))
        sys.stdout.write("".join(f"{candidate}\n" for candidate in found))
    elif what == "install" and (shell or _own_shell()) in SHELLS:
        sys.stdout.write(_installed(shell or _own_shell()))
    elif what in SHELLS and not shell:
        sys.stdout.write(_script(what).read_text(encoding="utf-8"))
    else:
        raise ConfigError(
            f"--shell-completion {' '.join(asked)}: allowed are bash, zsh and fish (print the "
            "script), install (for your $SHELL) and install=SHELL. Cure: tuna-exp "
            "--shell-completion install."
        )
    return 0


def _script(shell: str) -> Path:
    return _SCRIPTS / f"tuna-exp.{shell}"


def _own_shell() -> str:
    return Path(os.environ.get("SHELL", "")).name


def _installed(shell: str) -> str:
    """Write a shell's script where it looks for such, and return what is left to do."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    place, left = {
        "bash": (
            data / "bash-completion/completions/tuna-exp",
            "New shells complete where the package bash-completion is set up. Elsewhere add to "
            "~/.bashrc:",
        ),
        "zsh": (data / "tuna_exp/completion.zsh", "Add to ~/.zshrc, behind compinit:"),
        "fish": (config / "fish/completions/tuna-exp.fish", ""),
    }[shell]
    with disk_failures(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_script(shell).read_text(encoding="utf-8"), encoding="utf-8")
    rest = f"{left}\n  source '{place}'\n" if left else "New shells complete.\n"
    return f"Written: {place}\n{rest}"


def candidates(line: str) -> list[str]:
    """Return what the last word of a command line up to the cursor could become."""
    words = line.split()[1:]
    word = "" if not words or line[-1:].isspace() else words.pop()
    return sorted({found for found in _offered(words, word) if found.startswith(word)})


def _offered(words: Sequence[str], word: str) -> Iterator[str]:
    if words and words[-1] in _TAKES_FOLDER:
        return
    if words and words[-1] in _TAKES:
        yield from _TAKES[words[-1]]
        return
    command = COMMANDS.get(words[0]) if words else None
    if not words:
        yield from COMMANDS
    if command is not None and len(words) == 1:
        yield from command.words
    if word.startswith("-"):
        yield from (*command.flags, "--help") if command else _FLAGS
    elif command is None or command.composes:
        yield from overrides(words[1:] if command else words, word)


def overrides(words: Sequence[str], word: str) -> Iterator[str]:
    """Yield overrides that begin like `word`, behind others.

    Only keys below another, and their values, take a composition, which takes half a second.
    """
    mark = word[: len(word) - len(word.lstrip("+~"))]
    key, equals, typed = word[len(mark) :].partition("=")
    own = own_folder(words)
    known = {**groups(own if own and own.is_dir() else None)}
    if key.startswith("hydra"):
        known |= _hydras()
    if equals:
        options = known.get(key.partition("@")[0]) or values(key, chosen_keys(SETTINGS, words, key))
        yield from (f"{mark}{key}={value}" for value in _listed(typed, options))
    elif "@" in key:
        yield from (f"{mark}{part}" for part in _parts(words, mark))
    elif "." in key:
        yield from (f"{mark}{below}" for below in _below(key, chosen_keys(SETTINGS, words, "=")))
    else:
        yield from (mark + group + ("" if mark == "~" else "=") for group in known)
        yield from (mark + top for top in _tops(known))


def _tops(known: Iterable[str]) -> Iterator[str]:
    """Yield the keys of config.yaml itself; one with keys below it ends in a dot."""
    config = _main()
    yield from (f"{group}." for group in known if "/" not in group and group != "experiment")
    for entry in config["defaults"]:
        part = next(iter(entry)).partition("@")[2] if isinstance(entry, dict) else ""
        yield from (f"{part}.",) if part else ()
    for key, value in config.items():
        if key not in ("defaults", "hydra"):
            yield f"{key}." if isinstance(value, dict) and value else f"{key}="


def _below(key: str, keys: dict[str, Any]) -> Iterator[str]:
    """Yield the keys that begin like `key`, each up to its next dot."""
    for path, value in keys.items():
        if path.startswith(key) and path.rpartition(".")[2] not in HYDRA_KEYS:
            end = path.find(".", len(key))
            ending = "." if isinstance(value, dict) and value else "="
            yield path + ending if end < 0 else path[: end + 1]


def _parts(words: Sequence[str], mark: str) -> Iterator[str]:
    """Yield GROUP@PLACE= of parts that are chosen; behind a +, of those that can be added."""
    if mark == "+":
        for key, value in _main().items():
            group = str(value).strip("${}") if isinstance(value, str) else key[6:-1]
            if key.startswith("extra_"):
                yield f"{group}@{key}."
            elif value == f"${{{group}}}":
                yield f"{group}@{key}="
        return
    own = own_folder(words)
    with loading(str(own) if own and own.is_dir() else None) as configs:
        given = [word for word in words if "=" in word and not word.startswith("-")]
        found = configs.loader.compute_defaults_list("config", given, RunMode.RUN)
    yield from (f"{group}=" for group in found.overrides.known_choices if "@" in group)


def _main() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((SETTINGS / "config.yaml").read_text("utf-8"))
    return content


def _listed(typed: str, options: Iterable[str]) -> Iterator[str]:
    """Yield the options behind what is typed of a sweep (A,B) or a list ([A,B)."""
    cut = max(typed.rfind(","), typed.rfind("[")) + 1
    before = typed[:cut].strip("[").split(",")
    yield from (f"{typed[:cut]}{option}" for option in options if option not in before)


def values(key: str, keys: dict[str, Any]) -> Iterator[str]:
    """Yield what a key may be, where that can be listed, and what it is."""
    target = str(keys.get(f"{key.rpartition('.')[0]}._target_", ""))
    yield from _choices(rule_for(target, key))
    now = keys.get(key)
    if isinstance(now, str | int | float) and not isinstance(now, bool):
        yield from () if set(str(now)) & set(" $?") else (str(now),)


def _choices(rule: Any) -> Iterator[str]:
    if get_origin(rule) is Literal:
        yield from map(str, get_args(rule))
    elif rule is bool:
        yield from ("true", "false")
    elif rule is type(None):
        yield "null"
    else:
        for part in get_args(rule):
            yield from _choices(part)


def _hydras() -> dict[str, list[str]]:
    """Return Hydra's own groups that a run may choose from, plugins among them."""
    with loading(None) as configs:
        options = configs.loader.get_group_options
        return {group: options(group) for group in ("hydra/launcher", "hydra/sweeper")}
