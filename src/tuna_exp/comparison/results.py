"""What a comparison takes and gives: a dataclass for each, and `compare`, which does the counting.

Left out: where the data comes from (the compare stage reads artifacts) and how it is shown
(`table`, `plots`, `report`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tuna_exp.comparison.benchmarks import ALL, BenchmarkResult
from tuna_exp.comparison.between_rankers import Agreement
from tuna_exp.comparison.costs import Compute, Inference
from tuna_exp.comparison.pooling import BySeed, differences, pooled_interval, tested
from tuna_exp.comparison.reliability import Reliability
from tuna_exp.comparison.statistics import Bootstrap, Difference, Interval, matched_differences
from tuna_exp.comparison.verdicts import Verdict
from tuna_exp.errors import UserError, nearest
from tuna_exp.records import Prediction

# Within this factor two costs are the same: trainings of one length differ by their texts.
_NO_MORE = 1.05
# Kinds of cost that methods have rivals for.
COSTS = ("FLOPs", "dollars")
Curve = Mapping[str, float | str | None]


@dataclass(frozen=True)
class Tokens:
    """Tokens trained on, generated (draws thrown away included) and read by a judge, and dollars.

    `usd` is what services took for them; models that run here cost none.
    """

    trained: int = 0
    generated: int = 0
    judge_read: int = 0
    usd: float = 0.0

    def __add__(self, other: "Tokens") -> "Tokens":
        """Sum of each kind."""
        return Tokens(
            self.trained + other.trained,
            self.generated + other.generated,
            self.judge_read + other.judge_read,
            self.usd + other.usd,
        )

    def shared(self, runs: int) -> "Tokens":
        """What one of so many runs took on average."""
        trained, generated, read = (
            round(tokens / runs) for tokens in (self.trained, self.generated, self.judge_read)
        )
        return Tokens(trained, generated, read, self.usd / runs)

    @property
    def total(self) -> int:
        """All kinds together, although a generated token costs more time than one read."""
        return self.trained + self.generated + self.judge_read


@dataclass(frozen=True)
class MethodResult:
    """One method's predictions on the held-out items and what training, sampling, ranking cost.

    `curves` are the rows of its training's metrics.csv: step and any metrics, empty where missing.
    `compute` is what its stages took, `inference` what answering an item takes. Of a method that
    was trained with several seeds all are means over them, except `predictions`, which are of the
    first; `more` holds those of the others by their seed.
    """

    method: str
    predictions: Sequence[Prediction]
    seconds: float
    tokens: Tokens
    curves: Sequence[Curve] = ()
    compute: Compute = Compute()
    inference: Inference | None = None
    seed: str = ""
    more: Mapping[str, Sequence[Prediction]] = field(default_factory=dict)

    @property
    def by_seed(self) -> dict[str, Sequence[Prediction]]:
        """The predictions of every run; the seed is "" where none had a part in the model."""
        return {self.seed: self.predictions, **self.more}

    @property
    def seeds(self) -> int:
        """How many runs there are."""
        return 1 + len(self.more)


@dataclass(frozen=True)
class RankingResult:
    """How far a ranker's order agrees with the truth (see `ranking_quality.assess`)."""

    name: str
    ranker: str
    agreement: Interval | None
    ordered_sets: int
    sets: int
    pairs: int
    refusals: Mapping[str, int] = field(default_factory=dict)
    ties: int = 0
    tau: Interval | None = None


@dataclass(frozen=True)
class Trust:
    """How far one ranking can be trusted without asking the truth, and what that means in words."""

    name: str
    ranker: str
    figures: Reliability
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class StageCost:
    """What one stage took; `reused` where an earlier run had paid for it."""

    label: str
    stage: str
    seconds: float
    tokens: Tokens
    reused: bool
    digest: str


@dataclass(frozen=True)
class Row:
    """One method on one split: shares in [0, 1], `difference` None for the baseline itself.

    Over all its `seeds`; `items` is how many one run answered.
    """

    method: str
    split: str
    items: int
    score: Interval
    passed: float
    difference: Difference | None
    response_tokens: float
    seeds: int = 1


