"""A search on Optuna, by asking and telling: jobs go through any launcher, results through folders.

Ours, because the published hydra-optuna-sweeper 1.2 asks for Optuna below 3. A trial's number is
its job's. A trial that was running when its search was killed is launched again, not drawn anew.
Left out: several commands that search in one folder at a time.
"""

import itertools
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from tuna_exp.errors import ConfigError, nearest
from tuna_exp.records import Record
from tuna_exp.sweeps.goals import Goal, goal_of, values_of
from tuna_exp.sweeps.optuna_parts import (
    PRUNERS,
    SAMPLERS,
    check_dimensions,
    check_trials,
    made,
    quiet,
    sampler,
    storage_of,
    without_password,
)
from tuna_exp.sweeps.outcomes import Outcome, keep, outcomes, read
from tuna_exp.sweeps.space import Choice, Dimension, Space, listed, overrides_of, signature

SEARCH_FILE, TRIALS_FILE, JOURNAL = "search.json", "trials.json", "search.journal"
_ONE_GOAL = ("cmaes",)
_SPACE = "space"
_log = logging.getLogger(__name__)
# Launches jobs with these overrides, numbered from the second argument on.
Launch = Callable[[Sequence[Sequence[str]], int], Any]


@dataclass(frozen=True)
class Settings:
    """How a search goes on: `n_jobs` trials at a time until there are `n_trials` (see optuna.yaml).

    Raises ConfigError for a name or number that is not allowed; Optuna's classes are made, and
    refuse their settings, before the first job.
    """

    n_trials: int
    n_jobs: int
    sampler: str
    seed: int
    pruner: str
    watch: str
    every: int
    storage: str | None = None
    sampler_settings: Mapping[str, Any] = field(default_factory=dict)
    pruner_settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("n_trials", "n_jobs", "every"):
            value = getattr(self, key)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(
                    f"hydra.sweeper.{key}={value}: allowed are 1, 2, ... Cure: hydra.sweeper."
                    f"{key}=4."
                )
        _check_name("sampler", self.sampler, ["auto", *SAMPLERS])
        _check_name("pruner", self.pruner, PRUNERS)
        watched(self.watch)
        if re.match(r"[^/]*://[^/@]*:[^/@]+@", self.storage or ""):
            raise ConfigError(
                f"hydra.sweeper.storage={without_password(str(self.storage))} holds a password, "
                "which would be written to disk. Cure: leave it out and put it where the "
                "database's driver looks for it, such as PGPASSWORD or ~/.pgpass."
            )

    def check_goals(self, goals: Sequence[Goal]) -> None:
        """Raise ConfigError where several figures are searched with what takes only one."""
        if len(goals) == 1:
            return
        several = f"optimize=[{','.join(map(str, goals))}] are {len(goals)} figures"
        if self.pruner != "none":
            raise ConfigError(
                f"{several}, and hydra.sweeper.pruner={self.pruner} compares by one. Cure: "
                "hydra.sweeper.pruner=none, or one figure."
            )
        if self.sampler in _ONE_GOAL:
            raise ConfigError(
                f"{several}, and hydra.sweeper.sampler={self.sampler} takes one. Cure: "
                "hydra.sweeper.sampler=nsgaii."
            )


def _check_name(key: str, name: str, known: Sequence[str] | Mapping[str, str]) -> None:
    if name not in known:
        raise ConfigError(
            f"hydra.sweeper.{key}={name}: allowed are {', '.join(known)}.{nearest(name, known)} "
            f"Cure: hydra.sweeper.{key}={next(iter(known))}."
        )


class Shared(Record):
    """What a job must know to report to its search: where the study is, and what prunes by what."""

    storage: str
    study: str
    pruner: str
    pruner_settings: dict[str, Any]
    watch: str
    every: int
    maximises: bool


class Trial(Record):
    """One trial: what was chosen, as overrides, and the figures that came of it."""

    number: int
    state: Literal["finished", "pruned", "failed", "running"]
    chosen: tuple[str, ...]
    values: tuple[float, ...] = ()
    best: bool = False


class Trials(Record):
    """All trials of a search and what they were measured by; `best` ones are not beaten by any."""

    optimize: tuple[str, ...]
    trials: tuple[Trial, ...]


