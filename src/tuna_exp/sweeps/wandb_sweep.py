"""`tuna-exp wandb-sweep`: a sweep of W&B's from Hydra's own syntax, for `wandb agent` to work on.

W&B stops runs early by the metric that the sweep is for, and a score is known only at the end. So
with `--watch` the sweep's metric is one of a training, logged at each of its optimizer steps
(`agents_curve`), and the score stands beside it. That is honest where nothing is chosen by it: grid
and random. Bayes would search for a low loss instead of a high score, and is refused. Left out:
sending the sweep, which `wandb sweep FILE` does.
"""

import argparse
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tuna_exp.composing import checked, loading, parser
from tuna_exp.config_types import check_config
from tuna_exp.dashboard.online import CURVES
from tuna_exp.errors import ConfigError, UserError
from tuna_exp.quiet import quiet_libraries, quiet_screen
from tuna_exp.sweeps.goals import Goal, goal_of, goals_of
from tuna_exp.sweeps.space import Choice, Dimension, Space, listed, space_of, tried

METHODS = ("grid", "random", "bayes")
_CONFIG_DIR = "--config-dir"
_WATCHED = tuple(name for name in CURVES if not name.startswith("val/"))  # logged at every step
_EXAMPLE = "--watch min:tuna_c/ranking_loss --min-iter 4"


