"""`tuna-exp wandb-sweep`: a sweep of W&B's from Hydra's own syntax, for `wandb agent` to work on.

Left out: sending it, which `wandb sweep FILE` does, and early termination, for which W&B would have
to see the training's curve in the run that has the score.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tuna_exp.composing import checked, loading, parser
from tuna_exp.config_types import check_config
from tuna_exp.errors import ConfigError, UserError
from tuna_exp.quiet import quiet_libraries, quiet_screen
from tuna_exp.sweeps.goals import Goal, goals_of
from tuna_exp.sweeps.space import Choice, Dimension, Space, listed, space_of, tried

METHODS = ("grid", "random", "bayes")
_CONFIG_DIR = "--config-dir"


def main(arguments: Sequence[str], settings: Path) -> int:
    """Write the sweep's YAML. Raises UserError, or Hydra's errors, for what cannot be swept."""
    asking = parser("wandb-sweep", "A sweep for W&B's agents, as YAML, from a sweep of Hydra's.")
    asking.add_argument("--multirun", "-m", action="store_true", help="as for a run; always meant")
    asking.add_argument("--method", choices=METHODS, help="grid where all values can be listed")
    asking.add_argument("--name", help="of the sweep, as W&B shows it")
    asking.add_argument("--run-cap", type=int, metavar="N", help="runs at most")
    asking.add_argument("--out", metavar="FILE", help="write it there")
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
    made = sweep_of(space, goals_of(config.optimize), given.method, words)
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


def sweep_of(
    space: Space, goals: Sequence[Goal], method: str | None, words: Sequence[str] = ()
) -> dict[str, Any]:
    """Return W&B's configuration of a sweep over a space; `words` stand before the overrides.

    Raises ConfigError where nothing varies, several figures are asked for, or a grid has no end.
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
    method = method or ("bayes" if endless else "grid")
    if method == "grid":
        listed(space)
    return {
        "program": "tuna-exp",
        "method": method,
        "metric": {
            "name": goals[0].label,
            "goal": "maximize" if goals[0].maximises else "minimize",
        },
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
