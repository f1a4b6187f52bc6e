"""What runs would do, before any starts: their steps, shared ones once, and what each will take.

Nothing is built, asked or written. Left out: whether a step's work can be done here (`Step.ready`),
which may load a tokenizer; a run tells it before its first step.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from omegaconf import DictConfig

from tuna_exp.experiment import (
    build_benchmarks,
    build_lab,
    check_folder,
    check_library_parts,
    check_rankers,
    make,
    plain,
)
from tuna_exp.parallel.checks import check_strategy
from tuna_exp.plan import Step, in_order, missing_steps
from tuna_exp.rates import Rates
from tuna_exp.store import Entry, Store
from tuna_exp.unfinished import Notebook

if TYPE_CHECKING:
    from tuna_exp.evaluation.base import Benchmark
    from tuna_exp.evaluation.contamination import Contamination
    from tuna_exp.records import Instruction, RankedExample
    from tuna_exp.services.billing import Bill

# What check_library_parts tries, besides the head.
_TRIED = ("trainer", "optimizer", "logger", "strategy", "model")
State = Literal["finished", "unfinished", "being built", "to do"]
T = TypeVar("T")


class LoadedOnce:
    """A dataset whose content is read and digested once, however many runs use it."""

    def __init__(self, dataset: Any) -> None:
        self.instructions: Sequence[Instruction] = dataset.load()
        self.ranked: bool = getattr(dataset, "ranked", False)
        ranked = dataset.load_ranked() if self.ranked else None
        self._ranked: Sequence[RankedExample] | None = ranked
        self._digest: dict[str, object] = dataset.digest()

    def load_ranked(self) -> "Sequence[RankedExample] | None":
        """Return the dataset's own ranking."""
        return self._ranked

    def digest(self) -> dict[str, object]:
        """Return what decides the content."""
        return self._digest


@dataclass
class Parts:
    """Makes final steps from configs. What costs time and is the same for several is made once."""

    _made: dict[str, Any] = field(default_factory=dict)

    def final(self, config: DictConfig) -> Step:
        """Return the comparison that ends a run of a config whose values are checked.

        Raises UserError for what the user can mend.
        """
        check_folder(Path(config.artifacts), "artifacts")
        check_strategy(config)
        about = plain(config.dataset)
        dataset = self._once(about, lambda: LoadedOnce(make(config.dataset)))
        check_rankers(config, dataset.instructions)
        libraries = [plain(config[key]) for key in _TRIED] + [config.objective.head]
        self._once(libraries, lambda: check_library_parts(config))
        asked = plain(config.evaluation)
        benchmarks: Mapping[str, Benchmark] = self._once(asked, lambda: build_benchmarks(config))
        run = config.contamination.run_of_words
        overlaps: dict[str, Contamination] = self._once([about, asked, run], dict)
        lab = build_lab(config, dataset, dataset.instructions)
        lab = replace(lab, benchmarks=benchmarks, overlaps=overlaps)
        lab.check()
        return lab.compare({name: recipe(lab) for name, recipe in make(config.method).items()})

    def bills(self, final: Step, root: Path) -> dict[str, "Bill"]:
        """Return what services will be paid for steps that the store at `root` lacks, by digest.

        Raises ConfigError where a price is not known.
        """
        missing = missing_steps([final], Store(root))
        return {s.digest: self._once(["bill", s.digest], s.bill) for s in missing if s.bill}

    def _once(self, about: Any, made: Callable[[], T]) -> T:
        key = json.dumps(about, sort_keys=True, default=str)
        if key not in self._made:
            self._made[key] = made()
        result: T = self._made[key]
        return result


@dataclass(frozen=True)
class Job:
    """A run: its overrides, config and last step, or what is wrong with it.

    `bills` is what services will be paid, by the digests of steps.
    """

    number: int
    overrides: tuple[str, ...]
    config: DictConfig | None = None
    final: Step | None = None
    bills: Mapping[str, "Bill"] = field(default_factory=dict)
    error: str | None = None

    @property
    def artifacts(self) -> Path:
        """The folder of finished stages."""
        return Path(self.config.artifacts if self.config else "").absolute()


