"""Each job of a sweep in a fresh process that runs it alone, in the job's folder.

For jobs that start processes of their own: Lightning's strategies start the command line again for
every rank, and a rank of `-m ...` would run the whole sweep. A single run with its folder given has
one folder and one set of overrides on all ranks. Results go through the folder.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from tuna_exp.errors import ConfigError
from tuna_exp.sweeps.job import JOB_VARIABLE, Command, Place, in_folder, own_of
from tuna_exp.sweeps.outcomes import SCREEN_FILE, of_one_job, run_dir

# Of a rank: a job that inherits them would take itself for one.
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class ProcessLauncher(Launcher):
    """Runs `n_jobs` processes at a time. Raises ConfigError where that is no number above 0."""

    def __init__(self, n_jobs: int) -> None:
        if not isinstance(n_jobs, int) or n_jobs < 1:
            raise ConfigError(
                f"hydra.launcher.n_jobs={n_jobs}: jobs at a time; allowed are 1, 2, ... Cure: "
                "hydra.launcher.n_jobs=2."
            )
        self.n_jobs = n_jobs

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives."""
        self.context, self.config = hydra_context, config
        self.command: Command = task_function.command  # type: ignore[attr-defined]

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a batch of jobs. Raises RuntimeError where a process ended without a result."""
        setup_globals()
        jobs = [self._job(initial_job_idx + i, own) for i, own in enumerate(job_overrides)]
        with ThreadPoolExecutor(self.n_jobs) as pool:
            statuses = list(pool.map(self._run, jobs))
        dead = [f"job {j.number}: {s}" for j, s in zip(jobs, statuses, strict=True) if s]
        if dead:
            raise RuntimeError(f"exit status of {', '.join(dead)}")
        return [_returned(job) for job in jobs]

    def _job(self, number: int, overrides: Sequence[str]) -> Place:
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(number), number
        sweep = Path(str(config.hydra.sweep.dir))
        return Place(
            number=number,
            sweep=sweep.absolute(),
            output=(sweep / str(config.hydra.sweep.subdir)).absolute(),
            overrides=tuple(overrides),
            own=own_of(overrides, self.command.overrides),
        )

    def _run(self, job: Place) -> int:
        job.output.mkdir(parents=True, exist_ok=True)
        line = [*self.command.words, *of_one_job(job.overrides), run_dir(job.output)]
        environment = {k: v for k, v in os.environ.items() if k not in _RANKS}
        environment[JOB_VARIABLE] = json.dumps(in_folder(job))
        cores = max((os.cpu_count() or 1) // self.n_jobs, 1)
        environment.setdefault("OMP_NUM_THREADS", str(cores))
        with (job.output / SCREEN_FILE).open("ab") as screen:
            command = [sys.executable, "-m", self.command.program, *line]
            return subprocess.call(command, env=environment, stdout=screen, stderr=screen)


def _returned(job: Place) -> JobReturn:
    returned = JobReturn()
    returned.overrides = job.overrides
    returned.cfg = OmegaConf.create({})
    returned.working_dir = str(job.output)
    returned.status = JobStatus.COMPLETED
    return returned
