"""Compare: what each method scored and cost, and how far each ranking agreed with the truth."""

import io
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from tuna_exp.comparison import results, table
from tuna_exp.comparison.benchmarks import Answered, BenchmarkResult, benchmark_result
from tuna_exp.comparison.costs import compute_of, inference_of, mean_of
from tuna_exp.comparison.pareto import write_plots
from tuna_exp.comparison.report import write_report
from tuna_exp.comparison.results import (
    Comparison,
    MethodResult,
    Tokens,
)
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.comparison.tracking import Shown, log_comparison
from tuna_exp.efficiency.meters import noted
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.contamination import Contamination, remark_on_unknown
from tuna_exp.evaluation.open_ended.judging import Comparison as Judged
from tuna_exp.evaluation.open_ended.win_rates import comparison_figures
from tuna_exp.plan import Workspace
from tuna_exp.records import Instruction, Prediction, read_records
from tuna_exp.stages.contaminated import contaminations
from tuna_exp.stages.evaluate import PREDICTIONS, read_figures
from tuna_exp.stages.inputs import Inputs, read_curve, stage_cost
from tuna_exp.stages.judge import COMPARISONS, OTHERS
from tuna_exp.stages.measured import rankings, trusts
from tuna_exp.tracking.lineage import KINDS
from tuna_exp.tracking.settings import Mode
from tuna_exp.tracking.tracker import client_for

TABLE = "table.ansi"
TABLE_WIDTH = 80


@dataclass(frozen=True)
class Settings:
    """`baseline` is the method that others are compared with, `resamples` bootstrap draws,
    `measured_sets` how many sets each ranker is measured on, `tracking` a W&B mode.
    """

    baseline: str
    confidence: float
    resamples: int
    seed: int
    measured_sets: int
    tracking: Mode
    project: str

    @property
    def bootstrap(self) -> Bootstrap:
        """How every interval is made."""
        return Bootstrap(self.confidence, self.resamples, self.seed)


def compare(
    methods: Mapping[str, Mapping[str, Mapping[str, str]]],
    benchmarks: Sequence[str],
    settings: Settings,
    overlaps: Sequence[Contamination],
    run_of_words: int,
    work: Workspace,
    remarks: Sequence[str] = (),
) -> None:
    """Write the table in all its forms, JSON, plots and HTML report.

    `methods` names, by method, benchmark and seed, the figures among the inputs; the first of
    `benchmarks` is that which methods are compared by. `overlaps` are told with the benchmarks,
    with what of them stands in sampled responses by runs of `run_of_words`; `remarks` say what
    methods do not have in common.
    """
    inputs = Inputs(work.inputs)
    work.bar.start(3, "parts")
    bootstrap = settings.bootstrap
    trained_on = trained_rankings(inputs, methods)
    scored, unknown = list[BenchmarkResult](), list[str]()
    for name in benchmarks:
        found = benchmark_of(inputs, name, methods, settings)
        scored.append(found)
        known = [one for one in overlaps if one.benchmark == name]
        if not known and not trained_on:
            unknown.append(name)
            continue
        items = items_of(inputs, name, methods)
        told = contaminations(name, items, known, trained_on, run_of_words)
        scored[-1] = replace(found, remarks=(*found.remarks, *told))
    first = scored[0]
    kept = {
        method: {seed: made[first.name][seed] for seed in first.runs[method]}
        for method, made in methods.items()
        if method in first.runs
    }
    comparison = results.compare(
        [method_result(inputs, m, figures, first.left_out) for m, figures in kept.items()],
        rankings(inputs, bootstrap),
        [stage_cost(manifest) for manifest in inputs.manifests.values()],
        settings.baseline,
        settings.confidence,
        settings.resamples,
        settings.seed,
    )
    trust, agree = trusts(inputs, bootstrap)
    comparison = replace(
        comparison,
        trust=tuple(trust),
        agreements=tuple(agree),
        benchmarks=tuple(scored),
        remarks=(*remarks, *([remark_on_unknown(unknown)] if unknown else [])),
    )
    work.bar.advance()
    table.write(comparison, work.folder)
    write_table(comparison, work.folder / TABLE)
    write_plots(comparison, work.folder)
    made = {name: manifest["settings"] for name, manifest in inputs.manifests.items()}
    shown = {"comparison": asdict(settings), **made}
    write_report(comparison, work.folder / "report.html", shown)
    work.bar.advance()
    track(comparison, inputs, methods, settings, work.folder)
    work.bar.advance()
    work.note(methods=list(methods), items=len(comparison.methods[0].predictions))


def track(
    comparison: Comparison,
    inputs: Inputs,
    methods: Mapping[str, Mapping[str, Mapping[str, str]]],
    settings: Settings,
    folder: Path,
) -> None:
    """Log a comparison to W&B; where no tracker is following, below the artifact's own folder."""
    group = folder.name[:16]
    client = client_for(settings.tracking, settings.project, folder / "logs", group)
    if client is None:
        return
    shown = {
        method: Shown(
            figures := [name for seeds in made.values() for name in seeds.values()],
            [artifact_of(inputs.made_from(name)) for name in figures],
        )
        for method, made in methods.items()
    }
    ranked = [name for name in inputs.manifests if name.startswith("rank-")]
    log_comparison(comparison, client, shown, Shown(ranked, [*map(artifact_of, ranked)]))


