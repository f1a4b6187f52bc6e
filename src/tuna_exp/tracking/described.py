"""What W&B is told of a run's settings: by an allow-list, and nothing that may hold a secret.

Settings that dashboards filter by stand flat, as a nested one cannot be filtered by; all that is
allowed stands as it was composed under `cfg`.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tuna_exp.secrets import is_secret

# Groups and keys that are told. Left out: who pays, where things lie and what a callback is given.
ALLOWED = (
    "seed", "dataset", "model", "lora", "sampling", "sampling_of_teacher", "sampler", "score_with",
    "teacher", "teacher_ranker", "ranker", "extra_rankers", "objective", "ranking_loss",
    "optimizer", "schedule", "batching", "trainer", "guard_rails", "evaluation", "comparison",
    "max_refused",
)  # fmt: skip
# Anything may stand below these: a service alone knows what it takes.
_UNTOLD = frozenset({"parameters", "headers", "extra_headers"})
_WITH_LOGIN = re.compile(r"://[^/\s]*@")
# Groups whose option's name stands flat, as a sweep's own parameters would.
FLAT = (
    "dataset", "model", "lora", "teacher", "teacher_ranker", "ranker", "objective", "ranking_loss",
    "optimizer",
)  # fmt: skip
_LONGEST_TAG = 64


@dataclass(frozen=True)
class Described:
    """`config` is what W&B is told of every run, `tags` too; `group` is the sweep or experiment."""

    group: str
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()


def described(
    config: DictConfig, choices: Mapping[str, Any], group: str, base: Mapping[str, Any]
) -> Described:
    """Return what may be told of a composed config; `choices` are its options by group.

    `base` is what decides the model that training starts from, empty where nothing is trained.
    """
    options = {key.rpartition("@")[2]: str(option) for key, option in choices.items() if option}
    named = {key: options[key] for key in FLAT if key in options}
    if options.get("model") == "hub":
        named["model"] = str(config.model.name)
    flat = {**named, "seed": config.seed, **({"base": short_digest(base)} if base else {})}
    told = {key: allowed(_plain(config, key)) for key in ALLOWED if key in config}
    tags = [named.get(key, "") for key in ("dataset", "model", "ranking_loss")]
    return Described(group, {**flat, "cfg": told}, as_tags(tags))


def _plain(config: DictConfig, key: str) -> Any:
    node = config[key]
    if not OmegaConf.is_config(node):
        return node
    try:
        return OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException:  # something is missing that this run does not need
        return OmegaConf.to_container(node)


def allowed(value: Any) -> Any:
    """Return a plain value without keys that are named like secrets, and without logins in URLs."""
    if isinstance(value, Mapping):
        return {
            str(key): allowed(one)
            for key, one in value.items()
            if key not in _UNTOLD and not is_secret(str(key))
        }
    if isinstance(value, list | tuple):
        return [allowed(one) for one in value]
    if isinstance(value, str):
        return _WITH_LOGIN.sub("://", value)
    return value


def as_tags(words: Sequence[str]) -> list[str]:
    """Return words as W&B takes them for tags: each once, none empty, 64 characters at most."""
    return list(dict.fromkeys(word[:_LONGEST_TAG] for word in words if word))


def short_digest(value: Any) -> str:
    """Return 16 hex digits for a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
