"""The rankings among a comparison's inputs: against the truth, alone and by one another."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuna_exp.comparison.between_rankers import Agreement, agreements
from tuna_exp.comparison.ranking_quality import assess
from tuna_exp.comparison.reliability import measure
from tuna_exp.comparison.results import RankingResult, Trust
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.comparison.verdicts import verdicts
from tuna_exp.datasets.verifiable import verify
from tuna_exp.rankers.base import ranker_of
from tuna_exp.records import Instruction, RankedExample, all_records
from tuna_exp.stages.inputs import Inputs
from tuna_exp.stages.rank import RANKING


def rankings(inputs: Inputs, bootstrap: Bootstrap) -> list[RankingResult]:
    """Measure every ranking against the truth where the instructions have a checker."""
    found = []
    for name, manifest in inputs.manifests.items():
        if manifest["stage"] != "rank":
            continue
        examples = all_records(inputs.folders[name] / RANKING, RankedExample)
        if len(examples) and all(e.instruction.check for e in examples):
            label, refusals = label_of(manifest), manifest["facts"]["refusals"]
            found.append(assess(label, ranker_of(manifest), examples, truth, refusals, bootstrap))
    return found


def trusts(inputs: Inputs, bootstrap: Bootstrap) -> tuple[list[Trust], list[Agreement]]:
    """Measure every ranking by itself, and against those that share sets with it.

    Of two with one label the later is told apart by its digest.
    """
    found, by_name = list[Trust](), dict[str, Sequence[RankedExample]]()
    for name, manifest in inputs.manifests.items():
        if manifest["stage"] != "rank":
            continue
        examples = all_records(inputs.folders[name] / RANKING, RankedExample)
        label = label_of(manifest)
        label = f"{label} {manifest['digest'][:8]}" if label in by_name else label
        figures = measure(examples, manifest["facts"]["refusals"], bootstrap)
        found.append(Trust(label, ranker_of(manifest), figures, tuple(verdicts(figures))))
        by_name[label] = examples
    return found, agreements(by_name, bootstrap)


def label_of(manifest: Mapping[str, Any]) -> str:
    """Return what a ranking is called for a reader."""
    return str(manifest["label"]).removeprefix("rank ").removeprefix("measure ")


def truth(instruction: Instruction, text: str) -> float:
    """Return what the instruction's checker gives a response."""
    return verify(instruction, text).score
