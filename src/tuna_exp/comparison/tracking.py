"""A comparison in Weights & Biases: one evaluation run per method, grouped.

Left out: artifacts (offline they would be staged outside the run and get lost on a copy) and the
command line and environment that the client would gather by itself: they may hold secrets.
Settings are logged flat, because a nested one cannot be filtered by in a workspace.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import wandb
from wandb.errors import UsageError

from tuna_exp.comparison.results import ALL, Comparison, MethodResult
from tuna_exp.comparison.table import flat
from tuna_exp.errors import UserError

Mode = Literal["online", "offline", "disabled"]

_ROWS_SHOWN = 200
_LONGEST_TEXT = 4000
_COLUMNS = ("id", "kind", "split", "instruction", "response", "tokens", "passed", "score")
_TEXT = ("split", "method")


def log_comparison(
    comparison: Comparison, folder: Path, mode: Mode, project: str, group: str
) -> list[str]:
    """Write one finished run per method below `folder`/wandb and return the run ids.

    The summary holds the columns of table.csv; those of a part of the items carry the split's
    name, as in `held_out_kind/score`. Unknown numbers are left out.

    Raises:
        UserError: the tracker refuses the run, for instance online without a login.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _data_inside(folder):
        return [
            _log_method(comparison, method, folder, mode, project, group)
            for method in comparison.methods
        ]


def summary(comparison: Comparison, method: str) -> dict[str, object]:
    """A method's numbers under the names of table.csv, a part of the items under split/name."""
    said: dict[str, object] = {}
    for row in comparison.rows:
        if row.method == method:
            prefix = "" if row.split == ALL else f"{row.split}/"
            said |= {f"{prefix}{name}": value for name, value in flat(comparison, row).items()}
    return {
        name: value
        for name, value in said.items()
        if name.rpartition("/")[2] not in _TEXT
        and not (isinstance(value, float) and math.isnan(value))
    }


def _log_method(
    comparison: Comparison, method: MethodResult, folder: Path, mode: Mode, project: str, group: str
) -> str:
    run = _start(comparison, method, folder, mode, project, group)
    finished = False
    try:
        run.log({"predictions": _table(method)})
        run.summary.update(summary(comparison, method.method))
        finished = True
    finally:
        run.finish(exit_code=0 if finished else 1)
    return str(run.id)


def _start(
    comparison: Comparison, method: MethodResult, folder: Path, mode: Mode, project: str, group: str
) -> wandb.Run:
    settings = comparison.bootstrap
    try:
        return wandb.init(
            project=project,
            group=group,
            name=method.method,
            job_type="evaluate",
            dir=folder,
            mode=mode,
            reinit="finish_previous",
            config={
                "method": method.method,
                "baseline": comparison.baseline,
                "confidence": settings.confidence,
                "resamples": settings.resamples,
            },
            settings=_quiet(),
        )
    except UsageError as error:
        raise UserError(
            f"tracking in mode '{mode}' was refused for project '{project}': {error}. "
            "Cure: log in with `wandb login`, or track with mode offline or disabled"
        ) from error


def _quiet() -> wandb.Settings:
    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )


def _table(method: MethodResult) -> wandb.Table:
    rows = [
        [
            prediction.instruction.id,
            prediction.instruction.kind,
            prediction.instruction.split,
            prediction.instruction.text[:_LONGEST_TEXT],
            prediction.text[:_LONGEST_TEXT],
            prediction.tokens,
            prediction.passed,
            prediction.score,
        ]
        for prediction in method.predictions[:_ROWS_SHOWN]
    ]
    return wandb.Table(columns=list(_COLUMNS), data=rows)


@contextmanager
def _data_inside(folder: Path) -> Iterator[None]:
    """Let the client stage its data in `folder`, not in the home directory, while this runs."""
    before = os.environ.get("WANDB_DATA_DIR")
    os.environ["WANDB_DATA_DIR"] = str(folder / "wandb-data")
    try:
        yield
    finally:
        if before is None:
            del os.environ["WANDB_DATA_DIR"]
        else:
            os.environ["WANDB_DATA_DIR"] = before
