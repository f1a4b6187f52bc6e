"""The command line: `tuna-exp` runs; the other commands look at what ran and what it would cost.

Whatever goes wrong ends here, in one screen of words: exit status 2 where the user can mend it, 130
after Ctrl-C, 143 after SIGTERM, 1 for a fault of ours. Importing this module imports neither torch
nor Lightning.
"""

import argparse
import errno
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tuna_exp.command_help import overview, show_command
from tuna_exp.commands import COMMANDS
from tuna_exp.completion import complete
from tuna_exp.composing import COMPOSITION_ERRORS, SETTINGS
from tuna_exp.config_errors import check_arguments, explained
from tuna_exp.errors import Terminated, UserError, in_short, is_out_of_memory
from tuna_exp.experiment import run_experiment
from tuna_exp.sweeps.job import (
    Command,
    Task,
    keep_failure,
    place_in_sweep,
    place_of_process,
    run_job,
    typed,
)
from tuna_exp.sweeps.outcomes import FAILURE_FILE
from tuna_exp.sweeps.plugins import broken_plugin, check_plugins
from tuna_exp.sweeps.ranks import is_first_rank, shared_run_dir
from tuna_exp.sweeps.wandb_agent import for_agent

USER_ERROR, OUR_FAULT, INTERRUPTED, TERMINATED = 2, 1, 130, 143
_ELSEWHERE = "name other folders with artifacts=FOLDER and hydra.run.dir=FOLDER"
CURES = {
    errno.ENOSPC: f"free some space, or {_ELSEWHERE}; the same command then continues",
    errno.EACCES: f"make it writable, or {_ELSEWHERE}",
    errno.EROFS: f"make it writable, or {_ELSEWHERE}",
    errno.ENOTDIR: f"move the file away that is where a folder should be, or {_ELSEWHERE}",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EEXIST: f"move the file away that is where a folder should be, or {_ELSEWHERE}",
}
OFFLINE = "logger.wandb.mode=offline"
SMALLER = (
    "batching.micro_batch_positions (the result stays the same), sampling.batch_size or "
    "evaluation.NAME.batch_size"
)


def main() -> None:
    """Run the command in sys.argv and exit with its status."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _told_to_end)
    try:
        sys.exit(dispatched(sys.argv[1:]))
    except (Exception, KeyboardInterrupt) as error:
        message, status = words_of(error, sys.argv[1:])
        sys.stderr.write(f"tuna-exp: {message}\n")
        sys.exit(status)


def _told_to_end(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C: what is under way is closed. A training first ends its step."""
    raise Terminated


def dispatched(arguments: Sequence[str]) -> int:
    """Do what the first word asks for and return the exit status."""
    command, *rest = arguments or [""]
    if command in COMMANDS:
        asks = {"-h", "--help"} & set(rest)
        return show_command(command, rest) if asks else COMMANDS[command].run(rest)
    if {"-sc", "--shell-completion"} & set(arguments):
        return complete(arguments)
    return run_command(arguments)


def words_of(error: Exception | KeyboardInterrupt, arguments: Sequence[str]) -> tuple[str, int]:
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
    if (broken := broken_plugin(error)) is not None:
        return broken, USER_ERROR
    if isinstance(error, COMPOSITION_ERRORS) or _is_hydras(error):
        return explained(error, SETTINGS, arguments), USER_ERROR
    told = outside(error)
    return (told, USER_ERROR) if told else (our_fault(error), OUR_FAULT)


def outside(error: Exception) -> str | None:
    """Return the words for a failure of the disk, of memory or of the tracker; None for others."""
    reason = in_short(error)
    if isinstance(error, OSError) and error.errno in CURES:
        place = f"{in_short(error.filename)}: " if error.filename else ""
        return f"{place}{error.strerror}. Cure: {CURES[error.errno]}."
    if is_out_of_memory(error):
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
    reason = in_short(error)
    return (
        f"a fault of tuna_exp: {type(error).__name__}: {reason}\nThe details are in {place}; "
        "please report them. Finished stages are kept: the same command continues."
    )


def run_command(
    arguments: Sequence[str],
    task: Task = run_experiment,
    words: Sequence[str] = (),
    program: str = "tuna_exp",
) -> int:
    """Compose the config from the command line and do the task with it, once or as a sweep.

    `words` stand before the arguments on the command line and say which task it is; `program` is
    the module that was started.
    """
    given = parsed(arguments)
    check_arguments(given, arguments, tuple(COMMANDS))
    if given.help:
        sys.stdout.write(overview(Path(given.config_dir) if given.config_dir else None))
        return 0
    check_plugins(given.overrides)
    # Hydra reads no override that stands behind a flag that stands behind an override.
    flags = [argument for argument in arguments if argument not in given.overrides]
    sys.argv[1:] = [*flags, *given.overrides]
    sys.argv += shared_run_dir([*words, *flags, *given.overrides])
    # Hydra would print and swallow the type of an error; we want it as it was raised.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    failed: list[Exception] = []
    once = [flag for flag in flags if flag not in ("-m", "--multirun", "-r", "--run")]
    command = Command(task, SETTINGS, (*words, *once), tuple(given.overrides), words_of, program)
    called = Job(failed.append, command)
    hydra.main(version_base="1.3", config_path=str(SETTINGS), config_name="config")(called)()
    if failed:
        raise failed[0]
    return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return Hydra's own reading of the command line; a wrong flag exits with usage and 2."""
    parser = get_args_parser()
    parser.prog, parser.usage = "tuna-exp", "%(prog)s [FLAG ...] [KEY=VALUE ...]; --help shows all"
    return parser.parse_intermixed_args(list(arguments))


@dataclass(frozen=True)
class Job:
    """What Hydra calls for each job.

    It never raises, because Hydra would print advice of its own: the error of a single run goes to
    `tell`, that of a sweep's job into its folder.
    """

    tell: Callable[[Exception], None]
    command: Command

    def __call__(self, config: DictConfig) -> None:
        """Do the task with a composed config."""
        command, settings = self.command, HydraConfig.get()
        overrides = typed(settings.overrides.task)
        place = place_of_process(overrides)
        if settings.mode == RunMode.MULTIRUN and is_first_rank():
            place = place_in_sweep(command.overrides)
        if place is not None:
            run_job(command, place, config)
            return
        # On all ranks of a run; the first one keeps the books.
        output, first = Path(settings.runtime.output_dir), is_first_rank()
        try:
            with for_agent(OmegaConf.select(config, "optimize"), output):
                command.task(config, SETTINGS, output, overrides, show=first)
            if first:
                (output / FAILURE_FILE).unlink(missing_ok=True)  # of a sweep's job, run alone
        except Exception as error:
            with suppress(OSError):  # the folder of a run that never began, and that of its day
                output.rmdir()
                if output.parent.resolve() != Path.cwd():
                    output.parent.rmdir()
            with suppress(OSError):  # the disk itself may have failed
                keep_failure(command, output, overrides, error)
            self.tell(error)
