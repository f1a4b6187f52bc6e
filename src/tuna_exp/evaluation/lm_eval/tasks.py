"""Find the harness's tasks and load them, with their data; failures are told in our words.

A task is a name that the harness knows (a task, a group, a tag), a name of a YAML file below
`include_path`, or a YAML file. Left out: tasks with images or sound, and what its own command does
beside running tasks (caches of requests, trackers, decontamination).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.api import registry
from lm_eval.tasks import TaskManager
from lm_eval.tasks._index import TaskIndex

from tuna_exp.errors import ConfigError, UserError, in_short, nearest
from tuna_exp.evaluation.lm_eval.package import SEEDS, lm_eval_version

_OFFLINE = ("couldn't reach", "offline", "connection", "localentrynotfound", "resolve host")


@dataclass(frozen=True)
class Request:
    """What is asked of the harness (see conf/evaluation/lm_eval.yaml)."""

    tasks: tuple[str, ...]
    include_path: str | None
    num_fewshot: int | None
    gen_kwargs: Mapping[str, Any]
    unsafe_tasks: tuple[str, ...]
    trust_remote_code: bool


@dataclass(frozen=True)
class Loaded:
    """The harness's own objects, by name: leaf tasks, and groups with figures of their own."""

    tasks: Mapping[str, Any]
    groups: Mapping[str, Any]


def load(request: Request) -> Loaded:
    """Load tasks and their data, with the few-shot examples and seeds that are asked for.

    Raises ConfigError for a name that is none, and for a task that runs code or needs a modality
    that was not allowed; UserError where its data cannot be had.
    """
    lm_eval_version()
    manager = _manager(request)
    configs = {name: list(_leaves(manager, name)) for name in request.tasks}
    for name, leaves in configs.items():
        for leaf in leaves:
            _check_code(request, name, leaf)
    tasks, groups = dict[str, Any](), dict[str, Any]()
    for name in request.tasks:
        found = _loaded(manager, name)
        tasks |= found["tasks"]
        groups |= found.get("groups", {})
    for name, task in tasks.items():
        _check_task(request, name, task)
        _configure(request, task)
    return Loaded(tasks, {name: group for name, group in groups.items() if group.has_aggregation})


def _manager(request: Request) -> Any:
    """Return an index of tasks; the harness's own 14,000 take a while to read, and may be spared.

    Raises ConfigError for a name that is in neither.
    """
    if request.include_path and not Path(request.include_path).is_dir():
        raise ConfigError(
            f"evaluation.lm_eval.include_path={request.include_path}: there is no such folder. "
            "Cure: the folder of your YAML tasks."
        )
    manager = TaskManager(include_path=request.include_path, include_defaults=False)
    if all(_known(manager, name) for name in request.tasks):
        return manager
    manager = TaskManager(include_path=request.include_path)
    unknown = [name for name in request.tasks if not _known(manager, name)]
    if unknown:
        raise ConfigError(
            f"evaluation.lm_eval.tasks names '{unknown[0]}', which is neither a task, group or tag "
            f"of lm-eval {lm_eval_version()} nor a YAML file."
            f"{nearest(unknown[0], manager.all_tasks)} Cure: one of `lm-eval ls tasks`, or your "
            "own with evaluation.lm_eval.include_path=FOLDER."
        )
    return manager


def _known(manager: Any, name: str) -> bool:
    return name in manager.task_index or Path(name).is_file()


