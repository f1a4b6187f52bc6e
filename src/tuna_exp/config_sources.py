"""Where each value of a config comes from: the file that said it last, or the command line.

Hydra merges the files of its defaults list one after another and puts the values of the command
line on top; the same is done here, layer by layer, and who wrote a key last is kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.defaults_list import DefaultsList
from hydra.core.default_element import (
    DefaultsTreeNode,
    GroupDefault,
    InputDefault,
    VirtualRoot,
)
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tuna_exp.composing import SETTINGS, Loading

COMMAND_LINE = "command line"
_SLOW = "native_precision:"  # asks torch about the machine


@dataclass(frozen=True)
class Value:
    """A key's value as it is `written`, what it comes to, and where it was said."""

    key: str
    written: Any
    value: Any
    source: str


@dataclass(frozen=True)
class Choice:
    """The option of a group, and where it was chosen."""

    group: str
    option: str
    source: str


@dataclass(frozen=True)
class Sources:
    """A composed config with the source of every choice and value, by group and by dotted key."""

    config: DictConfig
    choices: Mapping[str, Choice]
    values: Mapping[str, Value]


def sources(configs: Loading, overrides: Sequence[str]) -> Sources:
    """Compose a config and tell where all of it comes from; raises Hydra's errors."""
    config = configs.compose(overrides)
    given = [*configs.search, *overrides]
    loader = configs.loader
    defaults = loader.compute_defaults_list("config", given, RunMode.RUN)
    _, repository = loader._parse_overrides_and_create_caching_repo("config", given)
    said: dict[str, str] = {}
    files: dict[str, Path] = {}
    for default in defaults.defaults:
        if str(default.config_path).startswith("hydra/"):
            continue
        layer = loader._load_single_config(default, repository)
        file = Path(str(layer.path).removeprefix("file://"), f"{default.config_path}.yaml")
        files[str(default.config_path)] = file
        content: Any = OmegaConf.to_container(layer.config)
        said |= {key: _named(file) for key, _ in leaves(content, "")}
    for override in defaults.config_overrides:
        key = str(override.key_or_group)
        said |= {k: COMMAND_LINE for k, _ in leaves({key: _value(override)}, "")}
    written: Any = OmegaConf.to_container(config)
    values = {
        key: Value(key, value, _resolved(config, key, value), said.get(key, ""))
        for key, value in leaves(written, "")
    }
    return Sources(config, _choices(defaults, files), values)


def _choices(defaults: DefaultsList, files: Mapping[str, Path]) -> dict[str, Choice]:
    """Return every group's option; `files` are those of the configs by Hydra's path.

    A group of which several options were chosen as a list is no node of the tree: its options are.
    """
    made: dict[str, Choice] = {}
    for parent, node in _nodes(defaults.defaults_tree):
        path = str(parent.get_config_path())
        if isinstance(node, GroupDefault):
            group, option = node.get_override_key(), node.get_name()
            how = _resolver(files.get(path), node)
        else:
            group, _, option = str(node.get_config_path()).rpartition("/")
            if group in ("", path.rpartition("/")[0]):  # the file itself, or one that it builds on
                continue
            option, how = ", ".join([*filter(None, [_option(made, group)]), option]), ""
        if option is None or group.startswith("hydra"):
            continue
        chosen = defaults.overrides.override_metadata.get(group)
        if (chosen and chosen.external_override) or node in _appended(defaults):
            source = COMMAND_LINE
        elif chosen:
            source = _file(files, str(chosen.containing_config_path))
        else:
            source = _file(files, path) + how
        made[group] = Choice(group, str(option), source)
    return dict(sorted(made.items()))


def _nodes(tree: DefaultsTreeNode) -> Iterator[tuple[InputDefault, InputDefault]]:
    """Yield every choice below a node, with what chose it."""
    for child in tree.children or ():
        node = child.node if isinstance(child, DefaultsTreeNode) else child
        if not isinstance(tree.node, VirtualRoot) and not node.is_deleted():
            yield tree.node, node
        if isinstance(child, DefaultsTreeNode):
            yield from _nodes(child)


def _appended(defaults: DefaultsList) -> list[InputDefault]:
    return [*defaults.overrides.append_group_defaults]


def _option(made: Mapping[str, Choice], group: str) -> str:
    return made[group].option if group in made else ""


def _file(files: Mapping[str, Path], path: str) -> str:
    return _named(files[path]) if path in files else f"{path}.yaml"


def leaves(content: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and value of all that is no mapping, and of empty mappings."""
    for key, value in content.items():
        path = f"{prefix}.{key}".lstrip(".")
        if isinstance(value, dict) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def _named(file: Path) -> str:
    """Return a file's name as people know it: conf/GROUP/OPTION.yaml for one of ours."""
    inside = file.is_relative_to(SETTINGS)
    if inside:
        return (Path("conf") / file.relative_to(SETTINGS)).as_posix()
    here = Path.cwd()
    return (file.relative_to(here) if file.is_relative_to(here) else file).as_posix()


def _resolver(file: Path | None, chosen: GroupDefault) -> str:
    """Return ": ${...}" where a resolver in a file's defaults list chooses an option."""
    content = yaml.safe_load(file.read_text(encoding="utf-8")) if file else None
    for entry in (content or {}).get("defaults", []):
        for key, option in entry.items() if isinstance(entry, dict) else ():
            if key == chosen.get_override_key() and "${" in str(option):
                return f": {option}"
    return ""


def _value(override: Override) -> Any:
    value = override.value()
    return value if not OmegaConf.is_config(value) else OmegaConf.to_container(value)


def _resolved(config: DictConfig, key: str, written: Any) -> Any:
    """Return what a value comes to; as it is written where it refers to a whole part, or cannot be
    told yet.
    """
    if not isinstance(written, str) or "${" not in written or _SLOW in written:
        return written
    try:
        found = OmegaConf.select(config, key)
    except OmegaConfBaseException:
        return written
    return written if OmegaConf.is_config(found) else found
