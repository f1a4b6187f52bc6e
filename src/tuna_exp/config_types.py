"""Check a composed config before anything is loaded, and tell all that is wrong at once.

Settings that our own YAML files list are held against `config_values`, which imports nothing heavy;
any other key is held against the class that would get it. Nothing is instantiated. Left out: what
only a library can tell (whether a GPU is there, whether a module name fits a model).
"""

import inspect
import json
import pkgutil
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from tuna_exp.config_values import rule_for
from tuna_exp.errors import ConfigError, nearest
from tuna_exp.secrets import CURE, is_secret

HYDRA_KEYS = frozenset({"_target_", "_partial_", "_convert_", "_recursive_", "_args_"})
# Groups whose option holds any number of parts by name.
COLLECTIONS = frozenset({"method", "logger", "callbacks", "evaluation", "extra_rankers"})
# Keys of evaluation that are no benchmark: they hold for all.
OF_ALL_BENCHMARKS = frozenset({"limit", "temperature", "top_p", "top_k", "seed"})
# Keys below which names are the user's own, wherever they are.
NAMED = frozenset({"members", "weights", "where", "gen_kwargs"})
# Anything may stand in these: a service alone knows what it takes.
FREE = frozenset({"parameters"})
SHOWN = 14
_KEY_WORDS = {"missing": "should have the key", "extra_forbidden": "should not have the key"}
_REFERENCE = re.compile(r"\$\{[\w.]+\}")
_SLOW = "${native_precision:"  # asks torch about the machine


def groups_of(settings: Path) -> list[str]:
    """Return the names of our config groups; Hydra's own, launchers and sweepers, are left out."""
    folders = (path.name for path in settings.iterdir() if path.is_dir())
    return sorted(name for name in folders if name != "hydra")


def check_config(config: DictConfig, settings: Path) -> None:
    """Raise one ConfigError that names everything in a config that cannot be used.

    `settings` is the folder of our own YAML files, whose keys are known to be right.
    """
    checking = Checking(config, Known.of(settings))
    raw = OmegaConf.to_container(config)
    problems = [*checking.node(raw, ""), *wrong_baseline(config), *no_benchmark(config)]
    # A class that our YAML files do not know is imported only where all else is well.
    problems = problems or [p for path, node in checking.foreign for p in misused(node, path)]
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        listed = "\n  ".join([*problems[:SHOWN], *more])
        raise ConfigError(f"{len(problems)} setting(s) cannot be used:\n  {listed}")


@dataclass
class Known:
    """What our own YAML files say: the `keys` of each class, or of each path that has no class, and
    the paths of all `parts`. The keys of the whole config stand under "".
    """

    keys: dict[str, set[str]] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, settings: Path) -> "Known":
        """Read the folder of our YAML files."""
        known = cls({"": set(groups_of(settings))})
        for path in settings.rglob("*.yaml"):
            if path.parent.name != "experiment":
                content = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) or {}
                known.add(content, "" if path.parent == settings else path.parent.name)
        return known

    def add(self, content: Mapping[str, Any], path: str) -> None:
        """Take in one mapping and those below it."""
        self.keys.setdefault(content.get("_target_", path), set()).update(content)
        for key, value in content.items():
            if isinstance(value, dict):
                self.parts.add(f"{path}.{key}".lstrip("."))
                self.add(value, f"{path}.{key}".lstrip("."))
        for default in content.get("defaults", []):
            packages = [key.partition("@")[2] for key in default if isinstance(default, dict)]
            self.keys[""] |= {package for package in packages if package}


@dataclass
class Checking:
    """One pass over a config; `foreign` gathers the nodes with a class or keys not our own."""

    config: DictConfig
    known: Known
    foreign: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def node(self, node: Any, path: str) -> Iterator[str]:
        """Yield a sentence for each problem of the mapping at `path` and below it."""
        if path.rpartition(".")[2] in FREE:
            return
        target = node.get("_target_", "")
        keys = self.known.keys.get(target or path)
        listed = keys is not None or not target
        if target and not (listed and set(node) <= (keys or set()) | HYDRA_KEYS):
            self.foreign.append((path, node))
        for key, value in node.items():
            name = f"{path}.{key}".lstrip(".")
            if key in HYDRA_KEYS:
                continue
            if is_secret(str(key)) and value is not None:
                yield f"{name} looks like a secret and would be written to disk. Cure: {CURE}."
            elif not target and self._is_unknown(path, keys, str(key), value):
                yield f"{name} is not a setting of anything.{nearest(str(key), keys or ())}"
            elif isinstance(value, dict):
                yield from self._part(value, path, name)
            else:
                yield from self._value(value, name, target if listed else None)

    def _is_unknown(self, path: str, keys: set[str] | None, key: str, value: Any) -> bool:
        if keys is None or key in keys:
            return False
        return not _takes_names(path) or (path in COLLECTIONS and not isinstance(value, dict))

    def _part(self, node: dict[str, Any], path: str, name: str) -> Iterator[str]:
        if _takes_names(path) and "_target_" not in node:
            yield (
                f"{name} has no _target_, the class that it is made with. Cure: choose it, or "
                f"leave it out, with ~{name} where an experiment brings it."
            )
        yield from self.node(node, name)

    def _value(self, value: Any, name: str, target: str | None) -> Iterator[str]:
        """Yield what is wrong with one value; a `target` of None takes anything."""
        if value == "???":
            yield f"{name} is required and was not given. Cure: add {name}=..."
            return
        if isinstance(value, str) and "${" in value:
            try:
                resolved = None if value.startswith(_SLOW) else OmegaConf.select(self.config, name)
            except InterpolationToMissingValueError:
                return  # told where it is missing
            except OmegaConfBaseException as error:
                yield f"{name}={value}: {str(error).splitlines()[0]}."
                return
            if value.startswith(_SLOW) or _REFERENCE.fullmatch(value):
                return  # told where it comes from
            value = resolved
        rule = None if target is None else rule_for(target, name)
        rule = dict if rule is None and name in self.known.parts else rule
        problem = None if rule is None else misfit(value, rule)
        if problem:
            yield f"{name}={_shown(value)}: {problem}"


