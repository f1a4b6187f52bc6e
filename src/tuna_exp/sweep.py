"""A sweep: a bad job does not stop the others, and one comparison of all that finished ends it.

What a job came to lies in its folder, `run.json` or `failure.json`, so that jobs may run in other
processes.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from tuna_exp.errors import UserError
from tuna_exp.records import Record

FAILURE_FILE = "failure.json"
_LINES_SHOWN = 16


class Failure(Record):
    """Why a job of a sweep failed; `status` is the exit status that a single run would have."""

    number: int
    overrides: tuple[str, ...]
    message: str
    status: int


def write_failure(output: Path, failure: Failure) -> None:
    """Keep a failure in the job's folder."""
    output.mkdir(parents=True, exist_ok=True)
    (output / FAILURE_FILE).write_text(failure.model_dump_json(indent=1), encoding="utf-8")


class CompareSweep(Callback):
    """Hydra callback that ends a sweep."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Compare what finished; tell what failed and exit with its status.

        An exit, because Hydra turns every exception of a callback into a warning.
        """
        # Imported late: Hydra makes its callbacks before the config is checked.
        folder = Path(config.hydra.sweep.dir)
        paths = folder.rglob(FAILURE_FILE)
        failures = [Failure.model_validate_json(path.read_text("utf-8")) for path in paths]
        failures.sort(key=lambda failure: failure.number)
        status = max((failure.status for failure in failures), default=0)
        if any(folder.rglob("run.json")):
            from tuna_exp.runs import compare_runs

            try:
                compare_runs([folder])
            except UserError as error:
                sys.stderr.write(f"tuna-exp: {error}\n")
                status = max(status, 2)
        if failures:
            sys.stderr.write(told(failures, folder))
        if status:
            raise SystemExit(status)


def told(failures: Sequence[Failure], folder: Path) -> str:
    """Return one screen about the jobs that failed."""
    lines = [f"tuna-exp: {len(failures)} job(s) of the sweep failed; the others are finished."]
    for failure in failures:
        head, *rest = failure.message.splitlines()
        lines.append(f"job {failure.number} ({' '.join(failure.overrides)}): {head}")
        lines += rest
    if len(lines) > _LINES_SHOWN:
        lines = [*lines[:_LINES_SHOWN], f"... all of it is in {folder}/*/{FAILURE_FILE}"]
    return "\n".join(lines) + "\n"