def watched(watch: str) -> tuple[Literal["max", "min"], str, str]:
    """Return the direction, training ("" for any) and metric that pruning looks at."""
    try:
        goal = goal_of(watch)
    except ConfigError as error:
        raise ConfigError(
            f"hydra.sweeper.watch={watch}: allowed are min:METRIC and max:METRIC of training, of "
            "one training min:TRAINING/METRIC. Cure: hydra.sweeper.watch=min:ranking_loss."
        ) from error
    training, _, metric = goal.name.rpartition("/")
    return goal.direction, training, metric


class Search:
    """One search in a sweep's folder; it is made, with all that can be refused, before any job."""

    def __init__(
        self, settings: Settings, goals: Sequence[Goal], space: Space, folder: Path
    ) -> None:
        settings.check_goals(goals)
        if not space.dimensions:
            raise ConfigError(
                "a search was given nothing to choose from. Cure: KEY=A,B or KEY=interval(LOW,HIGH)"
                " behind -m."
            )
        self.settings, self.goals, self.space, self.folder = settings, goals, space, folder
        self.queue = listed(space) if self._sampler_name == "grid" else {}
        quiet()
        choices = [k for k, one in space.dimensions.items() if isinstance(one, Choice)]
        check_dimensions(self._sampler_name, choices, len(space.dimensions))
        check_trials(self._sampler_name, settings.n_trials, settings.sampler_settings)
        # In a trial: a wrong setting is refused before anything is written.
        sampler(self._sampler_name, settings, 0)
        self.pruner = made("pruner", settings.pruner, settings.pruner_settings)

    def run(self, launch: Launch) -> None:
        """Launch trials until there are as many as were asked for, telling Optuna of each.

        Raises ConfigError where the folder holds another search or another process searches there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "search.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                f"{self.folder}: another process searches there. Cure: wait for it, or "
                "hydra.sweep.dir=FOLDER."
            ) from error
        with lock:
            self._opened()
            while batch := self._asked():
                for part in in_a_row(batch):
                    jobs = [overrides_of(self.space, self._choose(trial)) for trial in part]
                    launch(jobs, part[0].number)
                found = {outcome.number: outcome for outcome in outcomes(self.folder)}
                for trial in batch:
                    self._tell(trial, found.get(trial.number))
                self._keep()

    @property
    def _sampler_name(self) -> str:
        several = "nsgaii" if len(self.goals) > 1 else "tpe"
        return several if self.settings.sampler == "auto" else self.settings.sampler

    def _opened(self) -> None:
        """Make the study or find it again."""
        import optuna

        place = self.settings.storage or str((self.folder / JOURNAL).absolute())
        storage, name = storage_of(place), self.folder.name
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            pruner=self.pruner,
            directions=["maximize" if goal.maximises else "minimize" for goal in self.goals],
        )
        self._check_same()
        self.study.sampler = sampler(self._sampler_name, self.settings, len(self.study.trials))
        if self.queue and not self.study.trials:
            for point in grid(self.space, self.queue):
                self.study.enqueue_trial(point)
        if self._sampler_name == "grid":
            self.total = min(self.settings.n_trials, len(self.study.trials))
        else:
            self.total = self.settings.n_trials
        shared = Shared(
            storage=place,
            study=name,
            pruner=self.settings.pruner,
            pruner_settings=dict(self.settings.pruner_settings),
            watch=self.settings.watch,
            every=self.settings.every,
            maximises=self.goals[0].maximises,
        )
        keep(self.folder, SEARCH_FILE, shared)

    def _check_same(self) -> None:
        """Raise ConfigError where the study that was found is of another search."""
        asked = {"optimize": [*map(str, self.goals)], **signature(self.space)}
        known = self.study.user_attrs.get(_SPACE)
        if known is None:
            self.study.set_user_attr(_SPACE, asked)
        elif known != asked:
            changed = [key for key in asked if known.get(key) != asked[key]]
            raise ConfigError(
                f"{self.folder} holds another search: its {' and '.join(changed)} differ (was "
                f"{known.get(changed[0])}, is {asked[changed[0]]}). Cure: hydra.sweep.dir=FOLDER, "
                "a new one."
            )

    def _asked(self) -> list[Any]:
        """Return the trials to launch next: those a kill has left first, then new ones."""
        from optuna.trial import Trial as OptunaTrial
        from optuna.trial import TrialState

        left = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if left:
            return [OptunaTrial(self.study, one._trial_id) for one in left]
        over = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        done = len(self.study.get_trials(deepcopy=False, states=over))
        count = max(min(self.settings.n_jobs, self.total - done), 0)
        trials = [self.study.ask() for _ in range(count)]
        for trial in trials:
            self._choose(trial)  # all before the first launch: a kill must not leave one open
        return trials

    def _choose(self, trial: Any) -> dict[str, str]:
        """Return what a trial chose, as typed; asked again, it is the same."""
        return {key: suggested(trial, key, one) for key, one in self.space.dimensions.items()}

    def _tell(self, trial: Any, outcome: Outcome | None) -> None:
        from optuna.trial import TrialState

        if outcome is not None and outcome.state in ("finished", "already done"):
            values = values_of(self.goals, outcome.folder)
            if all(value is not None for value in values):
                self.study.tell(trial, values)
                return
            _log.warning("trial %d: a figure of %s is unknown", trial.number, outcome.folder)
        pruned = outcome is not None and outcome.state == "pruned"
        self.study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)

    def _keep(self) -> None:
        """Write all trials, for people and for the end of the sweep."""
        best = {one.number for one in self.study.best_trials}
        trials = tuple(
            Trial(
                number=one.number,
                state=_STATES.get(one.state.name, "failed"),
                chosen=tuple(_as_chosen(self.space, one.params)),
                values=tuple(one.values or ()) if one.state.name == "COMPLETE" else (),
                best=one.number in best,
            )
            for one in self.study.get_trials(deepcopy=False)
            if one.state.name != "WAITING"
        )
        keep(self.folder, TRIALS_FILE, Trials(optimize=tuple(map(str, self.goals)), trials=trials))


_STATES: dict[str, Literal["finished", "pruned", "failed", "running"]] = {
    "COMPLETE": "finished",
    "PRUNED": "pruned",
    "RUNNING": "running",
}


def suggested(trial: Any, key: str, one: Dimension) -> str:
    """Have Optuna choose one value; returns it as it is typed."""
    if isinstance(one, Choice):
        return str(trial.suggest_categorical(key, one.values))
    if one.whole:
        step = int(one.step or 1)
        return one.typed(
            trial.suggest_int(key, int(one.low), int(one.high), step=step, log=one.log)
        )
    return one.typed(trial.suggest_float(key, one.low, one.high, step=one.step, log=one.log))


def _as_chosen(space: Space, params: Mapping[str, Any]) -> Iterator[str]:
    for key, one in space.dimensions.items():
        if key in params:
            value = params[key]
            yield f"{key}={value if isinstance(one, Choice) else one.typed(value)}"


def grid(space: Space, values: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Yield every combination as Optuna's parameters, the last key fastest, as Hydra does."""
    for combination in itertools.product(*values.values()):
        yield {
            key: value if isinstance(space.dimensions[key], Choice) else _number(space, key, value)
            for key, value in zip(values, combination, strict=True)
        }


