"""A W&B workspace and a report over a project that `logger=wandb` wrote to (wandb-workspaces).

That library knows how W&B stores its views, which changes with its server; it is imported here
alone, and late. The sections of both are one list. Their names are the project's own, so that a
second call updates what the first one made. Left out: intervals over items, which W&B cannot make:
those that a comparison has made are drawn, and bands are standard errors over runs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuna_exp.errors import UserError, in_short

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import Report
    from wandb_workspaces.workspaces import Workspace

EXTRA = "pip install 'tuna_exp[workspaces]'"
LOCAL = "tuna-exp dashboard runs=FOLDER shows the same runs without W&B"
NAME = "tuna-exp methods and seeds"
GROUP_BY = ("method", "seed")
# Metrics of a training's curve, as its run logs them.
CURVES = (
    "loss", "ranking_loss", "mle_loss", "pair_accuracy", "kendall_tau", "margin", "logp_best",
    "length_best", "length_worst", "gradient_share_ranking", "val/loss",
)  # fmt: skip
# Flat settings that runs may differ by.
SETTINGS = ("method", "ranking_loss", "ranker", "teacher", "dataset", "model", "lora", "seed")
_COMPARED, _ALL = "JobType = 'evaluate'", ""
_NAME_DIGITS = 11


@dataclass(frozen=True)
class Section:
    """A heading with what it shows. `runs` is the filter of the report's runs."""

    title: str
    words: str
    panels: Sequence[Any] = field(default_factory=tuple)
    runs: str = _ALL


def parsed(project: str) -> tuple[str, str]:
    """Return entity and project of ENTITY/PROJECT; raises UserError where it is not that."""
    entity, slash, name = project.partition("/")
    if not (entity and slash and name) or "/" in name:
        raise UserError(
            f"wandb={project} names no project of W&B. Cure: wandb=ENTITY/PROJECT, as in the "
            "address of the project's page."
        )
    return entity, name


def save(project: str, group: Sequence[str] = GROUP_BY) -> tuple[str, str]:
    """Make or update the workspace and the report of ENTITY/PROJECT; return their addresses.

    `group` are flat settings that runs are grouped by. Raises UserError where the library is
    missing, there is no login, the server does not answer or refuses.
    """
    entity, name = parsed(project)
    _needed()
    from tuna_exp.tracking.sync import check_server

    try:
        check_server()
    except UserError as error:
        raise UserError(f"{error} Without W&B: {LOCAL}.") from error
    try:
        there = _known_workspace(entity, name)
        made = workspace(entity, name, group)
        if there is not None:
            made._internal_name, made._internal_id = there
        else:
            made._internal_name = view_name(entity, name)
        made.save()
        written = report(entity, name, group)
        written.id = _known_report(entity, name)
        written.save()
    except Exception as error:  # the library raises what its parts do: network, service, parsing
        reason = in_short(error) or type(error).__name__
        raise UserError(
            f"wandb={project}: W&B refused the dashboard: {reason}. Cure: check that the project "
            f"is there and may be written to; {LOCAL}."
        ) from error
    return str(made.url), str(written.url)


def view_name(entity: str, project: str) -> str:
    """Return the name that W&B knows the workspace of a project by, always the same."""
    digest = hashlib.sha256(f"tuna-exp {entity}/{project}".encode()).hexdigest()
    return f"nw-{digest[:_NAME_DIGITS]}-v"


def workspace(entity: str, project: str, group: Sequence[str] = GROUP_BY) -> "Workspace":
    """Return the workspace of a project; nothing is asked of a server."""
    import wandb_workspaces.expr as expr
    import wandb_workspaces.workspaces as ws

    shown = [
        ws.Section(name=one.title, panels=[*one.panels], is_open=at < 2)
        for at, one in enumerate(sections(group))
    ]
    pinned = [*(f"config:{key}.value" for key in group), "summary:score", "summary:difference"]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=shown,
        settings=ws.WorkspaceSettings(x_axis="examples", max_runs=100),
        runset_settings=ws.RunsetSettings(
            groupby=[expr.Config(key) for key in group], pinned_columns=pinned
        ),
    )


