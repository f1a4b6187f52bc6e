"""`tuna-exp compare wandb=ENTITY/PROJECT`: the methods of a W&B project, pooled as run folders are.

What is read is each method's own run (job type `evaluate`) of one seed: its summary, the scores
of its answers (`all_scores`) and the texts of the first of them (`predictions`). Where all scores
are there, seeds are pooled and methods are tested; where a part is (`logger.wandb.score_rows`),
what each run's own comparison found is listed, and nothing is tested. Left out: rankings, curves
and what else a budget buys, which the tables do not hold.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from tuna_exp.comparable import chosen_baseline
from tuna_exp.comparison import results, table
from tuna_exp.comparison.report import write_report
from tuna_exp.comparison.results import Comparison, MethodResult, Tokens
from tuna_exp.comparison.tracking import ALL_SCORES
from tuna_exp.comparison.wording import percent
from tuna_exp.dashboard.online import parsed
from tuna_exp.errors import UserError, in_short
from tuna_exp.records import Instruction, Prediction
from tuna_exp.tracking.described import FLAT

if TYPE_CHECKING:
    import wandb

JOB, ANSWERS = "evaluate", "predictions"
# What has no part in a model that was trained on no ranking.
_UNRANKED = ("base", "sft")
_OF_RANKINGS = (
    "ranking_loss", "ranker", "teacher", "teacher_ranker", "sampling", "sampling_of_teacher",
    "sampler", "score_with", "extra_rankers", "objective",
)  # fmt: skip
_NO_PART = ("seed", "comparison", "evaluation", "max_refused")
_SETTINGS_SHOWN = 2


@dataclass(frozen=True)
class Logged:
    """One method's run: its settings by dotted name, its figures, and all of its answers.

    `answers` is None where the tables hold but a part of them: `rows` of `items`. `with_texts` are
    the items whose texts are there; of others the id stands for the instruction.
    """

    id: str
    method: str
    seed: str
    settings: Mapping[str, Any]
    summary: Mapping[str, Any]
    config: Mapping[str, Any]
    answers: Sequence[Prediction] | None
    rows: int
    with_texts: frozenset[str] = frozenset()

    @property
    def items(self) -> int:
        """How many items the run's model answered."""
        return int(self.summary.get("items", 0))


def compare_project(project: str, baseline: str | None = None, out: Path | None = None) -> None:
    """Compare the methods of ENTITY/PROJECT and print the comparison; its files go to `out`.

    Raises UserError where there is no login, no such run, or nothing that has the baseline's name.
    """
    found = read_project(project)
    console = Console(highlight=False)
    part = [one for one in found if one.answers is None]
    if part:
        console.print(summaries(found))
        console.print(_untested(part), soft_wrap=True)
        if out is not None:
            raise UserError(f"out={out}: there is no comparison to write. Cure: leave it out.")
        return
    comparison = pooled(found, baseline)
    console.print(table.render(comparison))
    if out is not None:
        table.write(comparison, out)
        shown = frozenset.intersection(*(one.with_texts for one in found))
        write_report(comparison, out / "report.html", {"wandb": {"project": project}}, shown)
        console.print(f"Report with plots: {out / 'report.html'}", soft_wrap=True)


def read_project(project: str) -> list[Logged]:
    """Return the methods' runs of a project, the oldest first. Raises UserError as above."""
    from tuna_exp.tracking.sync import check_server

    entity, name = parsed(project)
    check_server()
    import wandb

    try:
        runs = wandb.Api().runs(f"{entity}/{name}", {"jobType": JOB}, order="+created_at")
        found = [one for run in runs if (one := _logged(run)) is not None]
    except (ValueError, wandb.Error) as error:
        reason = in_short(error)
        raise UserError(
            f"wandb={project}: W&B refused: {reason}. Cure: the ENTITY/PROJECT of the project's "
            "address; or runs=FOLDER, the folders of the same runs."
        ) from error
    # A comparison of several seeds repeats the answers of the first.
    single = [one for one in found if "," not in one.seed]
    if not single:
        raise UserError(
            f"wandb={project}: no finished run there is of a single method and seed (job type "
            f"'{JOB}'). Cure: run with logger=wandb, then `tuna-exp track sync`; or runs=FOLDER."
        )
    return single


