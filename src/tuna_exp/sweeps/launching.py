"""A launcher that goes on where a worker has died.

Every launcher gives up all jobs of a batch when one of its processes is killed: joblib ends its
other workers, submitit and Ray raise for the first. So the batch is launched again from its first
job without a result, and those after it that have one return at once; what still kills its process
is in the end run alone.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from tuna_exp.errors import UserError, in_short
from tuna_exp.sweeps.outcomes import SWEEP_FILE, Outcome, Sweep, keep, outcomes, read, varying
from tuna_exp.sweeps.ranks import SLURM, launcher_for, most_processes, refuse_sweep_of_ranks
from tuna_exp.sweeps.slurm import ask_the_queue
from tuna_exp.sweeps.watching import Watch

RELAUNCHES = 2
_ENDED_UNSTARTED = "UncompletedJobError"  # submitit's, of a job that left no result


class SurvivingLauncher(Launcher):
    """Wraps any launcher; `folder` is the sweep's, `count` how many jobs it will have at least."""

    def __init__(self, inner: Launcher, folder: Path, count: int = 0) -> None:
        self.inner, self.folder, self.count = inner, folder, count
        self.hydra: tuple[HydraContext, TaskFunction, DictConfig] | None = None
        self._began = time.time_ns()
        self._jobs: dict[int, tuple[str, ...]] = {}
        self._told: dict[int, str] = {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives; the launcher inside was set up with it."""
        self.hydra = (hydra_context, task_function, config)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a batch of jobs; results are in their folders, what is returned may lack some.

        Raises what the launcher raised where no job of the batch has begun: a setting of it is
        wrong then.
        """
        self._check_ranks(job_overrides)
        self._jobs |= {initial_job_idx + i: tuple(own) for i, own in enumerate(job_overrides)}
        keep(self.folder, SWEEP_FILE, Sweep(began=self._began, jobs=varying(self._jobs)))
        first = initial_job_idx
        with Watch(self.folder, max(self.count, len(self._jobs)), self._told):
            for _ in range(1 + RELAUNCHES):
                try:
                    return self.inner.launch(job_overrides[first - initial_job_idx :], first)
                except Exception as error:
                    left = self._left(error)
                    if not left:
                        return []
                    # loky takes what a worker's first job needs for all that it may need: one that
                    # began with a finished job would be ended, as if it leaked, after the next.
                    numbers = (outcome.number for outcome in left)
                    first = min((n for n in numbers if n >= first), default=first)
            for outcome in self._unfinished():
                self._alone(outcome.number)
        return []

    def _check_ranks(self, jobs: Sequence[Sequence[str]]) -> None:
        """See to it that jobs of several processes are launched as such (see `ranks`)."""
        if self.hydra is not None:
            context, task, config = self.hydra
            load = context.config_loader.load_sweep_config
            processes = most_processes(jobs, lambda own: load(config, own))
            self.inner = launcher_for(processes, self.inner, context, task, config)

    def _left(self, error: Exception) -> list[Outcome]:
        """Return the jobs that have no result after an error, having said so."""
        left = self._unfinished()
        if len(left) == len(self._jobs) and all(o.state == "not started" for o in left):
            if type(error).__name__ == _ENDED_UNSTARTED:
                raise UserError(
                    "the jobs of the sweep were ended before one of them began: "
                    f"{in_short(error, 200)}. Cure: the same line again, when the cluster takes "
                    "them."
                ) from error
            raise error
        if left:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            dead = [o.number for o in left if o.state == "unfinished"]
            sys.stderr.write(
                f"a job's process died (of job {' or '.join(map(str, dead)) or '?'}; {reason}); "
                f"{len(left)} job(s) without a result go on\n"
            )
        return left

    def _unfinished(self) -> list[Outcome]:
        return [o for o in outcomes(self.folder) if o.state in ("unfinished", "not started")]

    def _alone(self, number: int) -> None:
        """Run one job; if its process dies again, the folder says so by what it lacks."""
        try:
            self.inner.launch([self._jobs[number]], number)
        except Exception as error:
            sys.stderr.write(f"job {number}: its process died again ({type(error).__name__})\n")


def surviving(
    context: HydraContext, task: TaskFunction, config: DictConfig, count: int = 0
) -> SurvivingLauncher:
    """Make the launcher that a sweep has chosen, and wrap it. Raises ConfigError on ranks."""
    refuse_sweep_of_ranks()
    given: Any = {"hydra_context": context, "task_function": task, "config": config}
    inner = Plugins.instance().instantiate_launcher(**given)
    if type(inner).__name__ == SLURM:
        ask_the_queue()
    made = SurvivingLauncher(inner, Path(str(config.hydra.sweep.dir)), count)
    made.setup(**given)
    return made


def executing(folder: Path) -> Sweep | None:
    """Return the execution that a sweep's folder belongs to."""
    return read(folder / SWEEP_FILE, Sweep)
