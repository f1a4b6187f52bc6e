"""Check every value of a composed config against the annotations of the class it is for, all at once.

Hydra knows no types where a group has no schema; the classes do. Nothing is instantiated, so a wrong
value is told before a file is read or a model is loaded.
"""

import inspect
from collections.abc import Iterator
from typing import Any, get_type_hints

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from tuna_exp.errors import ConfigError, nearest

HYDRA_KEYS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}


def check_config(config: DictConfig) -> None:
    """Raise one ConfigError that names every missing and every ill-typed value.

    A missing value is a required one (`???`) that was not given.
    """
    missing = sorted(OmegaConf.missing_keys(config))
    problems = [f"{key} is required and was not given. Cure: add {key}=..." for key in missing]
    problems += [] if missing else wrong_values(config, "")
    if problems:
        listed = "\n  ".join(problems[:15])
        raise ConfigError(f"{len(problems)} setting(s) cannot be used:\n  {listed}")


def wrong_values(node: Any, path: str) -> Iterator[str]:
    """Yield a sentence for each value below `node` that its class does not take."""
    if isinstance(node, ListConfig):
        return
    target = OmegaConf.to_container(node).get("_target_")  # type: ignore[union-attr]
    if isinstance(target, str) and target.startswith("tuna_exp."):
        yield from wrong_arguments(target, node, path)
    for key in node:
        child = node[key]
        if isinstance(child, DictConfig):
            yield from wrong_values(child, f"{path}.{key}".lstrip("."))


def wrong_arguments(target: str, node: DictConfig, path: str) -> Iterator[str]:
    """Yield a sentence for each plain value that the target's parameter of that name does not take."""
    made = get_object(target)
    call = made.__init__ if inspect.isclass(made) else made
    hints = get_type_hints(call)
    parameters = [name for name in inspect.signature(call).parameters if name != "self"]
    for key in node:
        value = node[key]
        name = f"{path}.{key}".lstrip(".")
        if str(key) in HYDRA_KEYS or isinstance(value, DictConfig):
            continue
        if key not in parameters:
            yield f"{name} is not a setting of {target}.{nearest(str(key), parameters)}"
            continue
        problem = misfit(OmegaConf.to_container(value) if isinstance(value, ListConfig) else value, hints.get(str(key)))
        if problem:
            yield f"{name}={value!r}: {problem}"


def misfit(value: Any, annotation: Any) -> str | None:
    """Return what is wrong with a plain value for an annotation, or None; unknown annotations take anything."""
    try:
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError):
        return None
    try:
        # Strict tells "3" from 3; a whole number still does where a float is asked for.
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        return error.errors()[0]["msg"].replace("Input should be", "should be")
    return None
