"""Hydra's and OmegaConf's complaints in one screen, with the nearest valid name and the cure."""

import re
from pathlib import Path

import yaml


from tuna_exp.errors import nearest


def explained(error: Exception, settings: Path) -> str:
    """Return what a composition error means, from Hydra's words and the options in `settings`."""
    words = str(error)
    option = re.search(r"Could not find '([\w./-]+)/([\w.-]+)'", words) or re.search(
        r"Could not override '([\w./@-]+)'", words
    )
    if option and option.lastindex == 2:
        return unknown_option(option[1], option[2], settings)
    if option:
        return unknown_group(option[1], settings)
    key = re.search(r"Key '([^']+)' is not in struct|Could not override '([^']+)'", words)
    if key:
        return unknown_key(key[1] or key[2], words, settings)
    return "\n".join(line for line in words.splitlines() if line.strip())[:1500]


def unknown_option(group: str, option: str, settings: Path) -> str:
    """Say that a group has no such option, and which it has."""
    options = sorted(path.stem for path in (settings / group).glob("*.yaml"))
    return f"{group}={option}: no such option.{nearest(option, options)} Options of {group}: {', '.join(options)}."


def unknown_group(group: str, settings: Path) -> str:
    """Say that there is no such group or key."""
    groups = sorted(path.name for path in settings.iterdir() if path.is_dir())
    keys = sorted({*groups, *all_keys(settings)})
    return f"'{group}' is not a group or a key.{nearest(group, keys)} Groups: {', '.join(groups)}."


def unknown_key(key: str, words: str, settings: Path) -> str:
    """Say that there is no such key; `words` may hold its full dotted path."""
    full = re.search(r"full_key: (\S+)", words)
    path = full[1] if full else key
    keys = all_keys(settings)
    near = nearest(path, keys) or nearest(key, [k.rpartition(".")[2] for k in keys])
    return f"'{path}' is not a key of the configuration.{near} `tuna-exp --cfg job` shows all keys."


def all_keys(settings: Path) -> list[str]:
    """Return every dotted key of every option, prefixed with its group, and the top-level keys."""
    found: set[str] = set()
    for path in settings.rglob("*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        group = "" if path.parent == settings else path.parent.name
        found |= set(dotted(content, group)) if isinstance(content, dict) else set()
    return sorted(found)


def dotted(content: dict[str, object], prefix: str) -> list[str]:
    """Return the dotted path of every key below a mapping."""
    paths = []
    for key, value in content.items():
        path = f"{prefix}.{key}".lstrip(".")
        paths.append(path)
        paths += dotted(value, path) if isinstance(value, dict) else []
    return paths
