"""Several seeds of a method as one: its interval, and its difference to the baseline.

What is resampled, and what the permutation test exchanges, are whole tasks where there are enough
of them to show anything (six at 95 %), else items. Left out: which runs are seeds of one method,
which `runs` says.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tuna_exp.comparison.paired_tests import (
    Comparison,
    SeedScores,
    Unit,
    compare_all,
    hierarchical_bootstrap,
    seed_differences,
)
from tuna_exp.comparison.statistics import (
    Bootstrap,
    Difference,
    Interval,
    Verdict,
    can_tell,
    mean_interval,
)
from tuna_exp.records import Instruction, Prediction

# One list of predictions per seed, over the same items.
Runs = Sequence[Sequence[Prediction]]
# Runs by seed; "" for a model that no seed had a part in.
BySeed = Mapping[str, Sequence[Prediction]]


def unit_of(predictions: Sequence[Prediction], confidence: float) -> Unit:
    """Return what is drawn as a whole: tasks (kinds of item) where so many could show anything."""
    return "task" if can_tell(len(tasks_of(predictions)), confidence) else "item"


def tasks_of(predictions: Sequence[Prediction]) -> set[str]:
    """Return the kinds of the items; those without a kind are of one."""
    return {prediction.instruction.kind for prediction in predictions}


def pooled_interval(runs: Runs, bootstrap: Bootstrap) -> Interval:
    """Return the mean score over seeds and items, scores in [0, 1], with its interval.

    Raises UserError where the seeds do not hold the same items.
    """
    unit = unit_of(runs[0], bootstrap.confidence) if runs[0] else "item"
    if unit == "item" and len(runs) == 1:
        return mean_interval([p.score for p in runs[0]], (0.0, 1.0), bootstrap)
    scores = _scores(runs, unit)
    return hierarchical_bootstrap(scores, (0.0, 1.0), bootstrap).interval


def differences(
    treatments: Mapping[str, BySeed], baseline: BySeed, bootstrap: Bootstrap
) -> dict[str, Difference]:
    """Test every method against the baseline, as the comparisons of one table (see `tested`)."""
    return tested({name: (runs, baseline) for name, runs in treatments.items()}, bootstrap)


def tested(
    pairs: Mapping[str, tuple[BySeed, BySeed]], bootstrap: Bootstrap
) -> dict[str, Difference]:
    """Test each method against a baseline of its own, as the comparisons of one table.

    Runs are matched by seed and items by id. Where no seed is shared, as with a model that has
    none, one run of the baseline stands for all. Raises UserError where the items differ.
    """
    first = next((run for _, baseline in pairs.values() for run in baseline.values()), None)
    if not first:
        return {}
    unit = unit_of(first, bootstrap.confidence)
    made = {
        name: seed_differences(*matched(*sides), _task_by(unit)) for name, sides in pairs.items()
    }
    found = compare_all(made, (-1.0, 1.0), unit, bootstrap)
    return {one.name: _difference(one, made[one.name]) for one in found}


def matched(treatment: BySeed, baseline: BySeed) -> tuple[Runs, Runs]:
    """Return the runs of both sides with the seeds that both have, or all and one where none is."""
    shared = [seed for seed in treatment if seed in baseline]
    if shared:
        return [treatment[seed] for seed in shared], [baseline[seed] for seed in shared]
    return list(treatment.values()), [next(iter(baseline.values()))]


def unmatched(treatment: BySeed, baseline: BySeed) -> list[str]:
    """Return the seeds of a method that a paired difference leaves out."""
    shared = treatment.keys() & baseline.keys()
    return [seed for seed in treatment if shared and seed not in shared]


def _scores(runs: Runs, unit: Unit) -> SeedScores:
    by_id = [{p.instruction.id: p for p in run} for run in runs]
    ids = sorted(by_id[0])
    values_SI = np.array([[run[item].score for item in ids] for run in by_id])
    task = _task_by(unit)
    return SeedScores(values_SI, tuple(task(by_id[0][item].instruction) for item in ids))


def _task_by(unit: Unit) -> Callable[[Instruction], str]:
    def task(instruction: Instruction) -> str:
        return instruction.kind if unit == "task" else ""

    return task


def _difference(one: Comparison, scores: SeedScores) -> Difference:
    interval = one.difference.interval
    verdict: Verdict = "not told apart"
    if one.significant:
        verdict = "better" if interval.value > 0 else "worse"
    seen = one.detectable
    known = None if seen is None or math.isnan(seen) else seen
    return Difference(interval, verdict, one.p_value, one.adjusted_p, known, len(scores.values_SI))
