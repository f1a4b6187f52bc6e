"""Configs of commands that look before anything runs: composed by Hydra's parts, no job starts.

A sweep is split into its jobs as Hydra's basic sweeper does. Left out: sweepers that choose a job
by what earlier ones came to; their jobs cannot be known before.
"""

import argparse
import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

import tuna_exp.experiment  # noqa: F401 - registers the resolvers that our YAML files name
from tuna_exp.config_errors import check_arguments
from tuna_exp.errors import ConfigError

SETTINGS = Path(__file__).with_name("conf")
if not SETTINGS.is_dir():  # a checkout; an installed wheel carries the folder inside the package
    SETTINGS = Path(__file__).parents[2] / "conf"
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError)
_BASIC = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"
# What Hydra's own command line has besides and a command that only looks has no use for.
_UNUSED = ("run", "cfg", "info", "shell_completion", "resolve", "help", "config_path")


def parser(command: str, does: str) -> argparse.ArgumentParser:
    """Return a parser of overrides and --config-dir, for a command with flags of its own."""
    made = argparse.ArgumentParser(
        prog=f"tuna-exp {command}", description=does, allow_abbrev=False,
        usage="%(prog)s [FLAG ...] [GROUP=OPTION ...] [KEY=VALUE ...]",
    )  # fmt: skip
    made.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for a run")
    made.add_argument("--config-dir", "-cd", metavar="FOLDER", help="with options of your own")
    made.add_argument("--json", action="store_true", help="write it as JSON")
    made.set_defaults(multirun=False, **dict.fromkeys(_UNUSED))
    return made


def checked(given: argparse.Namespace, arguments: Sequence[str]) -> None:
    """Raise ConfigError for what is wrong with overrides and folder before they are composed."""
    from tuna_exp.commands import COMMANDS

    check_arguments(given, arguments, tuple(COMMANDS))


@contextmanager
def loading(own: str | None) -> Iterator["Loading"]:
    """Open our YAML files, and those of a folder of the user's, for composing."""
    # Hydra's own words for the folder: as a text in single quotes, whatever stands in its name.
    quoted = "'file://{}'".format(str(Path(own).absolute()).replace("'", "\\'")) if own else ""
    path = (f"hydra.searchpath=[{quoted}]",) if own else ()
    with initialize_config_dir(str(SETTINGS), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        yield Loading(loader, path)


@dataclass
class Loading:
    """Composes configs from the YAML files of one search path; groups that stay are composed once.

    `search` is the override that adds the user's folder, if there is one.
    """

    loader: ConfigLoaderImpl
    search: tuple[str, ...]
    _bases: dict[tuple[str, ...], DictConfig] = field(default_factory=dict)
    _groups: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def _parser(self) -> OverridesParser:
        return OverridesParser.create(config_loader=self.loader)

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """Read overrides; raises Hydra's errors."""
        return self._parser.parse_overrides(list(overrides))

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Return the config of one job, as `hydra.compose` does; raises Hydra's errors."""
        parsed = self.parse(overrides)
        single = RunMode.RUN
        self.loader.validate_sweep_overrides_legal(parsed, single, from_shell=True)
        # Hydra, too, composes the chosen options first and puts the values into what comes of it.
        base = tuple(str(o.input_line) for o in parsed if self._chooses(o))
        if base not in self._bases:
            config = self.loader.load_configuration("config", [*self.search, *base], single)
            with open_dict(config):
                del config["hydra"]
            self._bases[base] = config
        config = copy.deepcopy(self._bases[base])
        values = [o for o in parsed if not self._chooses(o)]
        self.loader._apply_overrides_to_config(values, config)
        return config

    def _chooses(self, override: Override) -> bool:
        """Whether an override chooses an option or is Hydra's own; any other gives a value."""
        key = override.key_or_group
        if key not in self._groups:
            self._groups[key] = bool(self.loader.get_group_options(key, overrides=[*self.search]))
        is_group = self._groups[key] or override.package is not None
        return bool(is_group or override.is_hydra_override())

    def jobs(self, overrides: Sequence[str], sweep: bool) -> list[tuple[str, ...]]:
        """Return the overrides of each job; those of one run where it is no sweep.

        Raises ConfigError where a sweeper chooses its jobs as it goes, and Hydra's errors.
        """
        mode = RunMode.MULTIRUN if sweep else RunMode.RUN
        given = [*self.search, *overrides]
        master = self.loader.load_configuration("config", given, mode)
        sweep = sweep or master.hydra.mode == RunMode.MULTIRUN
        # Not iterated over: an override with an interpolation would be resolved.
        task: Any = OmegaConf.to_container(master.hydra.overrides.task)
        if not sweep:
            return [tuple(task)]
        sweeper: Any = OmegaConf.to_container(master.hydra.sweeper)
        if sweeper["_target_"] != _BASIC:
            raise ConfigError(
                f"hydra/sweeper={master.hydra.runtime.choices['hydra/sweeper']} chooses each job "
                "by what the earlier ones came to; its jobs cannot be known before. Cure: leave "
                "it out, or plan one of its jobs without -m."
            )
        params = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
        (batch,) = BasicSweeper.split_arguments(self.parse([*params, *task]), None)
        own: Any = OmegaConf.to_container(master.hydra.overrides.hydra)
        own = [o for o in own if o not in self.search and not o.startswith("hydra.mode=")]
        return [(*own, *job) for job in batch]
