"""What follows a sweep: one comparison of the methods of all its jobs."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class CompareSweep(Callback):
    """Hydra callback that compares what a sweep finished; where nothing did, the jobs have told so."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Compare the runs below the sweep's folder."""
        # Imported late: Hydra makes its callbacks before the config is checked.
        from tuna_exp.runs import RUN_FILE, compare_runs

        folder = Path(config.hydra.sweep.dir)
        if any(folder.rglob(RUN_FILE)):
            compare_runs([folder])