def _number(space: Space, key: str, value: str) -> float:
    one = space.dimensions[key]
    return int(value) if not isinstance(one, Choice) and one.whole else float(value)


def in_a_row(trials: Sequence[Any]) -> Iterator[list[Any]]:
    """Split trials where their numbers leave one out: launchers count on from the first."""
    part: list[Any] = []
    for trial in sorted(trials, key=lambda one: one.number):
        if part and trial.number != part[-1].number + 1:
            yield part
            part = []
        part.append(trial)
    if part:
        yield part


def told_of_search(folder: Path) -> str:
    """Return in words what the search of a folder found, "" where none was made there."""
    found = read(folder / TRIALS_FILE, Trials)
    if found is None:
        return ""
    states = [trial.state for trial in found.trials]
    counts = ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states))
    lines = [f"search for {', '.join(found.optimize)}: {len(states)} trials ({counts})"]
    best = [trial for trial in found.trials if trial.best]
    if len(found.optimize) > 1 and best:
        lines.append("best trade-offs, none of which another trial beats in everything:")
    for trial in best if len(found.optimize) > 1 else best[:1]:
        pairs = zip(found.optimize, trial.values, strict=False)
        values = ", ".join(f"{name.partition(':')[2]} {value:.6g}" for name, value in pairs)
        lines.append(f"  best: trial {trial.number}, {values}, with {' '.join(trial.chosen)}")
    return "\n".join(lines) + "\n"
