"""Optuna chooses the jobs of a sweep (see `tuna_exp.sweeps.search`)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from tuna_exp.sweeps.goals import goals_of
from tuna_exp.sweeps.launching import surviving
from tuna_exp.sweeps.plugins import require
from tuna_exp.sweeps.search import Search, Settings
from tuna_exp.sweeps.space import space_of, tried


class OptunaSweeper(Sweeper):
    """Searches over `params` and what was typed; `settings` are those of `search.Settings`."""

    def __init__(self, params: Mapping[str, str] | None, **settings: Any) -> None:
        self.params, self.given = dict(params or {}), settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Check the settings, make the launcher and wrap it. Raises ConfigError."""
        require("hydra/sweeper=optuna")
        plain: Any = {
            key: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            for key, value in self.given.items()
        }
        for key in ("sampler_settings", "pruner_settings"):
            plain[key] = plain[key] or {}
        if plain["n_jobs"] is None:
            plain["n_jobs"] = at_a_time(config)
        self.settings = Settings(**plain)
        self.goals = goals_of(config.optimize)
        self.config, self.hydra_context = config, hydra_context
        self.launcher = surviving(hydra_context, task_function, config, self.settings.n_trials)

    def sweep(self, arguments: list[str]) -> None:
        """Search. Raises ConfigError for a space or setting that cannot be used, before a job."""
        assert self.hydra_context and self.config and self.launcher
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        own = [f"{key}={value}" for key, value in self.params.items()]
        space = space_of(parser.parse_overrides([*own, *arguments]))
        folder = Path(str(self.config.hydra.sweep.dir))
        search = Search(self.settings, self.goals, space, folder)
        self.validate_batch_is_legal([*tried(space)])
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        search.run(self.launcher.launch)


def at_a_time(config: DictConfig) -> int:
    """Return how many jobs the launcher runs at the same time, 1 where it does not say."""
    jobs = OmegaConf.select(config, "hydra.launcher.n_jobs")
    if not isinstance(jobs, int):
        return 1
    return jobs if jobs > 0 else os.cpu_count() or 1
