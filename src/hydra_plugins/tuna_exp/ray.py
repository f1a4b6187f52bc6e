"""Jobs as tasks of Ray.

Written anew because the published hydra-ray-launcher 1.2 asks for cloudpickle below 3 and installs
what Amazon's clouds need. Left out: starting a cluster there, which `ray up` does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from tuna_exp.executors.ray import connect
from tuna_exp.sweeps.plugins import require


class RayLauncher(Launcher):
    """Runs each job as a task that takes so many cores and GPUs of the cluster at `address`.

    `init` are further arguments of `ray.init`. Raises ConfigError where Ray is not installed.
    """

    def __init__(
        self, address: str, cpus_per_job: float, gpus_per_job: float, init: Mapping[str, Any] | None
    ) -> None:
        self.address, self.further = address, dict(init or {})
        self.resources = {"num_cpus": cpus_per_job, "num_gpus": gpus_per_job}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives."""
        require("hydra/launcher=ray")
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a batch of jobs; raises Ray's error of the first whose process died.

        Raises UserError where Ray does not start, or answer.
        """
        import ray

        setup_globals()
        connect("hydra.launcher.address", self.address, **self.further)
        # Not repeated by Ray: a job whose process died is launched again by whoever called.
        do = ray.remote(run_one).options(max_retries=0, **self.resources)
        state = Singleton.get_state()
        try:
            tasks = [
                do.remote(
                    (self.context, self.config, self.task, state),
                    initial_job_idx + i,
                    list(overrides),
                )
                for i, overrides in enumerate(job_overrides)
            ]
            ray.wait(tasks, num_returns=len(tasks))  # of the others too, where one has died
            returned: list[JobReturn] = ray.get(tasks)
            return returned
        finally:
            ray.shutdown()


def run_one(given: tuple[Any, ...], number: int, overrides: list[str]) -> JobReturn:
    """Run one job in a process of Ray's, as Hydra's own launchers do."""
    context, config, task, state = given
    setup_globals()
    Singleton.set_state(state)
    own = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(own):
        own.hydra.job.id, own.hydra.job.num = str(number), number
    HydraConfig.instance().set_config(own)
    return run_job(
        hydra_context=context,
        config=own,
        task_function=task,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
