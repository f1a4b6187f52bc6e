"""A run that an agent of W&B's has started: the figure it searches for goes to the agent's run.

The agent names one W&B run by environment variables, which every run that this process opens would
take for its own: trainings, methods and rankings would write over one another. They are taken away
while the experiment runs, and the agent's run gets the figures at the end.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tuna_exp.sweeps.goals import Goal, goals_of, values_of
from tuna_exp.sweeps.ranks import is_first_rank

SWEEP = "WANDB_SWEEP_ID"
_NAMES = ("WANDB_RUN_ID", SWEEP, "WANDB_SWEEP_PARAM_PATH")
_MODE = "WANDB_MODE"


@contextmanager
def for_agent(optimize: object, output: Path) -> Iterator[None]:
    """Do an experiment for an agent, if one has started this process; `output` is its folder."""
    if SWEEP not in os.environ or not is_first_rank():
        yield
        return
    goals = goals_of(optimize)
    told = {name: os.environ.pop(name) for name in _NAMES if name in os.environ}
    told[_MODE] = os.environ.get(_MODE, "online")
    try:
        yield
    except BaseException:
        _report(told, {})
        raise
    _report(told, _figures(goals, output))


def _figures(goals: Sequence[Goal], output: Path) -> dict[str, float]:
    values = zip(goals, values_of(goals, output), strict=True)
    return {goal.label: value for goal, value in values if value is not None}


def _report(told: Mapping[str, str], figures: Mapping[str, float]) -> None:
    """Open the agent's run, log the figures and close it; as failed where there are none."""
    import wandb

    before = os.environ.get(_MODE)
    os.environ.update(told)
    wandb.teardown()  # what was read of the environment before is forgotten
    try:
        run = wandb.init(settings=wandb.Settings(silent=True, console="off", disable_git=True))
        if figures:
            run.log(dict(figures))
        run.finish(exit_code=0 if figures else 1)
    finally:
        wandb.teardown()  # ends its service, which may hold the last lines yet
        for name in told:
            os.environ.pop(name, None)
        if before is not None:
            os.environ[_MODE] = before
