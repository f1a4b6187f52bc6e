"""What is wrong with a command line or a composition, with the nearest valid name and the cure."""

import argparse
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tuna_exp.config_types import groups_of
from tuna_exp.errors import ConfigError, in_short, nearest
from tuna_exp.secrets import CURE, is_secret
from tuna_exp.sweeps.plugins import require

# Hydra's parser takes ever longer with the depth, without end at some thousand.
_NESTS, _DEEPEST = {"[": 1, "{": 1, "(": 1, "]": -1, "}": -1, ")": -1}, 50
_DIGITS = 4_000  # Python reads numbers up to some more
_LONG = 200  # characters of an override that are shown
_EXPLANATIONS = {
    r"An item is already at '([^']+)'": "+{0}: there is such a key already. Cure: leave out the +.",
    r"Multiple values for (\S+?)\.": "+{0}: the group is chosen already. Cure: leave out the +.",
    r"Ambiguous value for argument '([^']+)'": (
        "{0} has several values. Cure: -m runs each of them; KEY=[A,B] is a list and "
        "\"KEY='A,B'\" a text with a comma."
    ),
    r"Config group override must be a string or a list. Got (\w+)": (
        "a group was given a {0}, expected an option. Cure: GROUP=OPTION; GROUP=none where it has "
        "one, or ~GROUP leaves it out."
    ),
}


def check_arguments(
    parsed: argparse.Namespace, arguments: Sequence[str], commands: Sequence[str]
) -> None:
    """Raise ConfigError for what Hydra would not tell in words, before it writes anything.

    A word that is neither a command nor an override, a secret in an override or in a YAML file of
    the user's folder, YAML that does not parse, flags that exclude each other.
    """
    for override in parsed.overrides:
        check_override(override, commands)
    flags = [
        f for f in ("run", "multirun", "cfg", "info", "shell_completion") if getattr(parsed, f)
    ]
    if len(flags) > 1 or (parsed.resolve and not parsed.cfg and not parsed.help):
        raise ConfigError(
            f"{' '.join(arguments)}: of --run, --multirun, --cfg, --info only one works at a time, "
            "and --resolve only with --cfg. Cure: leave the others out."
        )
    for folder in filter(None, (parsed.config_dir, parsed.config_path)):
        check_own_options(Path(folder))


def check_override(override: str, commands: Sequence[str]) -> None:
    """Raise ConfigError for what is no override, holds a secret or is nested without end."""
    key, equals, _ = override.partition("=")
    if override in commands:
        raise ConfigError(f"the command {override} must be the first word. Cure: put it there.")
    if not equals and not key.startswith("~"):
        near = nearest(override, commands) if len(override) < _LONG else ""
        raise ConfigError(
            f"'{in_short(override, _LONG)}' is neither a command nor KEY=VALUE.{near} "
            f"Commands: {', '.join(commands)}; `tuna-exp --help` shows all keys."
        )
    _refuse_secret(key.lstrip("+~").replace("@", "."), "on the command line")
    if longest := max(map(len, re.findall(rf"\d{{{_DIGITS},}}", override)), default=0):
        raise ConfigError(
            f"'{in_short(override, _LONG)}' holds a number of {longest} digits; allowed are fewer "
            f"than {_DIGITS}. Cure: a smaller number."
        )
    deepest = max(accumulate((_NESTS.get(character, 0) for character in override), initial=0))
    if deepest > _DEEPEST:
        raise ConfigError(
            f"'{in_short(override, _LONG)}' has {deepest} brackets within one another; allowed "
            f"are {_DEEPEST}. Cure: put what it says into a YAML file, with --config-dir FOLDER."
        )


def check_own_options(folder: Path) -> None:
    """Raise ConfigError where the YAML of a user's folder does not parse or holds a secret."""
    if not folder.is_dir():
        beside = [p.name for p in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise ConfigError(
            f"{folder}: there is no such folder.{nearest(folder.name, beside)} Cure: "
            "give a folder with a subfolder per group, as in FOLDER/dataset/mine.yaml."
        )
    for path in sorted(folder.rglob("*.yaml")):
        for key, _ in dotted(_read(path), ""):
            _refuse_secret(key, f"in {path}")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1} column {mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{path}{where}: {reason}. Cure: correct the YAML there.") from error
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"{path} holds a {type(content).__name__}; expected KEY: VALUE lines.")
    return content or {}


def _refuse_secret(path: str, where: str) -> None:
    if is_secret(path.rpartition(".")[2]):
        raise ConfigError(
            f"{path} {where} looks like a secret and would be written to disk with the settings. "
            f"Cure: {CURE}."
        )


