"""A run that an agent of W&B's has started: its curves and figures go to one W&B run.

The agent names that run by environment variables, which every run that this process opens would
take for its own: trainings, methods and rankings would write over one another. They are taken away
before the client reads them, and the agent's run alone is opened by its name. It is open while the
experiment runs, so that W&B can stop what goes worse than others did (`wandb_sweep`): the agent
sends a SIGTERM then, which the training answers by saving; the same line continues it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tuna_exp.errors import UserError, in_short
from tuna_exp.sweeps.goals import Goal, goals_of, values_of
from tuna_exp.sweeps.ranks import is_first_rank
from tuna_exp.tracking.client import data_below, not_fatal

if TYPE_CHECKING:
    import wandb

SWEEP = "WANDB_SWEEP_ID"
_RUN, _CHOSEN = "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"
_AGENTS: ContextVar["wandb.Run | None"] = ContextVar("agents_run", default=None)


@contextmanager
def for_agent(optimize: object, output: Path) -> Iterator[None]:
    """Do an experiment for an agent, if one has started this process; `output` is its folder.

    Raises UserError where W&B refuses the agent's run.
    """
    if SWEEP not in os.environ or not is_first_rank():
        yield
        return
    goals = goals_of(optimize)
    told = {name: os.environ.pop(name, "") for name in (SWEEP, _RUN, _CHOSEN)}
    run = _opened(told, output)
    token = _AGENTS.set(run)
    figures: dict[str, float] = {}
    try:
        yield
        figures = _figures(goals, output)
        if figures:
            run.log(figures)
    finally:
        _AGENTS.reset(token)
        with not_fatal("the end of the agent's run"):
            run.finish(exit_code=0 if figures else 1)
        _end_the_service()


def agents_run() -> "wandb.Run | None":
    """Return the run that an agent has started this process for; None where none did."""
    return _AGENTS.get()


def _opened(told: dict[str, str], output: Path) -> "wandb.Run":
    import wandb

    _end_the_service()
    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        sweep_id=told[SWEEP],
        stop_fn=_leave_it_to_the_agent,
    )
    try:
        with data_below(output):
            return wandb.init(
                id=told[_RUN] or None,
                config=_chosen(told[_CHOSEN]),
                resume="allow",  # an agent starts a run again that was preempted
                reinit="create_new",  # no run of the experiment's own is taken for it
                settings=settings,
            )
    except (wandb.Error, OSError) as error:
        raise UserError(
            f"W&B refused the run {told[_RUN]} of the sweep {told[SWEEP]}: {in_short(error)}. "
            "Cure: `wandb login`; or type the line that the agent shows without an agent."
        ) from error


def _end_the_service() -> None:
    """Have the client forget what it read of the environment, and write its last lines."""
    import wandb

    wandb.teardown()


def _leave_it_to_the_agent() -> None:
    """Do nothing: the client would interrupt the process beside the agent's SIGTERM."""


def _chosen(path: str) -> dict[str, Any]:
    """Return the values that W&B has chosen, as its agent wrote them down."""
    if not path:
        return {}
    told = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    return {k: one["value"] for k, one in told.items() if isinstance(one, dict) and "value" in one}


def _figures(goals: Sequence[Goal], output: Path) -> dict[str, float]:
    values = zip(goals, values_of(goals, output), strict=True)
    return {goal.label: value for goal, value in values if value is not None}
