"""The command line: `tuna-exp` runs; the other commands look at what ran and what it would cost.

Whatever goes wrong ends here, in one screen of words: exit status 2 where the user can mend it, 130
after Ctrl-C, 143 after SIGTERM, 1 for a fault of ours. Importing this module imports neither torch
nor Lightning.
"""

import argparse
import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tuna_exp.config_errors import check_arguments, explained
from tuna_exp.errors import Terminated, UserError
from tuna_exp.experiment import run_experiment
from tuna_exp.sweep import FAILURE_FILE, Failure, write_failure

SETTINGS = Path(__file__).with_name("conf")
if not SETTINGS.is_dir():  # a checkout; an installed wheel carries the folder inside the package
    SETTINGS = Path(__file__).parents[2] / "conf"
# What is done with a composed config: see `experiment.run_experiment` for the arguments.
Task = Callable[..., None]
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError)
USER_ERROR, OUR_FAULT, INTERRUPTED, TERMINATED = 2, 1, 130, 143
_ELSEWHERE = "name other folders with artifacts=FOLDER and hydra.run.dir=FOLDER"
CURES = {
    errno.ENOSPC: f"free some space, or {_ELSEWHERE}; the same command then continues",
    errno.EACCES: f"make it writable, or {_ELSEWHERE}",
    errno.EROFS: f"make it writable, or {_ELSEWHERE}",
    errno.ENOTDIR: f"move the file away that is where a folder should be, or {_ELSEWHERE}",
    errno.EEXIST: f"move the file away that is where a folder should be, or {_ELSEWHERE}",
}
OFFLINE = "logger.wandb.offline=true comparison.tracking=offline"
SMALLER = (
    "batching.micro_batch_positions (the result stays the same), sampling.batch_size or "
    "evaluation.NAME.batch_size"
)


def main() -> None:
    """Run the command in sys.argv and exit with its status."""
    command, *rest = sys.argv[1:] or [""]
    try:
        sys.exit(COMMANDS[command](rest) if command in COMMANDS else run_command(sys.argv[1:]))
    except (Exception, KeyboardInterrupt) as error:
        message, status = words(error, sys.argv[1:])
        sys.stderr.write(f"tuna-exp: {message}\n")
        sys.exit(status)


def words(error: Exception | KeyboardInterrupt, arguments: Sequence[str]) -> tuple[str, int]:
    """Return what to tell the user about an error, and the exit status.

    With TUNA_EXP_DEBUG set the error is raised instead.
    """
    if os.environ.get("TUNA_EXP_DEBUG"):
        raise error
    if isinstance(error, Terminated):
        return "told to end; the same command continues where this one stopped.", TERMINATED
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; the same command continues where this one stopped.", INTERRUPTED
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    known = next((cause for cause in causes if isinstance(cause, UserError)), None)
    if known is not None:
        return str(known), USER_ERROR
    if isinstance(error, COMPOSITION_ERRORS) or _is_hydras(error):
        return explained(error, SETTINGS, arguments), USER_ERROR
    told = outside(error)
    return (told, USER_ERROR) if told else (our_fault(error), OUR_FAULT)


def outside(error: Exception) -> str | None:
    """Return the words for a failure of the disk, of memory or of the tracker; None for others."""
    reason = " ".join(str(error).split())[:300]
    if isinstance(error, OSError) and error.errno in CURES:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}. Cure: {CURES[error.errno]}."
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"out of memory: {reason} Cure: lower {SMALLER}."
    if type(error).__module__.startswith("wandb."):
        return f"W&B refused the run: {reason} Cure: `wandb login`, or {OFFLINE}."
    return None