def pooled(found: Sequence[Logged], baseline: str | None = None) -> Comparison:
    """Return the comparison of runs with all answers; those alike but for their seed are one."""
    named, remarks = told_apart(found)
    first = found[0].config
    against = chosen_baseline(baseline, str(first.get("baseline", "sft")), list(named))
    confidence, resamples = float(first.get("confidence", 0.95)), int(first.get("resamples", 9999))
    methods = [_method(name, runs) for name, runs in named.items()]
    made = results.compare(methods, [], [], against, confidence, resamples, 0)
    return replace(made, remarks=tuple(remarks))


def told_apart(found: Sequence[Logged]) -> tuple[dict[str, list[Logged]], list[str]]:
    """Return runs by name, one for each seed, and in words what was left out.

    Of runs of one method that differ by more than their seed each kind has a name of its own.
    """
    named: dict[str, list[Logged]] = {}
    remarks: list[str] = []
    for method in dict.fromkeys(one.method for one in found):
        runs = [one for one in found if one.method == method]
        for name, alike in _kinds(method, runs).items():
            by_seed = {one.seed: one for one in alike}
            named[name] = list(by_seed.values())
            if len(by_seed) < len(alike):
                remarks.append(
                    f"Of {name} several runs have the same settings and seed; the latest counts."
                )
    return named, remarks


def _kinds(method: str, runs: Sequence[Logged]) -> dict[str, list[Logged]]:
    """Return runs of one method by what they do not share with the first."""
    settings = [_mattering(one) for one in runs]
    telling = _telling(settings)
    found: dict[str, list[Logged]] = {}
    for run, own in zip(runs, settings, strict=True):
        words = _unshared(own, settings[0], telling)
        found.setdefault(" ".join([method, *words]), []).append(run)
    return found