def explained(error: Exception, settings: Path, arguments: Sequence[str]) -> str:
    """Return what an error of Hydra or OmegaConf means.

    `settings` is the folder of our YAML files, `arguments` the command line.
    """
    text = str(error)
    if isinstance(error, OverrideParseException):
        return _unreadable(error, text, arguments)
    if option := re.search(r"Could not (?:find|load) '([^']+)/([^'/]+)'", text):
        return _unknown_option(option[1], option[2], text, settings)
    if deleted := re.search(r"Could not delete '([^']+)'", text):
        return f"~{deleted[1]}: it cannot be left out. Cure: {deleted[1]}=none where there is one."
    if key := re.search(r"Could not (?:override|delete from config\.) '([^']+)'", text):
        return _unknown_key(key[1], settings, arguments)
    for pattern, words in _EXPLANATIONS.items():
        if found := re.search(pattern, text):
            return words.format(found[1])
    text = text.partition("Config search path:")[0]
    said = [line for line in text.splitlines() if line.strip() and "hydra.cc" not in line]
    return "\n".join(said[:12])[:1500]


def _unreadable(error: OverrideParseException, text: str, arguments: Sequence[str]) -> str:
    override = getattr(error, "override", None) or " ".join(arguments)
    reason = next((line for line in text.splitlines() if "Error parsing" not in line), text)
    return (
        f"'{override}' cannot be read as KEY=VALUE ({reason.strip()}). Cure: quote a text with "
        "spaces or any of ,:=[]{}()' twice, as in \"model.system_prompt='Be brief, please.'\"."
    )


def _unknown_option(group: str, option: str, text: str, settings: Path) -> str:
    require(f"{group}={option}")
    # Hydra lists the options of a user's folder too, but none where a list of options was given.
    listed = re.findall(r"^\t(?!provider=)(\S+)$", text, re.MULTILINE)
    options = listed or sorted(path.stem for path in (settings / group).glob("*.yaml"))
    if not options:
        return _unknown_key(group, settings, ())
    names = ", ".join(options)
    return (
        f"{group}={option}: no such option.{nearest(option, options)} Options of {group}: {names}."
    )


def _unknown_key(key: str, settings: Path, arguments: Sequence[str]) -> str:
    """Say that there is no such key or group, and which was meant."""
    path = key.partition("=")[0]
    if "@" in path:
        return (
            f"'{path}' is not chosen anywhere.{nearest(path, ['ranker@teacher_ranker'])} Cure: to "
            f"add a part, put a + in front, as in +{path}=OPTION."
        )
    keys = chosen_keys(settings, arguments, path)
    if isinstance(keys.get(path), dict):
        held = ", ".join(map(str, keys[path])) or "nothing yet"
        return (
            f"'{path}' takes no name that it does not hold ({held}) without a +. Cure: "
            f"+{path}.NAME=VALUE."
        )
    elsewhere = owners(path, settings)
    if elsewhere:
        return (
            f"'{path}' is a key of {' or '.join(elsewhere)}, which is not chosen. Cure: choose "
            f"it, or leave {path} out."
        )
    group = path.partition(".")[0]
    if group != path and str(keys.get(group)).startswith("${"):
        same_as = str(keys[group])[2:-1]
        return (
            f"'{path}': {group} is the same as {same_as}. Cure: make it a part of its own first, "
            f"+{same_as}@{group}=OPTION."
        )
    groups = groups_of(settings)
    near = _nearest_key(path, [*keys, *groups]) or f" Groups: {', '.join(groups)}."
    return (
        f"'{path}' is not a key or a group.{near} `tuna-exp --cfg job` shows all keys; an argument "
        f"that a class takes and no YAML file lists is added with +{path}=..."
    )


def _nearest_key(path: str, keys: Sequence[str]) -> str:
    """Return " Did you mean ...?"; a last part stands for every key, of its group, that ends so."""
    group, dot, last = path.rpartition(".")
    same = [repr(k) for k in keys if k.rpartition(".")[2] == last and k.startswith(group + dot)]
    return f" Did you mean {' or '.join(same[:3])}?" if same else nearest(path, keys)


def owners(path: str, settings: Path) -> list[str]:
    """Return the options, as GROUP=OPTION, whose YAML file has the key at a dotted path."""
    group, _, rest = path.partition(".")
    options = sorted((settings / group).glob("*.yaml"))
    return [f"{group}={o.stem}" for o in options if rest in dict(dotted(_read(o), ""))]


def chosen_keys(settings: Path, arguments: Sequence[str], without: str) -> dict[str, Any]:
    """Return the values by dotted key that the other arguments compose, or else the defaults."""
    others = [a for a in arguments if "=" in a and not a.startswith(("-", "hydra.", without))]
    folder = own_folder(arguments)
    path = [f"hydra.searchpath=[file://{folder.absolute()}]"] if folder else []
    for overrides in ([*path, *others], []):
        try:
            with initialize_config_dir(str(settings), version_base="1.3"):
                config = compose("config", overrides)
        except (HydraException, OmegaConfBaseException, ValueError):
            continue
        content = OmegaConf.to_container(config)
        return dict(dotted(content, "")) if isinstance(content, dict) else {}
    return {}


def own_folder(arguments: Sequence[str]) -> Path | None:
    """Return what follows --config-dir on a command line, if it is there."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        flag, _, value = argument.partition("=")
        if flag in ("-cd", "--config-dir"):
            return Path(value or following)
    return None


def dotted(content: dict[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and the value of every key of a mapping and of those below it."""
    for key, value in content.items():
        path = f"{prefix}.{key}".lstrip(".")
        yield path, value
        if isinstance(value, dict):
            yield from dotted(value, path)
