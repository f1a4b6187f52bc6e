"""A stage's batches on the machines of a Ray cluster.

Ray's actors hold a model each and are restarted where their process or machine is lost; what they
were at is done again. Actors of Ray's rather than Ray Data: the stage's journal wants each
batch as it comes and in its order, and Ray Data gives out blocks and ends its actors with each
pipeline. Left out: starting a cluster, which `ray up` or SLURM does, and bringing files to it:
model folders and artifacts are on a file system that all its machines see.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic

from tuna_exp.errors import ConfigError, UserError, in_short
from tuna_exp.executors.base import B, R, S, Session

# What Ray is told where we start it or connect to it.
_QUIET = {"log_to_driver": False, "include_dashboard": False, "logging_level": "error"}
# Batches given out per worker: one that it is at and one that is there when it has ended that.
_AHEAD = 2
# Results per worker that may wait for an earlier one.
_KEPT = 16


@dataclass(frozen=True)
class RayExecutor:
    """Workers on the cluster at `address`, None: on one that is started on this machine.

    A worker takes `cpus_per_worker` cores and `gpus_per_worker` GPUs; one that is lost is started
    again up to `restarts` times.
    """

    address: str | None
    workers: int
    cpus_per_worker: int
    gpus_per_worker: float
    restarts: int

    def check(self) -> None:
        """Raise ConfigError for numbers that no worker could start with, or where Ray is not
        installed.
        """
        for name, least in (("workers", 1), ("cpus_per_worker", 1), ("restarts", 0)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"executor.{name}={getattr(self, name)}. Cure: give {least} or more."
                )
        _ray()

    @contextmanager
    def start(self, make: Callable[[], S], end: Callable[[S], None]) -> "Iterator[_Pool[S]]":
        """Give the workers something to make; they are started once and kept for later stages.

        Raises UserError where the cluster cannot be reached or has no room for a worker.
        """
        self.check()
        ray = _ray()
        # Without an address Ray would also take one that a variable of the environment names.
        connect("executor.address", self.address or "local")
        workers = _workers(self)
        try:
            yield _Pool(workers, [ray.put(make)])
        finally:
            for worker in workers:
                worker.forget.remote(end)

    def begin(self) -> list[Any]:
        """Start the workers, processes that have imported what they need."""
        ray = _ray()
        self._room(ray)
        # Without limit a worker that dies of each batch would be restarted for ever.
        options = {
            "num_cpus": self.cpus_per_worker,
            "num_gpus": self.gpus_per_worker,
            "max_restarts": self.restarts,
            "max_task_retries": self.restarts,
        }
        actor = ray.remote(Worker).options(**options)
        return [actor.remote(self.cpus_per_worker) for _ in range(self.workers)]

    def _room(self, ray: Any) -> None:
        """Raise UserError where not all workers fit: the others would be waited for, for ever."""
        for name, wanted in (("CPU", self.cpus_per_worker), ("GPU", self.gpus_per_worker)):
            there = [node["Resources"].get(name, 0) for node in ray.nodes() if node["Alive"]]
            fitting = sum(int(of_node // wanted) for of_node in there) if wanted else self.workers
            if fitting < self.workers:
                raise UserError(
                    f"executor.workers={self.workers} with {wanted:g} {name}s each: the cluster's "
                    f"machines have room for {fitting} ({', '.join(f'{n:g}' for n in there)} "
                    f"{name}s). Cure: executor.workers={max(fitting, 1)}, or fewer of "
                    f"executor.{name.lower()}s_per_worker."
                )


@cache
def _workers(executor: RayExecutor) -> list[Any]:
    """Start an executor's workers once: importing torch takes longer than many a small stage."""
    return executor.begin()


class Worker:
    """What runs in a process of Ray's: what was made there, and work on it.

    All that a batch needs is said with it, since a worker that was restarted knows nothing.
    """

    def __init__(self, threads: int) -> None:
        import torch

        from tuna_exp.quiet import quiet_libraries

        quiet_libraries()
        torch.set_num_threads(threads)
        self.made: Any = None
        self.making: Any = None

    def work(self, making: list[Any], do: Callable[[Any, Any], Any], batch: Any) -> Any:
        """Return what comes of a batch. `making` refers to what makes the thing it is done with:
        it is fetched where it is another one than before.
        """
        if self.making != making:
            self.made, self.making = _ray().get(making[0])(), making
        return do(self.made, batch)

    def forget(self, end: Callable[[Any], None]) -> None:
        """Let go of what was made: the next one may need the memory."""
        if self.making is not None:
            end(self.made)
        self.made = self.making = None


class _Pool(Session[S], Generic[S]):
    """`making` is a list, so that Ray hands on the reference in it and not what it refers to."""

    def __init__(self, workers: list[Any], making: list[Any]) -> None:
        self.workers = workers
        self.making = making

    def map(self, do: Callable[[S, B], R], batches: Iterable[B]) -> Iterator[R]:
        """Yield results in order. The next batch goes to the worker that has least to do."""
        ray = _ray()
        task = ray.put(do)
        waiting: deque[Any] = deque()  # for their turn to go out
        running: dict[Any, int] = {}  # the place of the worker that is at it, or will be
        places = range(len(self.workers))
        for batch in batches:
            while len(running) >= _AHEAD * len(places):
                (done,), _ = ray.wait(list(running), num_returns=1)
                del running[done]
            place = min(places, key=[*running.values()].count)
            begun = self.workers[place].work.remote(self.making, task, batch)
            running[begun] = place
            waiting.append(begun)
            # What is first in the order goes out as soon as it has ended: the journal has it then.
            # Where one batch takes very long, the others wait for it at last.
            while waiting and (waiting[0] not in running or len(waiting) > _KEPT * len(places)):
                first = waiting.popleft()
                result: R = _got(ray, first)
                running.pop(first, None)
                yield result
        while waiting:
            yield _got(ray, waiting.popleft())


def connect(key: str, address: str, **settings: Any) -> None:
    """Start Ray on this machine (`address` is local) or connect to a cluster, unless that is done.

    `key` is the setting that holds the address, `settings` are further arguments of `ray.init`.
    Raises UserError where nothing starts, or answers.
    """
    ray = _ray()
    if ray.is_initialized():
        return
    try:
        ray.init(address=address, **{**_QUIET, **settings})
    except Exception as error:  # of many kinds, a bare one where a node is slow to start
        reason = in_short(error)
        if address == "local":
            raise UserError(
                f"{key}={address}: Ray does not start here ({reason}). Cure: the same command "
                "again when the machine has less to do, or without Ray."
            ) from error
        raise UserError(
            f"{key}={address}: no Ray cluster answers there ({reason}). Cure: `ray start --head` "
            f"on its first machine, or {key}=local for one here."
        ) from error


def _got(ray: Any, reference: Any) -> Any:
    """Return a result, or raise what the worker raised as if it had been raised here."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayActorError as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise UserError(
            f"executor=ray: a worker was lost and could not be started again ({reason}). What was "
            "finished is kept. Cure: more memory, fewer of executor.workers on a machine, or a "
            "larger executor.restarts; then the same command."
        ) from error


def _ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ConfigError(
            "executor=ray needs the package ray, which is not installed here. Cure: pip install "
            "'tuna_exp[ray]', or executor=local."
        ) from error
    return ray
