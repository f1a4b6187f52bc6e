"""`tuna-exp plan`: what a run or a sweep would do, before anything starts.

Every job is composed and checked in this process; a wrong one is listed with its reason, the others
are planned. Exit status 2 where one is wrong. Nothing is written.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from tuna_exp.composing import COMPOSITION_ERRORS, SETTINGS, Loading, checked, loading, parser
from tuna_exp.config_errors import explained
from tuna_exp.config_types import check_config
from tuna_exp.errors import UserError
from tuna_exp.plan_report import as_json, show
from tuna_exp.planning import Job, Parts, outlook
from tuna_exp.quiet import quiet_libraries, quiet_screen

_WIDTH = 200  # Rich cuts tables to 80 columns where there is no terminal; a pipe has no width


def main(arguments: Sequence[str]) -> int:
    """Show the plan and return 0, or 2 where a job cannot run.

    Raises UserError, or Hydra's errors, where the overrides as a whole cannot be read.
    """
    asking = parser("plan", "What a run or a sweep would do: shared stages, time, cost.")
    asking.add_argument("--multirun", "-m", action="store_true", help="a sweep, as for a run")
    given = asking.parse_intermixed_args(list(arguments))
    checked(given, arguments)
    quiet_libraries()
    quiet_screen()
    with loading(given.config_dir) as configs:
        numbered = enumerate(configs.jobs(given.overrides, given.multirun))
        jobs = [_composed(configs, number, overrides) for number, overrides in numbered]
    if len(jobs) == 1 and jobs[0].error:
        raise UserError(jobs[0].error)
    parts = Parts()
    jobs = [_planned(parts, job) for job in jobs]
    if len(jobs) == 1 and jobs[0].error:
        raise UserError(jobs[0].error)
    found = outlook(jobs)
    if given.json:
        sys.stdout.write(json.dumps(as_json(found), indent=1) + "\n")
    else:
        show(found, Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False))
    return 2 if any(job.error for job in jobs) else 0


def _composed(configs: Loading, number: int, overrides: tuple[str, ...]) -> Job:
    """Compose one job and check its values."""
    job = Job(number, overrides)
    try:
        config = configs.compose(overrides)
        check_config(config, SETTINGS)
    except UserError as error:
        return replace(job, error=str(error))
    except (*COMPOSITION_ERRORS, ValueError) as error:
        return replace(job, error=explained(error, SETTINGS, overrides))
    return replace(job, config=config)


def _planned(parts: Parts, job: Job) -> Job:
    """Add the last step of a job that can run so far."""
    if job.config is None:
        return job
    try:
        final = parts.final(job.config)
        return replace(job, final=final, bills=parts.bills(final, job.artifacts))
    except UserError as error:
        return replace(job, error=str(error))
    except COMPOSITION_ERRORS as error:  # what instantiating a class of the user's raises
        return replace(job, error=explained(error, SETTINGS, job.overrides))