def report(entity: str, project: str, group: Sequence[str] = GROUP_BY) -> "Report":
    """Return the report of a project; with an entity its serialisation asks the server."""
    import wandb_workspaces.reports.v2 as wr

    blocks: list[Any] = [wr.TableOfContents()]
    for one in sections(group):
        runset = wr.Runset(
            entity=entity,
            project=project,
            name="compared methods" if one.runs else "all runs",
            filters=one.runs,
            groupby=[f"config.{key}" for key in group],
        )
        blocks += [wr.H1(text=one.title), wr.P(text=one.words)]
        blocks.append(wr.PanelGrid(runsets=[runset], panels=[*one.panels]))
    return wr.Report(
        entity=entity,
        project=project,
        title=NAME,
        description="Which method is better, by how much, and at what cost.",
        blocks=blocks,
        width="fluid",
    )


def sections(group: Sequence[str] = GROUP_BY) -> list[Section]:
    """Return what both show, in the order in which a reader asks."""
    first = group[0]
    return [
        _methods(first),
        _ablation(),
        _curves(first, "examples"),
        _curves(first, "tokens"),
        _rankings(),
        _cost(first),
        _samples(),
        _runs(),
    ]


def _methods(first: str) -> Section:
    import wandb_workspaces.reports.v2 as wr

    titles = {
        "score": "Score",
        "passed": "Passed (share)",
        "held_out_kind/score": "Score on kinds that training never showed",
        "response_tokens": "Tokens per response",
    }
    bars = [_bars(metric, title, first) for metric, title in titles.items()]
    words = "Means over the runs of a group; whiskers are standard errors over runs, so over seeds."
    return Section(
        "Methods side by side", words, [*bars, wr.MarkdownPanel(markdown=_HOW)], _COMPARED
    )


_HOW = (
    "**How to read this.** A run of job type `evaluate` is one method of one comparison. Its "
    "`score` has an interval over items and kinds of item (`score_low`, `score_high`), its "
    "`difference` is paired with the baseline's answers to the same items. `verdict` rests on a "
    "permutation test that is corrected for the methods of that comparison. Whiskers drawn here "
    "are over runs alone: `tuna-exp compare` pools seeds and items."
)


def _ablation() -> Section:
    import wandb_workspaces.reports.v2 as wr

    low, middle, high = "difference_low", "difference", "difference_high"
    return Section(
        "Ablation with intervals",
        "What each method gains over the baseline on the same items (shares, 0.01 is a point): the "
        "lower end, the difference and the upper end of its interval, as the comparison made it.",
        [
            wr.BarPlot(
                title="Difference to the baseline: low, value, high", metrics=[low, middle, high]
            ),
            wr.BarPlot(
                title="Score: low, value, high", metrics=["score_low", "score", "score_high"]
            ),
            wr.BarPlot(title="Adjusted p value", metrics=["adjusted_p"]),
            wr.WeavePanelSummaryTable(table_name="figures", layout=wr.Layout(w=24, h=10)),
        ],
        _COMPARED,
    )


def _curves(first: str, axis: str) -> Section:
    import wandb_workspaces.reports.v2 as wr

    plots = [
        wr.LinePlot(
            title=f"{metric} over {axis}",
            x=axis,
            y=[metric],
            groupby=wr.Config(first),
            groupby_aggfunc="mean",
            groupby_rangefunc="stderr",
            aggregate=True,
            smoothing_type="exponentialTimeWeighted",
            smoothing_factor=0.3,
            max_runs_to_show=100,
        )
        for metric in CURVES
    ]
    words = f"Of each training over the {axis} it has seen; bands are standard errors over runs."
    return Section(f"Curves over {axis}", words, plots)


