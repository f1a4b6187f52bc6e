"""A comparison in Weights & Biases: one evaluation run per method and one of the rankings, grouped.

Left out: artifacts (offline they would be staged outside the run and get lost on a copy) and the
command line and environment that the client would gather by itself: they may hold secrets.
Settings are logged flat, because a nested one cannot be filtered by in a workspace.
"""

import dataclasses
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import wandb
from wandb.errors import UsageError

from tuna_exp.comparison.benchmarks import ALL
from tuna_exp.comparison.figures import COLUMNS, numbers
from tuna_exp.comparison.results import Comparison, MethodResult
from tuna_exp.comparison.statistics import Interval
from tuna_exp.comparison.table import agreement_rows, flat, trust_rows
from tuna_exp.errors import UserError

Mode = Literal["online", "offline", "disabled"]

RANKINGS = "rankings"
_ROWS_SHOWN = 200
_LONGEST_TEXT = 4000
_COLUMNS = ("id", "kind", "split", "instruction", "response", "tokens", "passed", "score")
_TEXT = ("split", "method")


def log_comparison(
    comparison: Comparison, folder: Path, mode: Mode, project: str, group: str
) -> list[str]:
    """Write one finished run per method below `folder`/wandb and return the run ids.

    Where there are rankings a last run, named rankings, has what is known of their reliability.

    The summary holds the columns of table.csv; those of a part of the items carry the split's
    name, as in `held_out_kind/score`. Unknown numbers are left out.

    Raises:
        UserError: the tracker refuses the run, for instance online without a login.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _data_inside(folder):
        ids = [
            _log_method(comparison, method, folder, mode, project, group)
            for method in comparison.methods
        ]
        if comparison.trust:
            ids.append(_log_rankings(comparison, folder, mode, project, group))
        return ids


def summary(comparison: Comparison, method: str) -> dict[str, object]:
    """A method's numbers under the names of table.csv, a part of the items under split/name.

    Figures over all of a benchmark are under benchmark/figure.
    """
    said: dict[str, object] = {}
    for row in comparison.rows:
        if row.method == method:
            prefix = "" if row.split == ALL else f"{row.split}/"
            said |= {f"{prefix}{name}": value for name, value in flat(comparison, row).items()}
    for one in comparison.benchmarks:
        said |= {f"{one.name}/items": one.items, f"{one.name}/of": one.of}
        own = [row for row in one.rows_of(ALL) if row.method == method]
        said |= {f"{one.name}/{row.metric}": row.interval.value for row in own}
    return {
        name: value
        for name, value in said.items()
        if name.rpartition("/")[2] not in _TEXT
        and not (isinstance(value, float) and math.isnan(value))
    }


def _log_method(
    comparison: Comparison, method: MethodResult, folder: Path, mode: Mode, project: str, group: str
) -> str:
    about = {"method": method.method, "baseline": comparison.baseline}
    run = _start(comparison, about, folder, mode, project, group)
    with _finishing(run):
        run.log({"predictions": _table(method)})
        if comparison.benchmarks:
            run.log({"figures": _figures(comparison, method.method)})
        run.summary.update(summary(comparison, method.method))
    return str(run.id)


def _log_rankings(
    comparison: Comparison, folder: Path, mode: Mode, project: str, group: str
) -> str:
    run = _start(comparison, {}, folder, mode, project, group)
    with _finishing(run):
        run.log({"verdicts": _verdicts(comparison), "slots": _slots(comparison)})
        named = {"reliability": trust_rows(comparison), "agreement": agreement_rows(comparison)}
        for name, rows in named.items():
            if rows:
                run.log({name: wandb.Table(columns=[*rows[0]], data=rows[1:])})
        run.summary.update(reliability_summary(comparison))
    return str(run.id)


def reliability_summary(comparison: Comparison) -> dict[str, float]:
    """The known figures of each ranking, as in `judge ranker/order_pairs`."""
    figures = {
        f"{trust.name}/{field.name}": getattr(trust.figures, field.name)
        for trust in comparison.trust
        for field in dataclasses.fields(trust.figures)
    }
    return {name: i.value for name, i in figures.items() if isinstance(i, Interval)}


def _figures(comparison: Comparison, method: str) -> wandb.Table:
    rows = [
        [None if value == "" else value for value in numbers(one, row)]
        for one in comparison.benchmarks
        for row in one.rows
        if row.method == method
    ]
    return wandb.Table(columns=[*COLUMNS], data=rows)


def _verdicts(comparison: Comparison) -> wandb.Table:
    rows = [[t.name, v.severity, v.message, v.cure] for t in comparison.trust for v in t.verdicts]
    return wandb.Table(columns=["ranking", "severity", "verdict", "cure"], data=rows)


def _slots(comparison: Comparison) -> wandb.Table:
    rows = [
        [t.name, s.number, s.won.value, s.won.low, s.won.high, s.expected]
        for t in comparison.trust
        for s in t.figures.slots
    ]
    return wandb.Table(columns=["ranking", "slot", "won", "low", "high", "expected"], data=rows)


@contextmanager
def _finishing(run: wandb.Run) -> Iterator[None]:
    """Finish a run, as failed where what is done meanwhile fails."""
    finished = False
    try:
        yield
        finished = True
    finally:
        run.finish(exit_code=0 if finished else 1)


def _start(
    comparison: Comparison,
    about: Mapping[str, str],
    folder: Path,
    mode: Mode,
    project: str,
    group: str,
) -> wandb.Run:
    """Start the run of a method, or that of the rankings where `about` names none."""
    settings = comparison.bootstrap
    try:
        return wandb.init(
            project=project,
            group=group,
            name=about.get("method", RANKINGS),
            job_type="evaluate" if about else "rank",
            dir=folder,
            mode=mode,
            reinit="finish_previous",
            config={
                **about,
                "confidence": settings.confidence,
                "resamples": settings.resamples,
                **{f"benchmarks/{one.name}": one.size for one in comparison.benchmarks},
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