@dataclass(frozen=True)
class FamilyScore:
    """One method on one family of kinds (the part of the kind before "/")."""

    method: str
    family: str
    score: Interval


@dataclass(frozen=True)
class Rival:
    """The best-scoring other method that cost no more in one kind of `cost`, and the difference."""

    method: str
    cost: str
    rival: str
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """All that the tables, plots and the report show. `rows` go by split, then by method.

    `trust` is about each ranking, `agreements` about rankings of the same sets, `benchmarks` about
    all that was asked; all else is about the first of them. `remarks` say what methods do not have
    in common.
    """

    methods: tuple[MethodResult, ...]
    rankings: tuple[RankingResult, ...]
    stages: tuple[StageCost, ...]
    rows: tuple[Row, ...]
    families: tuple[FamilyScore, ...]
    baseline: str
    bootstrap: Bootstrap
    rivals: tuple[Rival, ...] = ()
    trust: tuple[Trust, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    benchmarks: tuple[BenchmarkResult, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def subset(self) -> str:
        """The mark of a part, subset 500 of 11,403; "" where methods answered all items."""
        first = self.benchmarks[0] if self.benchmarks else None
        return first.size if first and first.items < first.of else ""

    @property
    def paid(self) -> bool:
        """Whether anything cost dollars."""
        costs = [*(m.tokens for m in self.methods), *(s.tokens for s in self.stages)]
        return any(tokens.usd for tokens in costs)

    def rows_of(self, split: str) -> tuple[Row, ...]:
        """The rows of one split, in the order of the methods."""
        return tuple(row for row in self.rows if row.split == split)

    def result_of(self, method: str) -> MethodResult:
        """The method of this name."""
        return next(result for result in self.methods if result.method == method)

    @property
    def splits(self) -> tuple[str, ...]:
        """`all` first, then each split where the items have more than one."""
        return tuple(dict.fromkeys(row.split for row in self.rows))


def compare(
    methods: Sequence[MethodResult],
    rankings: Sequence[RankingResult],
    stages: Sequence[StageCost],
    baseline: str,
    confidence: float,
    resamples: int,
    seed: int,
) -> Comparison:
    """Score every method with intervals and against `baseline` over the same seeds and items.

    All methods of one split are the comparisons of one table (see `pooling`).

    Raises:
        ConfigError: confidence or resamples out of range.
        UserError: no baseline among the methods, a name given twice, no predictions, or methods
            evaluated on other items than the baseline.
    """
    bootstrap = Bootstrap(confidence, resamples, seed)
    base = _baseline(methods, baseline)
    rows = [row for split in _splits(base) for row in _rows(methods, base, split, bootstrap)]
    families = [
        FamilyScore(method.method, family, pooled_interval(runs, bootstrap))
        for method in methods
        for family, runs in _families(method).items()
    ]
    return Comparison(
        methods=tuple(methods),
        rankings=tuple(rankings),
        stages=tuple(stages),
        rows=tuple(rows),
        families=tuple(families),
        baseline=baseline,
        bootstrap=bootstrap,
        rivals=tuple(rivals(methods, bootstrap)),
    )


def rivals(methods: Sequence[MethodResult], bootstrap: Bootstrap) -> Iterator[Rival]:
    """Yield each method against the best other one that cost no more: what else the budget buys.

    By FLOPs and by dollars, where these are known and anything was spent; those of one cost are
    the comparisons of one table. A method is on the frontier of `pareto` where it is above its
    rival, and shown to be worth its cost where the difference is told apart from 0. The rival was
    chosen after seeing the scores, which flatters it: a method that beats it has beaten them all.
    """
    for cost in COSTS:
        spent = {m.method: spent_of(m, cost) for m in methods}
        if not any(spent.values()):
            continue
        best = {m.method: rival for m in methods if (rival := _rival_of(m, methods, cost))}
        pairs = {m.method: (m.by_seed, best[m.method].by_seed) for m in methods if m.method in best}
        for name, difference in tested(pairs, bootstrap).items():
            yield Rival(name, cost, best[name].method, difference)


def _rival_of(
    method: MethodResult, methods: Sequence[MethodResult], cost: str
) -> MethodResult | None:
    """Return the other method with the best score over all seeds that is known to cost no more."""
    own = spent_of(method, cost)
    others = [
        m
        for m in methods
        if m is not method
        and own is not None
        and (theirs := spent_of(m, cost)) is not None
        and theirs <= own * _NO_MORE
    ]
    scores = {m.method: _mean([p.score for run in m.by_seed.values() for p in run]) for m in others}
    return max(others, key=lambda m: scores[m.method], default=None)


def spent_of(method: MethodResult, cost: str) -> float | None:
    """Return what a method took of one kind; None where that is unknown."""
    return method.compute.flops if cost == "FLOPs" else method.tokens.usd


def by_family(predictions: Sequence[Prediction]) -> dict[str, list[Prediction]]:
    """Group predictions by the part of the kind before "/", in alphabetical order."""
    groups: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        family = prediction.instruction.kind.partition("/")[0] or "no kind"
        groups.setdefault(family, []).append(prediction)
    return dict(sorted(groups.items()))


def _families(method: MethodResult) -> dict[str, list[list[Prediction]]]:
    """Return the runs of each family."""
    by_run = [by_family(run) for run in method.by_seed.values()]
    return {family: [run[family] for run in by_run] for family in by_run[0]}


def _baseline(methods: Sequence[MethodResult], baseline: str) -> MethodResult:
    names = [method.method for method in methods]
    if baseline not in names:
        raise UserError(
            f"comparison.baseline is '{baseline}', which is not among the methods {names}."
            f"{nearest(baseline, names)} Cure: comparison.baseline=<one of them>"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"method {twice} is given more than once. Cure: name each result once")
    empty = [method.method for method in methods if not method.predictions]
    if empty:
        raise UserError(f"method {empty} has no predictions. Cure: evaluate it first")
    return methods[names.index(baseline)]


def _splits(base: MethodResult) -> list[str]:
    splits = sorted({prediction.instruction.split for prediction in base.predictions})
    return [ALL, *splits] if len(splits) > 1 else [ALL]


def _rows(
    methods: Sequence[MethodResult], base: MethodResult, split: str, bootstrap: Bootstrap
) -> list[Row]:
    others = {m.method: _of(m, split) for m in methods if m is not base}
    for name, runs in others.items():
        _same_items(name, runs, _of(base, split))
    found = differences(others, _of(base, split), bootstrap) if others else {}
    return [_row(m, split, found.get(m.method), bootstrap) for m in methods]


def _row(
    method: MethodResult, split: str, difference: Difference | None, bootstrap: Bootstrap
) -> Row:
    runs = list(_of(method, split).values())
    every = [prediction for run in runs for prediction in run]
    return Row(
        method=method.method,
        split=split,
        items=len(runs[0]),
        score=pooled_interval(runs, bootstrap),
        passed=_mean([float(prediction.passed) for prediction in every]),
        difference=difference,
        response_tokens=_mean([float(p.tokens) for p in every if p.tokens]),
        seeds=len(runs),
    )


def _same_items(name: str, runs: BySeed, base: BySeed) -> None:
    """Raise UserError where a run of a method answered other items than the baseline."""
    first = next(iter(base.values()))
    for predictions in (*runs.values(), *base.values()):
        try:
            matched_differences(predictions, first)
        except UserError as error:
            raise UserError(f"method '{name}': {error}") from error


def _of(method: MethodResult, split: str) -> dict[str, list[Prediction]]:
    return {
        seed: [p for p in run if split in (ALL, p.instruction.split)]
        for seed, run in method.by_seed.items()
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