def _rankings() -> Section:
    import wandb_workspaces.reports.v2 as wr

    tables = ("reliability", "agreement", "verdicts", "slots")
    return Section(
        "Ranking health",
        "How far each ranking can be trusted: the same verdict in another order of presentation, "
        "ties, the pull of length and of place, agreement between rankers; and what to do.",
        [
            *(wr.WeavePanelSummaryTable(table_name=t, layout=wr.Layout(w=12, h=8)) for t in tables),
            wr.BarPlot(title="Sets with an order, and all", metrics=["ordered_sets", "sets"]),
        ],
    )


def _cost(first: str) -> Section:
    import wandb_workspaces.reports.v2 as wr

    titles = {
        "seconds": "Seconds that making the model took",
        "trained_tokens": "Tokens trained on",
        "generated_tokens": "Tokens generated",
        "judge_read_tokens": "Tokens read by a judge",
        "usd": "Dollars",
        "flops": "Floating point operations",
    }
    score = wr.SummaryMetric("score")
    scatters = [
        wr.ScatterPlot(title=f"Score against {words}", x=wr.SummaryMetric(cost), y=score)
        for cost, words in (("flops", "floating point operations"), ("usd", "dollars"))
    ]
    bars = [_bars(metric, title, first) for metric, title in titles.items()]
    words = "Of each method, with all that it was made from; what methods share counts for each."
    return Section("Cost", words, [*scatters, *bars], _COMPARED)


def _samples() -> Section:
    import wandb_workspaces.reports.v2 as wr

    tables = ("side_by_side", "predictions", "ranked_samples")
    wide = wr.Layout(w=24, h=10)
    return Section(
        "Samples",
        "A method's answers beside the baseline's with what it gained, all answers that were "
        "logged, and ranked samples.",
        [wr.WeavePanelSummaryTable(table_name=table, layout=wide) for table in tables],
    )


def _runs() -> Section:
    import wandb_workspaces.reports.v2 as wr

    column = wr.ParallelCoordinatesPlotColumn
    columns = [column(metric=wr.Config(key), display_name=key) for key in SETTINGS]
    columns.append(column(metric=wr.SummaryMetric("score"), display_name="score"))
    return Section(
        "Runs and settings",
        "Settings against score, and the settings of runs beside one another.",
        [
            wr.ParallelCoordinatesPlot(
                title="Settings and score", columns=columns, layout=wr.Layout(w=24, h=10)
            ),
            wr.ParameterImportancePlot(with_respect_to="score"),
            wr.RunComparer(diff_only="split", layout=wr.Layout(w=24, h=12)),
        ],
        _COMPARED,
    )


def _bars(metric: str, title: str, first: str) -> Any:
    import wandb_workspaces.reports.v2 as wr

    return wr.BarPlot(
        title=title,
        metrics=[metric],
        groupby=wr.Config(first),
        groupby_aggfunc="mean",
        groupby_rangefunc="stderr",
        max_runs_to_show=100,
    )


def _needed() -> None:
    try:
        import wandb_workspaces  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"a dashboard in W&B needs wandb-workspaces, which is not installed. Cure: {EXTRA}; "
            f"or {LOCAL}."
        ) from error


def _known_workspace(entity: str, project: str) -> tuple[str, str] | None:
    """Return name and id of the workspace that an earlier call made, None where there is none."""
    from wandb_workspaces.workspaces.internal import View

    name = view_name(entity, project)
    try:
        view = View.from_name(entity, project, name)
    except ValueError as error:
        if "not found in project" in str(error):
            return None
        raise
    return name, str(view.id)


def _known_report(entity: str, project: str) -> str:
    """Return the id of the report that an earlier call made, "" where there is none."""
    import wandb

    found = wandb.Api().reports(f"{entity}/{project}")
    return next((str(one.id) for one in found if one.display_name == NAME), "")