def main(arguments: Sequence[str], settings: Path) -> int:
    """Write the sweep's YAML. Raises UserError, or Hydra's errors, for what cannot be swept."""
    asking = parser("wandb-sweep", "A sweep for W&B's agents, as YAML, from a sweep of Hydra's.")
    asking.add_argument("--multirun", "-m", action="store_true", help="as for a run; always meant")
    asking.add_argument("--method", choices=METHODS, help="grid where all values can be listed")
    asking.add_argument("--name", help="of the sweep, as W&B shows it")
    asking.add_argument("--run-cap", type=int, metavar="N", help="runs at most")
    asking.add_argument("--out", metavar="FILE", help="write it there")
    asking.add_argument(
        "--watch", metavar="min:TRAINING/METRIC",
        help="end runs that are worse than others at the same optimizer steps (hyperband)",
    )  # fmt: skip
    asking.add_argument("--min-iter", type=int, metavar="N", help="steps: N, N*ETA, N*ETA^2, ...")
    asking.add_argument("--max-iter", type=int, metavar="N", help="steps: N/ETA, N/ETA^2, ...")
    asking.add_argument("--s", type=int, metavar="S", help="how many of them, with --max-iter")
    asking.add_argument("--eta", type=float, help="1/ETA of the runs go on at each; W&B's: 3")
    given = asking.parse_intermixed_args(list(arguments))
    checked(given, arguments)
    quiet_libraries()
    quiet_screen()
    if given.run_cap is not None and given.run_cap < 1:
        raise ConfigError(f"--run-cap {given.run_cap}: allowed are 1, 2, ... Cure: --run-cap 20.")
    with loading(given.config_dir) as configs:
        space = space_of(configs.parse(given.overrides))
        for job in tried(space):
            config = configs.compose(job)
            check_config(config, settings)
    own = {"name": given.name, "run_cap": given.run_cap}
    words = [_CONFIG_DIR, str(Path(given.config_dir).absolute())] if given.config_dir else []
    trainings = [k for k, v in config.objective.items() if isinstance(v, Mapping) and "epochs" in v]
    stopping = stopping_of(given, trainings)
    made = sweep_of(space, goals_of(config.optimize), given.method, words, stopping)
    made |= {key: value for key, value in own.items() if value}
    text = json.dumps(made, indent=1) + "\n"  # which is YAML too
    if not given.json:
        text = yaml.safe_dump(made, sort_keys=False, width=100)
    if given.out is None:
        sys.stdout.write(text)
        return 0
    try:
        Path(given.out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out {given.out}: {error.strerror}. Cure: another file.") from error
    sys.stdout.write(f"{given.out} is written. Next: wandb sweep {given.out}\n")
    return 0


@dataclass(frozen=True)
class Stopping:
    """When W&B ends runs early: by which metric of a training, and its hyperband's `numbers`."""

    watch: Goal
    numbers: Mapping[str, float]


def stopping_of(given: argparse.Namespace, trainings: Collection[str]) -> Stopping | None:
    """Return what was asked for with --watch, None where nothing was.

    Raises ConfigError for another training or metric, and for steps that W&B would not know.
    """
    asked = {key: getattr(given, key) for key in ("min_iter", "max_iter", "s", "eta")}
    numbers = {key: value for key, value in asked.items() if value is not None}
    if given.watch is None:
        if numbers:
            flag = next(iter(numbers)).replace("_", "-")
            raise ConfigError(f"--{flag} says when --watch compares runs. Cure: {_EXAMPLE}.")
        return None
    try:
        goal = goal_of(given.watch)
    except ConfigError:
        goal = Goal("min", "")
    training, _, metric = goal.name.rpartition("/")
    if training not in trainings or metric not in _WATCHED:
        raise ConfigError(
            f"--watch {given.watch}: allowed are min:TRAINING/METRIC and max:TRAINING/METRIC, with "
            f"a training of {', '.join(trainings)} and a metric of {', '.join(_WATCHED)}. Cure: "
            f"{_EXAMPLE}."
        )
    ways = ({"min_iter"}, {"max_iter", "s"})
    if set(numbers) - {"eta"} not in ways or min(numbers.values()) < 1 or given.eta == 1:
        raise ConfigError(
            f"--watch {given.watch}: W&B compares at the optimizer steps --min-iter N, N*ETA, ..., "
            f"or at --s S of --max-iter N/ETA, N/ETA^2, ..., all at least 1 and ETA above. Cure: "
            f"{_EXAMPLE}."
        )
    return Stopping(goal, numbers)


def sweep_of(
    space: Space,
    goals: Sequence[Goal],
    method: str | None,
    words: Sequence[str] = (),
    stopping: Stopping | None = None,
) -> dict[str, Any]:
    """Return W&B's configuration of a sweep over a space; `words` stand before the overrides.

    Raises ConfigError where nothing varies, several figures are asked for, a grid has no end, or
    bayes would search for what is only watched.
    """
    if not space.dimensions:
        raise ConfigError(
            "nothing varies in what was typed. Cure: KEY=A,B or KEY=interval(LOW,HIGH)."
        )
    if len(goals) > 1:
        raise ConfigError(
            f"optimize=[{','.join(map(str, goals))}]: a sweep of W&B's has one metric. Cure: one "
            "figure, or hydra/sweeper=optuna."
        )
    endless = any(not one.values for one in space.dimensions.values())
    method = method or (("random" if stopping else "bayes") if endless else "grid")
    if method == "grid":
        listed(space)
    if method == "bayes" and stopping:
        raise ConfigError(
            f"--watch {stopping.watch}: a sweep of W&B's has one metric, and bayes would search by "
            f"it, not for {goals[0]}. Cure: --method random; or hydra/sweeper=optuna with "
            "hydra.sweeper.pruner=median, which prunes by one figure and searches for another."
        )
    aim = stopping.watch if stopping else goals[0]
    early = {"early_terminate": {"type": "hyperband", **stopping.numbers}} if stopping else {}
    return {
        "program": "tuna-exp",
        "method": method,
        "metric": {"name": aim.label, "goal": "maximize" if aim.maximises else "minimize"},
        **early,
        "parameters": {key: parameter(one) for key, one in space.dimensions.items()},
        "command": ["${env}", "${program}", *words, *space.fixed, "${args_no_hyphens}"],
    }


def parameter(one: Dimension) -> dict[str, Any]:
    """Return one dimension in W&B's words."""
    if isinstance(one, Choice) or one.values:
        return {"values": [_number_or_text(value) for value in one.values]}
    low, high = (int(one.low), int(one.high)) if one.whole else (one.low, one.high)
    if not one.log:
        return {"distribution": "int_uniform" if one.whole else "uniform", "min": low, "max": high}
    if one.whole:
        return {"distribution": "q_log_uniform_values", "q": 1, "min": low, "max": high}
    return {"distribution": "log_uniform_values", "min": low, "max": high}


def _number_or_text(typed: str) -> int | float | str:
    """A number where it is typed as Python would write it, so that W&B can draw it as one."""
    for kind in (int, float):
        try:
            value = kind(typed)
        except ValueError:
            continue
        if repr(value) == typed:
            return value
    return typed
