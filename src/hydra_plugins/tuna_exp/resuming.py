"""Hydra's basic sweeper, with jobs that are remembered and outlive a worker that dies."""

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from tuna_exp.sweeps.launching import surviving


class ResumingSweeper(BasicSweeper):
    """Every combination of what was typed, as `hydra/sweeper=basic` makes them."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Make the launcher, wrapped."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = surviving(hydra_context, task_function, config)
