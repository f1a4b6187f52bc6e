"""What is to be done: steps that know what decides their result, and their execution in order.

A step's digest covers its stage, the version of the stage's code, its settings and the digests of
its inputs, and nothing else: not its label, not where it runs. Parallel execution of one plan is
left out: several processes may execute plans that share steps, and each step is built once.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuna_exp.durable import DISK_FULL, disk_failures
from tuna_exp.efficiency.meters import metered
from tuna_exp.errors import ConfigError, UserError
from tuna_exp.executors.base import Executor, InProcess
from tuna_exp.memory import kept_memory
from tuna_exp.progress import Bar, Display
from tuna_exp.store import SCRATCH, Artifact, Store
from tuna_exp.unfinished import Notebook

if TYPE_CHECKING:
    from tuna_exp.services.billing import Bill

_SECRET = re.compile(
    r"(.*_)?(api_?key|secret|secret_key|password|passwd)|((access|auth|api|bearer|hf)_)?token"
)
_EXACT_FLOAT = 2**53
_TRIES = 3  # of building what damaged artifacts were needed for


@dataclass(frozen=True, eq=False)
class Step:
    """One stage with its settings and inputs.

    `label` is for people, `version` counts changes of the stage's code that change results,
    `settings` are the JSON values that decide the result, `run` does the work, `work` is the
    expected effort in model-forward tokens. `accept` raises UserError where this run may not go on
    from the artifact, however sound it is; what it asks for does not decide the artifact. `ready`
    raises UserError where it can be told, before anything is built, that the work cannot be done.
    `bill` says what services will be paid for it.
    """

    stage: str
    label: str
    version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, "Step"]
    run: Callable[["Workspace"], None]
    work: float = 1.0
    accept: Callable[[Artifact], None] | None = None
    ready: Callable[[], None] | None = None
    bill: Callable[[], "Bill"] | None = None

    @cached_property
    def digest(self) -> str:
        """64 hex digits; raises ConfigError where a setting is a secret or not a JSON value."""
        inputs = {name: step.digest for name, step in self.inputs.items()}
        decisive = {
            "stage": self.stage,
            "version": self.version,
            "settings": json_value(self.settings, "settings"),
            "inputs": inputs,
        }
        text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def recipe(self) -> dict[str, Any]:
        """The part of the manifest that is known before the step runs."""
        inputs = {n: {"stage": s.stage, "digest": s.digest} for n, s in self.inputs.items()}
        return {
            "stage": self.stage,
            "label": self.label,
            "digest": self.digest,
            "version": self.version,
            "settings": json_value(self.settings, "settings"),
            "inputs": inputs,
            "work": self.work,  # with the time it took: how fast the next one will be
        }


@dataclass
class Workspace:
    """What a running step gets: its unfinished folder, its inputs' folders and its bar.

    `executor` is who works on batches. What a killed attempt left in `folder` is still there. The
    names manifest.json, COMMITTED, scratch and .work in it belong to the store.
    """

    folder: Path
    inputs: Mapping[str, Path]
    bar: Bar
    executor: Executor = InProcess()

    @property
    def scratch(self) -> Path:
        """A folder for what only continuing needs (checkpoints, journals); gone at commit."""
        scratch = self.folder / SCRATCH
        scratch.mkdir(exist_ok=True)
        return scratch

    def note(self, **facts: Any) -> None:
        """Put facts (JSON values) into the manifest; safe from a kill when the call returns.

        A later note of the same name replaces the earlier. It waits for the disk: note totals,
        not every batch. Raises ConfigError where a fact is a secret or not a JSON value.
        """
        Notebook(self.folder).note(json_value(facts, "facts"))


class Follower(Protocol):
    """Who is told of a plan and of the steps that are built, such as a tracker."""

    def planned(self, final: Sequence[Step]) -> None:
        """Take note of a plan before anything is built."""

    def building(self, step: Step) -> AbstractContextManager[Callable[[Artifact], None]]:
        """Surround the building of a step; what the context gives is told its artifact."""


def json_value(value: Any, path: str) -> Any:
    """The value with plain dicts, lists and numbers, equal numbers written alike (2.0 as 2).

    Raises ConfigError, naming the dotted path, where JSON has no such value or a key names a
    secret that is not None.
    """
    if isinstance(value, Mapping):
        return {key: json_value(v, f"{path}.{key}") for key, v in _checked(value, path).items()}
    if isinstance(value, list | tuple):
        return [json_value(item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_FLOAT:
        return int(value)
    if value is None or isinstance(value, str | int) or _is_finite(value):
        return value
    raise ConfigError(
        f"{path} is {value!r} ({type(value).__name__}); allowed are JSON values: null, booleans, "
        "finite numbers, strings, lists, objects. Cure: write it as one of these, a path as a "
        "string."
    )


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _checked(mapping: Mapping[Any, Any], path: str) -> Mapping[str, Any]:
    for key, value in mapping.items():
        if not isinstance(key, str):
            raise ConfigError(f"{path} has the key {key!r}; allowed are strings. Cure: quote it.")
        if value is not None and _SECRET.fullmatch(key.lower().replace("-", "_")):
            raise ConfigError(
                f"{path}.{key} looks like a secret and would be written into a manifest; allowed "
                "is null. Cure: put the secret into an environment variable that the client reads."
            )
    return mapping


def in_order(final: Sequence[Step]) -> list[Step]:
    """All steps that the final ones stand on, dependencies first, each digest once."""
    return _walk(final, lambda _: False)


def missing_steps(final: Sequence[Step], store: Store) -> list[Step]:
    """Return the steps that would have to be built, dependencies first."""
    return _walk(final, lambda step: store.find(step) is not None)


def _walk(final: Sequence[Step], finished: Callable[[Step], bool]) -> list[Step]:
    """Steps that are not finished, dependencies first; below a finished one nothing is needed."""
    seen: set[str] = set()
    order: list[Step] = []

    def visit(step: Step) -> None:
        if step.digest in seen:
            return
        seen.add(step.digest)
        if finished(step):
            return
        for needed in step.inputs.values():
            visit(needed)
        order.append(step)

    for step in final:
        visit(step)
    return order


class DamagedInputError(Exception):
    """What a step was made from is not what had been written; the step's work was thrown away."""