def _telling(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys that runs differ by, options of groups first: what is below them follows."""
    keys = dict.fromkeys(key for own in settings for key in own)
    differing = [key for key in keys if len({repr(own.get(key)) for own in settings}) > 1]
    options = [key for key in differing if key in FLAT]
    below = tuple(f"cfg.{key}." for key in options)
    return options + [key for key in differing if key not in FLAT and not key.startswith(below)]


def _unshared(own: Mapping[str, Any], usual: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    parts = [key for key in keys if repr(own.get(key)) != repr(usual.get(key))]
    words = [f"{key.rpartition('.')[2]}={own.get(key)}" for key in parts[:_SETTINGS_SHOWN]]
    more = len(parts) - len(words)
    return [*words, *([f"and {more} more"] if more else [])]


def _mattering(run: Logged) -> dict[str, Any]:
    left_out = (*_NO_PART, *(_OF_RANKINGS if run.method in _UNRANKED else ()))
    return {
        key: value
        for key, value in run.settings.items()
        if key.removeprefix("cfg.").partition(".")[0] not in left_out
    }


def _method(name: str, runs: Sequence[Logged]) -> MethodResult:
    first, *others = runs
    answers = {one.seed: one.answers or () for one in runs}

    def mean(key: str) -> float:
        return sum(float(one.summary.get(key, 0)) for one in runs) / len(runs)

    counts = (round(mean(f"{kind}_tokens")) for kind in ("trained", "generated", "judge_read"))
    trained, generated, read = counts
    return MethodResult(
        method=name,
        predictions=answers[first.seed],
        seconds=mean("seconds"),
        tokens=Tokens(trained, generated, read, mean("usd")),
        seed=first.seed,
        more={one.seed: answers[one.seed] for one in others},
    )


def _logged(run: "wandb.apis.public.Run") -> Logged | None:
    config, summary = dict(run.config), dict(run.summary)
    if run.state != "finished" or "method" not in config or "score" not in summary:
        return None
    texts = {row["id"]: row for row in _rows(run, summary, ANSWERS) if "id" in row}
    # A project that was logged before there was a table of scores has the texts alone.
    rows = _rows(run, summary, ALL_SCORES) or list(texts.values())
    answers = _answers(rows, texts) if len(rows) == summary.get("items") else None
    return Logged(
        id=str(run.id),
        method=str(config["method"]),
        seed=str(config.get("seed", "")),
        settings=dict(_flat({key: config[key] for key in (*FLAT, "cfg") if key in config})),
        summary=summary,
        config=config,
        answers=answers,
        rows=len(rows),
        with_texts=frozenset(texts),
    )


def _rows(
    run: "wandb.apis.public.Run", summary: Mapping[str, Any], name: str
) -> list[dict[str, Any]]:
    """Return the rows of a table that a run has logged; none where it is not there."""
    get = getattr(summary.get(name), "get", None)  # the client has a mapping of its own
    path = get("path") if get else None
    if not path:
        return []
    with tempfile.TemporaryDirectory() as folder:
        run.file(path).download(root=folder, replace=True)
        read = json.loads((Path(folder) / path).read_text(encoding="utf-8"))
    return [dict(zip(read["columns"], row, strict=True)) for row in read["data"]]


def _answers(
    rows: Sequence[Mapping[str, Any]], texts: Mapping[str, Mapping[str, Any]]
) -> list[Prediction] | None:
    """Return answers by their scores, with texts where they are known; None for other tables."""
    try:
        return [_prediction(row, texts.get(row["id"], {})) for row in rows]
    except (KeyError, ValidationError):
        return None


def _prediction(row: Mapping[str, Any], texts: Mapping[str, Any]) -> Prediction:
    asked = Instruction(
        id=row["id"],
        instruction=texts.get("instruction") or row["id"],
        kind=row["kind"],
        split=row["split"],
    )
    return Prediction(
        instruction=asked,
        text=texts.get("response", ""),
        tokens=row["tokens"],
        passed=row["passed"],
        score=row["score"],
    )


def _flat(node: Any, name: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        parts = ((f"{name}.{key}" if name else str(key), value) for key, value in node.items())
        return [leaf for key, value in parts for leaf in _flat(value, key)]
    return [(name, node)]


def summaries(found: Sequence[Logged]) -> Table:
    """Return what each run's own comparison found, as a table."""
    shown = Table(title="What each run's own comparison found (in percent)")
    for head in ("method", "seed", "items", "score [interval]", "against", "points", "verdict"):
        shown.add_column(head)
    for one in found:
        figures = one.summary
        shown.add_row(
            one.method, one.seed or "–", str(one.items), _span(figures, "score"),
            str(one.config.get("baseline", "")), _span(figures, "difference"),
            str(figures.get("verdict", "")),
        )  # fmt: skip
    return shown


def _span(figures: Mapping[str, Any], name: str) -> str:
    if name not in figures:
        return "–"
    ends = [figures.get(f"{name}_{end}") for end in ("low", "high")]
    known = [percent(float(end)) for end in ends if isinstance(end, int | float)]
    return f"{percent(float(figures[name]))} [{', '.join(known)}]"


def _untested(part: Sequence[Logged]) -> str:
    named = [f"{one.method} seed {one.seed}: {one.rows} of {one.items}" for one in part]
    shown = "; ".join(named[:4]) + (f"; and {len(named) - 4} more" if len(named) > 4 else "")
    most = max(one.items for one in part)
    return (
        f"Nothing is pooled or tested: W&B holds a part of the answers ({shown}). So it cannot be "
        "said whether methods differ over seeds, nor between runs that stood in different "
        "comparisons; each interval above is of one run, over its items alone. Cure: runs=FOLDER, "
        f"the folders of the same runs; or log all scores, logger.wandb.score_rows={most}."
    )
