"""A comparison in Weights & Biases: one evaluation run per method and one of the rankings, grouped.

A method's run is named by the figures that it shows, so that the SFT model that all jobs of a sweep
compare with is there once for each of its seeds.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence

import wandb

from tuna_exp.comparison.benchmarks import ALL
from tuna_exp.comparison.figures import COLUMNS, numbers
from tuna_exp.comparison.results import Comparison, MethodResult
from tuna_exp.comparison.statistics import Interval
from tuna_exp.comparison.table import agreement_rows, flat, trust_rows
from tuna_exp.tracking.client import Client, not_fatal
from tuna_exp.tracking.described import short_digest
from tuna_exp.tracking.lineage import Node
from tuna_exp.tracking.tables import answers_table, scores_table, side_by_side

RANKINGS = "rankings"
ALL_SCORES = "all_scores"
_TEXT = ("split", "method")
_NOT_IN_IDS = re.compile(r"[^\w-]+")


@dataclasses.dataclass(frozen=True)
class Shown:
    """What a method's run stands for: the digests of its `figures`, the artifacts it `used`."""

    figures: Sequence[str]
    used: Sequence[str] = ()


def log_comparison(
    comparison: Comparison, client: Client, shown: Mapping[str, Shown], rankings: Shown
) -> list[str]:
    """Write one finished run per method and return the ids of those that were begun.

    `shown` says of each method what it stands on, `rankings` of the last run, named rankings, which
    has what is known of their reliability.

    The summary holds the columns of table.csv; those of a part of the items carry the split's
    name, as in `held_out_kind/score`. Unknown numbers are left out.

    Raises:
        UserError: the tracker refuses the run, for instance online without a login.
    """
    ids = [_log_method(comparison, m, client, shown[m.method]) for m in comparison.methods]
    if comparison.trust:
        ids.append(_log_rankings(comparison, client, rankings))
    return [one for one in ids if one]


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
        own = [row for row in one.overall_rows if row.method == method]
        said |= {f"{one.name}/{row.metric}{one.mark}": row.interval.value for row in own}
    return {
        name: value
        for name, value in said.items()
        if name.rpartition("/")[2] not in _TEXT
        and not (isinstance(value, float) and math.isnan(value))
    }


def _log_method(
    comparison: Comparison, method: MethodResult, client: Client, shown: Shown
) -> str | None:
    name, tracking = method.method, client.tracking
    node = _node(name, "evaluate", shown)
    about = {"method": name, "baseline": comparison.baseline, "seed": _seed(method)}
    with client.running(node, {**about, **_settings(comparison)}) as run:
        if run is None:
            return None
        with not_fatal(node.run):
            run.log({"predictions": answers_table(method.predictions, tracking.rows)})
            run.log({ALL_SCORES: scores_table(method.predictions, tracking.score_rows)})
            if name != comparison.baseline:
                base = comparison.result_of(comparison.baseline)
                old, new = (base.method, base.predictions), (name, method.predictions)
                run.log({"side_by_side": side_by_side(old, new, tracking.rows)})
            if comparison.benchmarks:
                run.log({"figures": _figures(comparison, name)})
            run.summary.update(summary(comparison, name))
        return node.run


def _log_rankings(comparison: Comparison, client: Client, shown: Shown) -> str | None:
    node = _node(RANKINGS, RANKINGS, shown)
    with client.running(node, _settings(comparison)) as run:
        if run is None:
            return None
        with not_fatal(node.run):
            run.log({"verdicts": _verdicts(comparison), "slots": _slots(comparison)})
            named = {"reliability": trust_rows(comparison), "agreement": agreement_rows(comparison)}
            for name, rows in named.items():
                if rows:
                    run.log({name: wandb.Table(columns=[*rows[0]], data=rows[1:])})
            run.summary.update(reliability_summary(comparison))
        return node.run


def _node(name: str, job: str, shown: Shown) -> Node:
    word = _NOT_IN_IDS.sub("_", name)[:40]
    run = f"{word}-{short_digest(sorted(shown.figures))}"
    return Node(run=run, name=name, job_type=job, inputs=tuple(dict.fromkeys(shown.used)))


def _seed(method: MethodResult) -> int | str:
    """Return the training seed, in words where there are several or none had a part in it."""
    seeds = ",".join(method.by_seed)
    return int(seeds) if seeds.isdecimal() else seeds


def _settings(comparison: Comparison) -> dict[str, object]:
    bootstrap = comparison.bootstrap
    sizes = {f"benchmarks/{one.name}": one.size for one in comparison.benchmarks}
    return {"confidence": bootstrap.confidence, "resamples": bootstrap.resamples, **sizes}


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
