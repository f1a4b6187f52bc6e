"""Where each value of a config comes from: the file that said it last, or the command line.

Hydra merges the files of its defaults list one after another and puts the values of the command
line on top; the same is done here, layer by layer, and who wrote a key last is kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
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
    chosen: dict[str, str] = {}
    for default in defaults.defaults:
        if str(default.config_path).startswith("hydra/"):
            continue
        layer = loader._load_single_config(default, repository)
        file = Path(str(layer.path).removeprefix("file://"), f"{default.config_path}.yaml")
        source = _named(file)
        content: Any = OmegaConf.to_container(layer.config)
        said |= {key: source for key, _ in leaves(content, "")}
        chosen |= {group: f"{source}{how}" for group, how in _chosen_in(file)}
    for override in defaults.config_overrides:
        key = str(override.key_or_group)
        said |= {k: COMMAND_LINE for k, _ in leaves({key: _value(override)}, "")} | {
            k: COMMAND_LINE for k in said if k.startswith(f"{key}.")
        }
    chosen |= {o.get_key_element().lstrip("+~"): COMMAND_LINE for o in configs.parse(overrides)}
    choices = {
        group: Choice(group, str(option), chosen.get(group, ""))
        for group, option in sorted(defaults.overrides.known_choices.items())
        if not group.startswith("hydra/") and option is not None
    }
    written: Any = OmegaConf.to_container(config)
    values = {
        key: Value(key, value, _resolved(config, key, value), said.get(key, ""))
        for key, value in leaves(written, "")
    }
    return Sources(config, choices, values)


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


def _chosen_in(file: Path) -> Iterator[tuple[str, str]]:
    """Yield each group that a file's defaults list chooses an option of, and ": ${...}" where a
    resolver does.
    """
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    for entry in content.get("defaults", []):
        for key, option in entry.items() if isinstance(entry, dict) else ():
            how = f": {option}" if "${" in str(option) else ""
            yield str(key).rpartition(" ")[2].lstrip("/"), how


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
