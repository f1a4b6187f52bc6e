"""Jobs of several processes (ranks): one folder and one set of overrides on all of them.

Lightning starts a command line again for every further rank, torchrun and srun start it as often
as there are ranks. A sweep must not be started again in that way, with jobs and values of its own:
each of its jobs then is a process of its own, whose ranks repeat that job's line.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from tuna_exp.errors import ConfigError
from tuna_exp.parallel.launched import device_count

_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK")
_PROCESS, _BASIC, SLURM = "process", "BasicLauncher", "SlurmLauncher"
# Overrides that may say how many processes a job has.
_SAYING = ("trainer", "strategy", "experiment", "+experiment")


def is_first_rank() -> bool:
    """Whether this process is the first of its job's, or the only one: it keeps the books."""
    names = (*_RANKS, "SLURM_PROCID") if _by_srun(os.environ) else _RANKS
    return all(os.environ.get(name, "0") in ("", "0") for name in names)


def _by_srun(environment: Mapping[str, str]) -> bool:
    return int(environment.get("SLURM_STEP_NUM_TASKS") or 1) > 1


def started_together(environment: Mapping[str, str]) -> str | None:
    """Return what names the start of all ranks by torchrun or srun; None where nobody else did."""
    if "TORCHELASTIC_RUN_ID" in environment and int(environment.get("WORLD_SIZE", "1")) > 1:
        return environment["TORCHELASTIC_RUN_ID"]
    if _by_srun(environment):
        return f"{environment.get('SLURM_JOB_ID')}.{environment.get('SLURM_STEP_ID')}"
    return None


def shared_run_dir(arguments: Sequence[str]) -> list[str]:
    """Return the override that gives all ranks one folder, where each would else name its own.

    The folder follows from what was typed and from what started the ranks: clocks differ.
    """
    start = started_together(os.environ)
    if start is None or any(a.lstrip("+").startswith("hydra.run.dir=") for a in arguments):
        return []
    text = json.dumps([start, *arguments])
    return [f"hydra.run.dir=runs/ranks/{hashlib.sha256(text.encode()).hexdigest()[:16]}"]


def refuse_sweep_of_ranks() -> None:
    """Raise ConfigError where several ranks were started that would each do the whole sweep."""
    if started_together(os.environ) is not None:
        raise ConfigError(
            "a sweep was started by torchrun or srun: each rank would do all of it, with values of "
            "its own. Cure: start it once, with trainer.devices=N hydra/launcher=process (or "
            "slurm with hydra.launcher.tasks_per_node=N)."
        )


def processes_of(config: DictConfig) -> int:
    """Return how many processes will train a config."""
    devices: Any = OmegaConf.select(config, "trainer.devices", default=1)
    nodes: Any = OmegaConf.select(config, "trainer.num_nodes", default=1)
    count = device_count(devices)
    if count is None:
        count = _devices_here(str(OmegaConf.select(config, "trainer.accelerator")))
    return count * int(nodes)


def _devices_here(accelerator: str) -> int:
    """Return how many devices Lightning takes where it may take all."""
    import torch

    return max(torch.cuda.device_count(), 1) if accelerator in ("auto", "gpu", "cuda") else 1


def most_processes(
    jobs: Sequence[Sequence[str]], compose: Callable[[list[str]], DictConfig]
) -> int:
    """Return the largest number of processes of any job, given its overrides."""
    apart = {tuple(o for o in job if o.startswith(_SAYING)): job for job in jobs}
    return max((processes_of(compose(list(job))) for job in apart.values()), default=1)


def launcher_for(
    processes: int, launcher: Any, context: HydraContext, task: TaskFunction, config: DictConfig
) -> Launcher:
    """Return a launcher that is safe for jobs of so many processes: the given one, or `process`
    where none was chosen.

    Raises ConfigError where another one was chosen, whose ranks would start the sweep again.
    """
    kind, own = type(launcher).__name__, config.hydra.launcher
    if processes == 1 or kind == "ProcessLauncher":
        return launcher  # type: ignore[no-any-return]
    if kind == _BASIC:
        with open_dict(config):
            config.hydra.launcher = _process_settings(context)
        made: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=config
        )
        return made
    tasks = int(own.get("tasks_per_node") or 1) * int(own.get("nodes") or 1)
    if kind == SLURM and tasks == processes:
        return launcher  # type: ignore[no-any-return]
    chosen = config.hydra.runtime.choices.get("hydra/launcher")
    cure = f"hydra/launcher={_PROCESS}"
    if kind == SLURM:
        cure = f"hydra.launcher.tasks_per_node={processes}, or {cure}"
    raise ConfigError(
        f"hydra/launcher={chosen}: a job trains in {processes} processes, and each would start the "
        f"sweep again. Cure: {cure}."
    )


def _process_settings(context: HydraContext) -> Any:
    chosen = [f"hydra/launcher={_PROCESS}"]
    found = context.config_loader.load_configuration("config", chosen, RunMode.MULTIRUN)
    return found.hydra.launcher