def _leaves(manager: Any, spec: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and the YAML of every task that a name or a group's entry stands for."""
    if isinstance(spec, Mapping):
        children = spec.get("task")
        if isinstance(children, list):
            for child in children:
                yield from _leaves(manager, child)
        elif children is not None:
            known = dict(_leaves(manager, children)) if children in manager.task_index else {}
            yield str(children), {**known.get(str(children), {}), **spec}
        return
    entry = manager.task_index.get(spec) or TaskIndex.entry_from_path(Path(spec))
    if entry is None:
        return
    if entry.kind.name == "TAG":
        for name in sorted(entry.tags):
            yield from _leaves(manager, name)
        return
    config = entry.cfg or _read(entry.yaml_path)
    if entry.kind.name == "GROUP":
        yield from _leaves(manager, {"task": config.get("task", [])})
    else:
        yield entry.name, config


def _read(path: Path) -> Mapping[str, Any]:
    from lm_eval.tasks._yaml_loader import load_yaml

    config: Mapping[str, Any] = load_yaml(path, resolve_func=False)
    return config


def _check_code(request: Request, name: str, leaf: tuple[str, Mapping[str, Any]]) -> None:
    """Refuse before anything of a task is loaded: to load a metric of the Hub runs its code."""
    task, config = leaf
    if config.get("unsafe_code") and not {name, task} & set(request.unsafe_tasks):
        raise ConfigError(
            f"the task {task} runs code that the model writes (unsafe_code). Cure: leave it out, "
            f"or in a container that may break, evaluation.lm_eval.unsafe_tasks=[{task}]."
        )
    if request.trust_remote_code or config.get("process_results") is not None:
        return
    for metric in config.get("metric_list") or ():
        told = metric.get("metric")
        if isinstance(told, str) and (metric.get("hf_evaluate") or not _ours(told)):
            raise ConfigError(
                f"the task {task} has the metric '{told}', which is no metric of the harness but "
                "code that would be fetched from the Hub and run. Cure: a metric of the harness "
                f"({', '.join(sorted(registry.metric_registry))}), or "
                "evaluation.lm_eval.trust_remote_code=true if you trust it."
            )


def _ours(metric: str) -> bool:
    import lm_eval.api.metrics  # noqa: F401  # registers them

    # A metric of the task's own code (!function) is the absolute path of its module so far.
    return metric in registry.metric_registry or Path(metric).is_absolute()


def _loaded(manager: Any, name: str) -> Any:
    try:
        return manager.load([name])
    except Exception as error:
        # Whatever datasets, the Hub's client or the task's own code raise.
        raise UserError(_failure(name, error)) from error


def _failure(name: str, error: Exception) -> str:
    words = in_short(error) or type(error).__name__
    chain = f"{type(error).__name__} {words}".lower()
    if any(word in chain for word in _OFFLINE):
        return (
            f"the data of the task {name} is not on this machine and the Hub could not be reached "
            f"({words}). Cure: run once with a network (the cache is HF_HOME) and HF_HUB_OFFLINE "
            "unset, or a YAML task on local files: dataset_path: json, "
            "dataset_kwargs: {data_files: {test: FILE}}."
        )
    return (
        f"the task {name} cannot be loaded: {type(error).__name__}: {words}. Cure: see that its "
        "YAML is whole and that the files of its dataset_kwargs are there (paths are taken from "
        "the working directory)."
    )


def _check_task(request: Request, name: str, task: Any) -> None:
    if getattr(task, "MULTIMODAL", False):
        raise ConfigError(
            f"the task {name} shows images or sound; models here read text. Cure: leave it out."
        )
    if getattr(task, "UNSAFE_CODE", False) and not {*request.tasks, name} & set(
        request.unsafe_tasks
    ):
        raise ConfigError(
            f"the task {name} runs code that the model writes. Cure: leave it out, or "
            f"evaluation.lm_eval.unsafe_tasks=[{name}]."
        )


def _configure(request: Request, task: Any) -> None:
    """Set what the harness's `simple_evaluate` sets; a task that says 0 examples keeps to it."""
    if task.OUTPUT_TYPE == "generate_until" and request.gen_kwargs:
        task.set_config(key="generation_kwargs", value=dict(request.gen_kwargs), update=True)
    own = task.get_config("num_fewshot")
    if request.num_fewshot is not None and own != 0:
        task.set_config(key="num_fewshot", value=request.num_fewshot)
    elif own is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=SEEDS["fewshot"])