@dataclass(frozen=True)
class Means:
    """What steps are built with: where artifacts are, who is told, who works on batches."""

    store: Store
    display: Display
    follower: Follower | None
    executor: Executor


def execute(
    final: Sequence[Step],
    store: Store,
    display: Display,
    follower: Follower | None = None,
    executor: Executor | None = None,
) -> dict[str, Artifact]:
    """Build what is missing and return the artifacts that were used, by full digest.

    A finished artifact is reused, an unfinished one continued. One that another process is building
    is left to it while there is something else to build, and waited for then. An input that only
    finished artifacts need is neither built nor returned.
    A step that raises leaves its folder to be continued. Every artifact that is there must be
    acceptable to its step, be it new, reused or needed by finished ones alone.

    What is used is hashed before it is read, and again before what was made from it is committed.
    Where a byte differs the artifact is set aside and built anew, with all that had read it.
    """
    _accept_finished(final, store)
    for _ in range(_TRIES):
        with suppress(DamagedInputError):
            return _execute(final, Means(store, display, follower, executor or InProcess()))
    raise UserError(
        f"artifacts in {store.root} were damaged {_TRIES} times while they were read. Cure: check "
        "the disk, or name another artifact folder with artifacts=FOLDER."
    )


def _execute(final: Sequence[Step], means: Means) -> dict[str, Artifact]:
    store, display = means.store, means.display
    artifacts: dict[str, Artifact] = {}
    reused: list[str] = []
    damaged: set[str] = set()

    def finished(step: Step) -> bool:
        artifact = store.find_whole(step)
        if artifact is not None:
            artifacts[step.digest] = artifact
            reused.append(step.label)
        elif store.is_damaged(step):
            damaged.add(step.digest)
        return artifact is not None

    missing = _walk(final, finished)
    for step in missing:
        if step.ready:
            step.ready()
    display.plan(reused, sum(step.work for step in missing), len(missing))
    if means.follower:
        means.follower.planned(final)
    for step in _freest_first(missing, artifacts, means):
        inputs = {name: artifacts[made.digest] for name, made in step.inputs.items()}
        if damaged & {made.digest for made in step.inputs.values()}:
            with store.lock(step, partial(display.waiting, step.label)):
                store.discard(step)
        artifacts[step.digest] = _build(step, inputs, means)
        _accept(step, artifacts[step.digest])
    return artifacts


def _freest_first(
    missing: Sequence[Step], built: Mapping[str, Artifact], means: Means
) -> Iterator[Step]:
    """Yield each step once its inputs are built; those that others are building as late as can be.

    Jobs of a sweep share stages: none waits for another's while there is work of its own.
    """
    left = list(missing)
    while left:
        ready = [s for s in left if all(made.digest in built for made in s.inputs.values())]
        free = (step for step in ready if not means.store.is_taken(step))
        step = next(free, ready[0])
        left.remove(step)
        yield step


def _accept_finished(final: Sequence[Step], store: Store) -> None:
    """Raise what a step has against its finished artifact, before anything is built."""
    for step in in_order(final):
        _accept(step, store.find(step) if step.accept else None)


def _accept(step: Step, artifact: Artifact | None) -> None:
    if step.accept and artifact:
        step.accept(artifact)


def _build(step: Step, inputs: Mapping[str, Artifact], means: Means) -> Artifact:
    store, display, follower = means.store, means.display, means.follower
    with store.lock(step, partial(display.waiting, step.label)):
        artifact = store.settle(step)
        if artifact is not None:
            display.reused(step.label, step.work)
            return artifact
        folder = store.begin(step)
        watched = follower.building(step) if follower else nullcontext(None)
        with display.step(step.label, step.work) as bar, watched as tell:
            with (
                _from_whole(step, store, inputs),
                disk_failures(folder, DISK_FULL),
                Notebook(folder).attempt(),
                kept_memory(),
                metered(folder),
            ):
                places = {name: made.folder for name, made in inputs.items()}
                step.run(Workspace(folder, places, bar, means.executor))
            artifact = store.commit(step)
            if tell:
                tell(artifact)
            return artifact


@contextmanager
def _from_whole(step: Step, store: Store, inputs: Mapping[str, Artifact]) -> Iterator[None]:
    """Throw a step's work away, be it done or failed, where an input was damaged meanwhile."""
    failure: Exception | None = None
    try:
        yield
    except Exception as error:
        failure = error
    if any(store.verify(artifact) for artifact in inputs.values()):
        store.discard(step)
        raise DamagedInputError from failure
    if failure is not None:
        raise failure