def artifact_of(name: str) -> str:
    """Return what an input, named STAGE-KEY, is called among the artifacts of W&B."""
    stage, _, key = name.rpartition("-")
    return f"{KINDS[stage]}-{key}"


def benchmark_of(
    inputs: Inputs,
    name: str,
    methods: Mapping[str, Mapping[str, Mapping[str, str]]],
    settings: Settings,
) -> BenchmarkResult:
    """Put the figures of the methods that have some on a benchmark side by side."""
    answered = [
        answered_by(inputs, method, seed, figures)
        for method, made in methods.items()
        for seed, figures in made.get(name, {}).items()
    ]
    missing = [method for method, made in methods.items() if name not in made]
    found = benchmark_result(name, answered, settings.baseline, settings.bootstrap)
    told = [f"{m} has no evaluation on {name}." for m in missing if m != settings.baseline]
    return replace(found, remarks=(*found.remarks, *told))


def answered_by(inputs: Inputs, method: str, seed: str, figures: str) -> Answered:
    """Read a run's answers to a benchmark, and the figures over them."""
    evaluation = inputs.made_from(figures)
    folder, manifest = inputs.folders[evaluation], inputs.manifests[evaluation]
    made, facts = inputs.manifests[figures]["settings"], manifest["facts"]
    bootstrap = Bootstrap(**made["bootstrap"])
    return Answered(
        method=method,
        predictions=list(read_records(folder / PREDICTIONS, Prediction)),
        figures=read_figures(inputs.folders[figures]),
        settings={**made["benchmark"], **judged_by(folder, manifest)},
        of=facts["of"],
        at=bootstrap,
        seed=seed,
        figures_without=(
            partial(figures_without, folder, bootstrap) if manifest["stage"] == "judge" else None
        ),
    )


def figures_without(folder: Path, bootstrap: Bootstrap, ids: Set[str]) -> list[Figure]:
    """Return the figures over a judge's comparisons without those of some items."""
    made = read_records(folder / COMPARISONS, Judged)
    return comparison_figures([c for c in made if c.instruction.id not in ids], bootstrap)


def judged_by(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return who judged the answers and which snapshot that was, nothing where nobody did.

    Another judge is another benchmark, whatever was asked.
    """
    if manifest["stage"] != "judge":
        return {}
    said = (j for c in read_records(folder / COMPARISONS, Judged) for j in c.judgements)
    named = sorted({judgement.origin.model for judgement in said if judgement.origin})
    told = {"snapshot": ", ".join(named)} if named else {}
    beside = "baseline" if OTHERS in manifest["inputs"] else "reference"
    return {"judge": {**manifest["settings"]["judging"], **told, "compared_with": beside}}


def trained_rankings(
    inputs: Inputs, methods: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> list[Path]:
    """Return the folders of the rankings that any of the models stands on, each once."""
    figures = [f for made in methods.values() for seeds in made.values() for f in seeds.values()]
    names = dict.fromkeys(name for one in figures for name in inputs.ancestors(one))
    return [inputs.folders[n] for n in names if inputs.manifests[n]["stage"] == "rank"]


def items_of(
    inputs: Inputs, benchmark: str, methods: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> list[Instruction]:
    """Return the items of a benchmark, as the first model was asked them."""
    figures = next(name for made in methods.values() for name in made.get(benchmark, {}).values())
    folder = inputs.folders[inputs.asked(figures)]
    return [p.instruction for p in read_records(folder / PREDICTIONS, Prediction)]


def write_table(comparison: Comparison, path: Path) -> None:
    """Write the table as a terminal shows it, with its colours."""
    console = Console(record=True, width=TABLE_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(table.render(comparison))
    path.write_text(console.export_text(styles=True), encoding="utf-8")


def method_result(
    inputs: Inputs, method: str, figures: Mapping[str, str], left_out: Collection[str] = ()
) -> MethodResult:
    """Read one method: its runs' predictions, what one run cost, the curve of the first's training.

    `figures` names those of each seed, `left_out` are the ids of items that are not compared.
    """
    marked = {seed: inputs.made_from(name) for seed, name in figures.items()}
    names = {seed: inputs.asked(name) for seed, name in figures.items()}
    costs = [inputs.cost(name) for name in names.values()]
    (seed, first), *_ = names.items()
    trained = [n for n in inputs.ancestors(first) if inputs.manifests[n]["stage"] == "train"]
    curves = read_curve(inputs.folders[trained[-1]]) if trained else []
    read = {
        seed: read_records(inputs.folders[name] / PREDICTIONS, Prediction)
        for seed, name in marked.items()
    }
    runs = {
        seed: [p for p in predictions if p.instruction.id not in left_out]
        for seed, predictions in read.items()
    }
    seconds = sum(cost for cost, _ in costs) / len(costs)
    tokens = sum((spent for _, spent in costs), Tokens()).shared(len(costs))
    compute = mean_of([compute_of(inputs.training_facts(name)) for name in names.values()])
    answering = inputs.manifests[first]
    inference = inference_of(noted(answering), answering["wall_seconds"])
    predictions = runs.pop(seed)
    return MethodResult(
        method, predictions, seconds, tokens, curves, compute, inference, seed, runs
    )
