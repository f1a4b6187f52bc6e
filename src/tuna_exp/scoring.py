"""Steps that score a model on benchmarks and compare what came of it.

The lab's methods and `tuna-exp evaluate` make them alike, so that each finds what the other has
already computed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.datasets.overlap import RUN_OF_WORDS
from tuna_exp.errors import ConfigError
from tuna_exp.evaluation.base import Benchmark
from tuna_exp.evaluation.contamination import Contamination
from tuna_exp.evaluation.lm_eval.benchmark import LmEvalBenchmark
from tuna_exp.evaluation.open_ended.judging import AnswerJudge
from tuna_exp.evaluation.published import check_there
from tuna_exp.evaluation.stored import StoredAnswers
from tuna_exp.evaluation.subset import Subset, seed_of
from tuna_exp.llms.base import LLM
from tuna_exp.models.student import Student
from tuna_exp.plan import Step, Workspace, in_order
from tuna_exp.services import billing
from tuna_exp.stages.compare import Settings, compare
from tuna_exp.stages.evaluate import STOP, evaluate, measure
from tuna_exp.stages.harness import bill, evaluate_by_harness, measure_by_harness
from tuna_exp.stages.judge import OTHERS, OURS, judge, measure_judged, require_verdicts
from tuna_exp.stages.train import CHECKPOINT
from tuna_exp.stages.versions import VERSIONS

# Model-forward tokens that one generated token costs: decoding reads all weights for few rows.
DECODE_COST = 2.5
# By method, then by benchmark, then by seed ("" where it has none): steps that hold the figures.
Scores = Mapping[str, Mapping[str, Mapping[str, Step]]]


@dataclass(frozen=True)
class Subject:
    """A model to be scored. `settings` and `inputs` decide what it is, `label` is for people.

    `open` gives the model, from the inputs' folders; `known` is the model where nothing has to be
    built first, and what it costs can be told. `like` is one that can be asked the same.
    """

    label: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, Step]
    open: Callable[[Mapping[str, Path]], LLM]
    known: LLM | None
    like: LLM


def trained(student: Student, model: Step) -> Subject:
    """Return the model that a training step makes.

    Its weights and their precision are in the digest of that step.
    """
    label = model.label.removeprefix("train ")

    def opened(inputs: Mapping[str, Path]) -> LLM:
        return student.llm(inputs["model"] / CHECKPOINT)

    return Subject(label, student.prompting(), {"model": model}, opened, None, student.llm())


def untrained(label: str, llm: LLM) -> Subject:
    """Return a model that is there already: the base model, a teacher, a service."""
    return Subject(label, llm.digest(), {}, lambda _: llm, llm, llm)


def check_benchmarks(benchmarks: Mapping[str, Benchmark]) -> None:
    """Raise UserError where a benchmark cannot be put to a model: its data is read for that."""
    check_there(benchmarks)
    for name, benchmark in benchmarks.items():
        judging = judge_of(benchmark)
        if judging is not None:
            judging.check()
        sizes = {"batch_size": benchmark.batch_size, "items": len(benchmark.items())}
        for key, size in sizes.items():
            if size < 1:
                raise ConfigError(f"evaluation.{name}.{key}: {size}. Cure: give 1 or more.")
        benchmark.decoding()
        changes = benchmark.drawn.changes if isinstance(benchmark, Subset) else {}
        if changes and harness_of(benchmark) is not None:
            raise ConfigError(
                f"evaluation.{next(iter(changes))} has no effect on evaluation.{name}, whose tasks "
                f"say how answers are drawn. Cure: leave it out, or evaluation.{name}.gen_kwargs."
            )


def scores(
    subject: Subject,
    benchmarks: Mapping[str, Benchmark],
    bootstrap: Bootstrap,
    max_refused: float,
    baseline: Subject | None = None,
) -> dict[str, Step]:
    """Return, by benchmark, the step that gives the figures of a model, from one that answers.

    Answers that only a judge can mark are compared in a step between, with the reference's or with
    those of `baseline`; at most the share `max_refused` of its replies may be unreadable.
    """
    found = {}
    for name, benchmark in benchmarks.items():
        answered = answer(subject, name, benchmark)
        judging, other = judge_of(benchmark), None
        if against_baseline(benchmark):
            other = answer(baseline, name, benchmark) if baseline else None
            judging = judging if other else None  # a model alone is only asked
        if judging is not None:
            answered = judged(answered, other, benchmark, judging, max_refused)
        settings = {"benchmark": benchmark.digest(), "bootstrap": asdict(bootstrap)}
        label = f"figures of {answered.label.partition(' ')[2]}"
        run = partial(_measuring(benchmark, judging is not None), bootstrap)
        made, effort = {"predictions": answered}, float(len(benchmark.items()))
        found[name] = Step("figures", label, VERSIONS["figures"], settings, made, run, effort)
    return found


def _measuring(benchmark: Benchmark, by_judge: bool) -> Callable[[Bootstrap, Workspace], None]:
    harness = harness_of(benchmark)
    if harness is not None:
        return partial(measure_by_harness, harness)
    return measure_judged if by_judge else partial(measure, benchmark)


def judge_of(benchmark: Benchmark) -> AnswerJudge | None:
    """Return who compares answers with others, for a benchmark whose answers have no key."""
    judging: AnswerJudge | None = getattr(benchmark, "judged_by", None)
    return judging


def against_baseline(benchmark: Benchmark) -> bool:
    """Whether answers are compared with those of the baseline of the run's methods."""
    return bool(getattr(benchmark, "against_baseline", False))