def _shown(value: Any) -> str:
    return "null" if value is None else f"{value!r:.60}"


def _takes_names(path: str) -> bool:
    return path in COLLECTIONS or path.rpartition(".")[2] in NAMED


def wrong_baseline(config: DictConfig) -> Iterator[str]:
    """Yield a sentence where the methods are to be compared with one that is not there."""
    names = ["base", "sft", *map(str, config.method)]
    baseline = OmegaConf.select(config, "comparison.baseline", default="sft")
    if baseline not in names:
        yield (
            f"comparison.baseline={baseline}: should be one of the methods {', '.join(names)}."
            f"{nearest(str(baseline), names)}"
        )


def no_benchmark(config: DictConfig) -> Iterator[str]:
    """Yield a sentence where there is nothing to evaluate on."""
    if "evaluation" in config and not set(config.evaluation) - OF_ALL_BENCHMARKS:
        yield "evaluation names no benchmark. Cure: evaluation=verifiable."


def misused(node: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield a sentence for each argument that the class of a node does not take or lacks."""
    target = node["_target_"]
    try:
        made = pkgutil.resolve_name(target)
        parameters = dict(inspect.signature(made).parameters)
    except ValueError:
        return  # a builtin without a signature
    except Exception as error:  # importing a user's module can raise anything
        reason = str(error).splitlines()[0]
        yield (
            f"{path}._target_={target} cannot be imported: {reason}. Cure: correct the name, "
            "and put the module's folder on PYTHONPATH."
        )
        return
    hints = _hints(made)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key, value in node.items():
        if key in HYDRA_KEYS or isinstance(value, dict) or "${" in str(value):
            continue
        if key not in parameters:
            if not open_ended:
                yield (
                    f"{path}.{key} is not a setting of {target}.{nearest(str(key), parameters)} "
                    f"Cure: leave it out, with ~{path}.{key} where an experiment brings it."
                )
        elif key in hints and (problem := misfit(value, hints[key])):
            yield f"{path}.{key}={_shown(value)}: {problem}"
    if not node.get("_partial_"):
        yield from _lacking(node, path, parameters)


def _lacking(node: Mapping[str, Any], path: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    for name, parameter in parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        )
        if needed and name not in node and "_args_" not in node:
            yield f"{path}.{name} is required by {node['_target_']} and was not given."


def _hints(made: Any) -> dict[str, Any]:
    try:
        return get_type_hints(made.__init__ if inspect.isclass(made) else made)
    except (NameError, TypeError, AttributeError):
        return {}  # annotations that only a type checker can read


def misfit(value: Any, annotation: Any) -> str | None:
    """Return what is wrong with a plain value for an annotation, or None.

    An annotation that pydantic cannot check takes anything.
    """
    try:
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError):
        return None
    try:
        # Strict tells "3" from 3; a whole number still does where a float is asked for.
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        return None if _fits_as_json(adapter, value) else _worded(error, value)
    return None


def _fits_as_json(adapter: TypeAdapter[Any], value: Any) -> bool:
    """Whether a list does where a tuple is asked for: YAML has no tuples."""
    with suppress(ValidationError, TypeError):
        adapter.validate_json(json.dumps(value), strict=True)
        return True
    return False


def _worded(error: ValidationError, value: Any) -> str:
    errors = error.errors(include_url=False)
    expected = dict.fromkeys(
        f"{_KEY_WORDS[e['type']]} '{e['loc'][-1]}'"
        if e["type"] in _KEY_WORDS
        else e["msg"].replace("Input should be", "should be")
        for e in errors
    )
    words = " or ".join(expected).replace(" or should be ", ", or ")
    allowed = [
        c
        for e in errors
        for c in re.findall(r"'([^']*)'", str(e.get("ctx", {}).get("expected", "")))
    ]
    return f"{words}.{nearest(str(value), allowed)}"