def _is_hydras(error: BaseException) -> bool:
    """Whether Hydra itself raised a ValueError, which it does for some overrides."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    module = frames[-1].f_globals.get("__name__", "") if frames else ""
    return isinstance(error, ValueError) and module.startswith("hydra.")


def our_fault(error: BaseException) -> str:
    """Write a traceback to a file and return what to tell the user."""
    details = "".join(traceback.format_exception(error))
    place: Path | None = None
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        with suppress(OSError):
            place = folder / "tuna-exp-error.log"
            place.write_text(details, encoding="utf-8")
            break
    reason = " ".join(str(error).split())[:300]
    return (
        f"a fault of tuna_exp: {type(error).__name__}: {reason}\nThe details are in {place}; "
        "please report them. Finished stages are kept: the same command continues."
    )


def artifacts_command(arguments: Sequence[str]) -> int:
    """List, explain or prune artifacts."""
    from tuna_exp.artifacts_command import main as artifacts

    return artifacts(arguments)


def estimate_command(arguments: Sequence[str]) -> int:
    """Tell what a run would cost."""
    from tuna_exp.services.commands import estimate_main

    return estimate_main(arguments, SETTINGS)


def export_command(arguments: Sequence[str]) -> int:
    """Write a ranking or samples as JSON lines."""
    from tuna_exp.export_command import main as export

    return export(arguments)


def ledger_command(arguments: Sequence[str]) -> int:
    """Tell what was asked of services and what it cost."""
    from tuna_exp.services.commands import ledger_main

    return ledger_main(arguments, SETTINGS)


def study_command(arguments: Sequence[str]) -> int:
    """Ask people what a ranker was asked: export a study, or import its answers."""
    from tuna_exp.study.command import main as study

    return study(arguments, SETTINGS)


def compare_command(arguments: Sequence[str]) -> int:
    """Compare the methods of finished runs."""
    from tuna_exp.compare_command import main as compare

    return compare(arguments)


def evaluate_command(arguments: Sequence[str]) -> int:
    """Score one model on benchmarks."""
    from tuna_exp.evaluate_command import USAGE, parsed_apart

    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE)
        return 0
    task, rest = parsed_apart(arguments)
    return run_command(rest, task)


def doctor_command(arguments: Sequence[str]) -> int:
    """Say what is wrong with a ranked dataset."""
    from tuna_exp.doctor_command import main as doctor

    return doctor(arguments, SETTINGS)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "artifacts": artifacts_command,
    "compare": compare_command,
    "doctor": doctor_command,
    "estimate": estimate_command,
    "export": export_command,
    "evaluate": evaluate_command,
    "ledger": ledger_command,
    "study": study_command,
}


def run_command(arguments: Sequence[str], task: Task = run_experiment) -> int:
    """Compose the config from the command line and do the task with it, once or as a sweep."""
    given = parsed(arguments)
    check_arguments(given, arguments, tuple(COMMANDS))
    # Hydra reads no override that stands behind a flag that stands behind an override.
    flags = [argument for argument in arguments if argument not in given.overrides]
    sys.argv[1:] = [*flags, *given.overrides]
    # Hydra would print and swallow the type of an error; we want it as it was raised.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    failed: list[Exception] = []
    called = job(failed.append, given.overrides, task)
    hydra.main(version_base="1.3", config_path=str(SETTINGS), config_name="config")(called)()
    if failed:
        raise failed[0]
    return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return Hydra's own reading of the command line; a wrong flag exits with usage and 2."""
    parser = get_args_parser()
    parser.prog, parser.usage = "tuna-exp", "%(prog)s [FLAG ...] [KEY=VALUE ...]; --help shows all"
    return parser.parse_intermixed_args(list(arguments))


def job(
    tell: Callable[[Exception], None], asked: Sequence[str], task: Task
) -> Callable[[DictConfig], None]:
    """Return what Hydra calls for each job; `asked` are the overrides that were typed.

    It never raises, because Hydra would print advice of its own: the error of a single run goes to
    `tell`, that of a sweep's job into its folder.
    """

    def run_job(config: DictConfig) -> None:
        settings = HydraConfig.get()
        output = Path(settings.runtime.output_dir)
        # Not iterated over: an override with an interpolation would be resolved.
        listed: Any = OmegaConf.to_container(settings.overrides.task)
        overrides = tuple(map(str, listed))
        if settings.mode == RunMode.MULTIRUN:
            own = tuple(o for o in overrides if o not in asked) or overrides
            doing = partial(task, config, SETTINGS, output, overrides, show=False)
            sweep_job(doing, output, overrides, settings.job.num, own)
            return
        try:
            task(config, SETTINGS, output, overrides, show=True)
        except Exception as error:
            with suppress(OSError):  # the folder of a run that never began, and that of its day
                output.rmdir()
                output.parent.rmdir()
            tell(error)

    return run_job


def sweep_job(
    doing: Callable[[], None],
    output: Path,
    overrides: tuple[str, ...],
    number: int,
    own: tuple[str, ...],
) -> None:
    """Run one job of a sweep; `own` are the overrides that tell it from the others."""
    (output / FAILURE_FILE).unlink(missing_ok=True)
    sys.stderr.write(f"job {number}: {' '.join(own)}\n")
    try:
        doing()
    except Exception as error:
        message, status = words(error, overrides)
        failure = Failure(number=number, overrides=own, message=message, status=status)
        write_failure(output, failure)