def judged(
    answered: Step,
    other: Step | None,
    benchmark: Benchmark,
    judging: AnswerJudge,
    max_refused: float,
) -> Step:
    """Return the step in which a judge compares every answer with `other`'s, None: the reference's.

    The baseline's own answers tie with themselves, which nobody is asked about: it stands in the
    table with the win rate 1/2 that the others are compared with.
    """
    items = benchmark.items()
    pair = replace(benchmark.decoding(), responses=2)
    itself = other is not None and other.digest == answered.digest
    count = 0 if itself else len(items)
    against = f" against {other.label.removeprefix('evaluate ')}" if other else ""
    return Step(
        "judge",
        f"judge {answered.label.removeprefix('evaluate ')}{against}",
        VERSIONS["judge"],
        {"judging": judging.digest()},
        {OURS: answered, **({OTHERS: other} if other else {})},
        partial(judge, judging),
        400.0 * count * judging.questions(2),
        accept=partial(require_verdicts, max_refused),
        ready=None if itself else judging.judge.check,
        bill=partial(billing.ranking, judging, items, pair, count),
    )


def answer(subject: Subject, name: str, benchmark: Benchmark) -> Step:
    """Return the step in which a model answers a benchmark and every answer is scored."""
    decoding, items = benchmark.decoding(), benchmark.items()
    settings = {
        "benchmark": benchmark.digest(),
        "decoding": {**asdict(decoding), "stop": STOP},
        "llm": subject.settings,
    }

    harness = harness_of(benchmark)

    def run(work: Workspace) -> None:
        llm = subject.open(work.inputs)
        if harness is None:
            evaluate(llm, benchmark, work)
        else:
            evaluate_by_harness(llm, harness, benchmark, work)

    def ready() -> None:
        if harness is not None:
            harness.check_model(subject.like)
        if subject.known is not None:
            subject.known.check()
        if isinstance(subject.known, StoredAnswers):
            subject.known.check_items(items)

    read = sum(10 + len(item.text) / 4 for item in items)
    step = Step(
        "evaluate",
        f"evaluate {subject.label} on {name}",
        VERSIONS["evaluate"],
        settings,
        subject.inputs,
        run,
        read + DECODE_COST * len(items) * decoding.max_new_tokens / 2,
        ready=ready,
    )
    if subject.known is None:
        return step
    if harness is not None:
        return replace(step, bill=partial(bill, subject.known, harness, items))
    seed = seed_of(benchmark)
    return replace(step, bill=partial(billing.answering, subject.known, items, decoding, seed))


def harness_of(benchmark: Benchmark) -> LmEvalBenchmark | None:
    """Return who asks the model, for a benchmark that asks by itself and is not asked."""
    harness: LmEvalBenchmark | None = getattr(benchmark, "harness", None)
    return harness


def compare_step(
    scored: Scores,
    settings: Settings,
    measured: Sequence[Step] = (),
    overlaps: Sequence[Contamination] = (),
    remarks: Sequence[str] = (),
    run_of_words: int = RUN_OF_WORDS,
) -> Step:
    """Return the step that compares models, with all that they and `measured` stand on.

    `overlaps` say how much of each benchmark stands in the data that the models were trained on; in
    responses that were sampled for it runs of `run_of_words` are looked for. `remarks` say what the
    models do not have in common.
    """
    final = [
        step
        for by_benchmark in scored.values()
        for by_seed in by_benchmark.values()
        for step in by_seed.values()
    ]
    inputs = {name_of(step): step for step in in_order([*final, *measured])}
    methods = {
        method: {
            benchmark: {seed: name_of(step) for seed, step in by_seed.items()}
            for benchmark, by_seed in by_benchmark.items()
        }
        for method, by_benchmark in scored.items()
    }
    # As a list, because the order decides the table and a digest does not see that of names.
    first = scored.get(settings.baseline, {})  # methods are compared by what the baseline answered
    order = list(dict.fromkeys(name for made in (first, *scored.values()) for name in made))
    found = [one.model_dump(mode="json") for one in overlaps]
    decisive = {"methods": methods, "benchmarks": order, "overlaps": found, **asdict(settings)}
    decisive |= {"remarks": list(remarks)} if remarks else {}
    decisive["run_of_words"] = run_of_words
    run = partial(compare, methods, order, settings, overlaps, run_of_words, remarks=remarks)
    return Step("compare", "compare", VERSIONS["compare"], decisive, inputs, run)


def of_one_run(scored: Mapping[str, Step], seed: str) -> dict[str, dict[str, Step]]:
    """Return what a model scored, by benchmark, as the run with a seed."""
    return {benchmark: {seed: step} for benchmark, step in scored.items()}


def name_of(step: Step) -> str:
    """Return what a step's artifact is called among the inputs of a comparison."""
    return f"{step.stage}-{step.digest[:16]}"
