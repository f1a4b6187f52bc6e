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

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from tuna_exp.command_help import groups
from tuna_exp.commands import COMMANDS
from tuna_exp.composing import SETTINGS
from tuna_exp.config_errors import chosen_keys, own_folder
from tuna_exp.config_values import rule_for
from tuna_exp.durable import disk_failures
from tuna_exp.errors import ConfigError

SHELLS = ("bash", "zsh", "fish")
_SCRIPTS = Path(__file__).with_name("completions")
_FLAGS = ("-m", "--config-dir", "--cfg", "--info", "--help", "--shell-completion")
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
    """Yield overrides that begin like `word`, behind others."""
    mark = word[: len(word) - len(word.lstrip("+~"))]
    key, equals, typed = word[len(mark) :].partition("=")
    own = own_folder(words)
    known = {**groups(own if own and own.is_dir() else None)}
    if key.startswith("hydra"):
        known |= _hydras()
    options = known.get(key.partition("@")[0])
    if equals and options:
        yield from (f"{mark}{key}={value}" for value in _listed(typed, options))
        return
    keys = chosen_keys(SETTINGS, words, key) if equals else chosen_keys(SETTINGS, words, "=")
    if equals:
        yield from (f"{mark}{key}={value}" for value in values(key, keys))
        return
    yield from (f"{mark}{group}=" for group in known)
    # What can be chosen for a part of its own, as in ranker@teacher_ranker.
    yield from (f"{mark}{at}=" for at in _packages(known) if "@" in key)
    for path, value in keys.items():
        if path.startswith(key):
            end = path.find(".", len(key))
            whole = end < 0
            ending = "." if isinstance(value, dict) and value else "="
            yield mark + (path + ending if whole else path[: end + 1])


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
    if isinstance(now, bool) or now is None:
        yield from ("true", "false") if isinstance(now, bool) else ()
    elif isinstance(now, str | int | float) and " " not in str(now):
        yield str(now)


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


def _packages(known: Iterable[str]) -> Iterator[str]:
    for path in chosen_keys(SETTINGS, (), "="):
        yield from (f"{g}@{path}" for g in known if path.endswith(f"_{g}") or f"{g}_of_" in path)


def _hydras() -> dict[str, list[str]]:
    """Return Hydra's own groups that a run may choose from, plugins among them."""
    with initialize_config_dir(str(SETTINGS), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return {g: loader.get_group_options(g) for g in ("hydra/launcher", "hydra/sweeper")}