@dataclass(frozen=True)
class Stage:
    """A step that runs need, each digest once; `jobs` are those that need it.

    `seconds` (still to go) and `size` (bytes to be written) are None where nothing like it was
    measured.
    """

    step: Step
    state: State
    jobs: tuple[int, ...]
    seconds: float | None = 0.0
    size: int | None = 0
    bill: "Bill | None" = None


@dataclass(frozen=True)
class Outlook:
    """All that runs need, dependencies first."""

    jobs: tuple[Job, ...]
    stages: tuple[Stage, ...]

    @property
    def missing(self) -> list[Stage]:
        """Return the stages that are not finished."""
        return [stage for stage in self.stages if stage.state != "finished"]

    def of(self, job: Job) -> list[Stage]:
        """Return the stages of one run."""
        return [stage for stage in self.stages if job.number in stage.jobs]

    def same_as(self, job: Job) -> int | None:
        """Return the first run that is this one too, or None."""
        same = [j.number for j in self.jobs if j.final and job.final and _same(j, job)]
        return same[0] if same and same[0] != job.number else None

    def longest_chain(self) -> float:
        """Return the seconds of the steps that must follow one another, however many are built
        at a time; steps without a measurement count nothing.
        """
        stores = {job.number: job.artifacts for job in self.jobs}
        ends: dict[tuple[Path, str], float] = {}
        for stage in self.missing:
            store = stores[stage.jobs[0]]
            before = [ends.get((store, made.digest), 0.0) for made in stage.step.inputs.values()]
            ends[store, stage.step.digest] = (stage.seconds or 0.0) + max(before, default=0.0)
        return max(ends.values(), default=0.0)


def _same(one: Job, other: Job) -> bool:
    assert one.final and other.final
    return one.final.digest == other.final.digest and one.artifacts == other.artifacts


def outlook(jobs: Sequence[Job]) -> Outlook:
    """Return what runs will find and what they will build, as `plan.execute` would."""
    stages: list[Stage] = []
    for root in dict.fromkeys(job.artifacts for job in jobs if job.final):
        stages += _in_store(Store(root), [j for j in jobs if j.final and j.artifacts == root])
    return Outlook(tuple(jobs), tuple(stages))


def _in_store(store: Store, jobs: Sequence[Job]) -> list[Stage]:
    bills = {digest: bill for job in jobs for digest, bill in job.bills.items()}
    finals = {job.number: job.final for job in jobs if job.final}
    entries = store.entries()
    begun = {entry.key: entry for entry in entries if entry.state == "unfinished"}
    rates = Rates.of(entries, finals.values())
    steps: dict[str, Step] = {}
    needing: dict[str, list[int]] = {}
    missing: set[str] = set()
    finished: dict[str, bool] = {}
    for number, final in finals.items():
        own = {step.digest for step in missing_steps([final], store)}
        missing |= own
        for step in in_order([final]):
            if step.digest not in finished:
                finished[step.digest] = store.find(step) is not None
            # One that is gone and that nothing this run lacks is made from is not needed by it.
            if finished[step.digest] or step.digest in own:
                steps.setdefault(step.digest, step)
                needing.setdefault(step.digest, []).append(number)
    return [
        replace(
            _missing(step, store, begun.get(digest[:16]), rates, tuple(needing[digest])),
            bill=bills.get(digest),
        )
        if digest in missing
        else Stage(step, "finished", tuple(needing[digest]))
        for digest, step in steps.items()
    ]


def _missing(
    step: Step, store: Store, begun: Entry | None, rates: Rates, jobs: tuple[int, ...]
) -> Stage:
    seconds = rates.seconds(step)
    state: State = "to do"
    if begun is not None:
        owned = begun.folder.with_name(f"{begun.key}.owner").exists()
        state = "being built" if owned and store.is_being_built(begun) else "unfinished"
        if seconds is not None:
            seconds = max(seconds - Notebook(begun.folder).seconds, 0.0)
    return Stage(step, state, jobs, seconds, rates.size(step))
