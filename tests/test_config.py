"""Every YAML file composes, its classes resolve, and no key of it is without effect."""

import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch.nn.parallel import DistributedDataParallel

from tuna_exp.cli import SETTINGS
from tuna_exp.config_types import HYDRA_KEYS, OF_ALL_BENCHMARKS, check_config
from tuna_exp.config_values import RULES, rule_for
from tuna_exp.errors import ConfigError
from tuna_exp.models.student import Student

OPTIONS = sorted(
    f"{path.parent.name}={path.stem}"
    for folder in SETTINGS.iterdir()
    if folder.is_dir() and folder.name != "experiment"
    for path in folder.glob("*.yaml")
)
EXPERIMENTS = sorted(path.stem for path in (SETTINGS / "experiment").glob("*.yaml"))
# Values that a file leaves open, or that need what is not on every machine.
GIVEN = {
    "dataset=hub": ["dataset.hub_id=nobody/nothing"],
    "dataset=jsonl": ["dataset.path=nowhere.jsonl"],
    "dataset=tuna_release": ["dataset.path=nowhere.json"],
    "evaluation=lm_eval": ["evaluation.lm_eval.tasks=[nothing]"],
    "evaluation=open_ended": ["evaluation.open_ended.path=nowhere.jsonl"],
    "model=hub": ["model.name=nobody/nothing"],
    "teacher=replay": ["teacher.path=nowhere.jsonl"],
    "ranker=reference_embedding": ["ranker.encoder.name=nobody/nothing"],
    "ranker=reward_model": ["ranker.source.name=nobody/nothing"],
}


@cache
def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(SETTINGS), version_base="1.3"):
        return compose("config", list(overrides))


def nodes(content: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping below a mapping, with its dotted path."""
    yield path, content
    for key, value in content.items():
        if isinstance(value, dict):
            yield from nodes(value, f"{path}.{key}".lstrip("."))


@cache
def all_nodes() -> list[tuple[str, dict[str, Any]]]:
    configs = [composed(option, *GIVEN.get(option, [])) for option in OPTIONS]
    configs.append(composed("+sampling@sampling_of_teacher=default"))
    return list(chain.from_iterable(nodes(OmegaConf.to_container(c), "") for c in configs))


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes_and_is_accepted(option: str) -> None:
    group = option.partition("=")[0]
    config = composed(option, *GIVEN.get(option, []))
    check_config(config, SETTINGS)
    if option.startswith("strategy=deepspeed"):
        pytest.importorskip("deepspeed")  # Lightning's class asks for it
    # Partial parts resolve their class; loggers and the trainer are made below.
    named = group in ("method", "logger", "callbacks", "evaluation")
    parts = config[group].values() if named else [config[group]]
    for part in parts:
        if OmegaConf.is_config(part):  # and no number of evaluation's own
            instantiate(part, _convert_="all")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_and_is_accepted(name: str) -> None:
    check_config(composed(f"experiment={name}"), SETTINGS)


def test_every_key_is_a_parameter_of_its_class() -> None:
    for path, node in all_nodes():
        if "_target_" in node:
            made = pkgutil.resolve_name(node["_target_"])
            taken = set(inspect.signature(made).parameters)
            if "DDPStrategy" in node["_target_"]:  # hands its further arguments on to torch
                taken |= set(inspect.signature(DistributedDataParallel).parameters)
            without_effect = set(node) - HYDRA_KEYS - taken
            assert not without_effect, f"{path}: {node['_target_']}"


def test_every_value_has_a_rule() -> None:
    """A new key needs a line in config_values, or a wrong value of it is told too late."""
    for path, node in all_nodes():
        for key, value in node.items():
            if key not in HYDRA_KEYS and not isinstance(value, dict) and "${" not in str(value):
                name = f"{path}.{key}".lstrip(".")
                assert rule_for(node.get("_target_", ""), name) is not None, name


def test_every_rule_is_for_a_key() -> None:
    used = set()
    for path, node in all_nodes():
        target = node.get("_target_", "").rpartition(".")[2]
        names = {f"{path}.{key}".lstrip(".") for key in node}
        used |= {f"{target}.{key}" for key in node} | {f"{path.rpartition('.')[2]}.*"}
        used |= {
            ".".join(name.split(".")[i:]) for name in names for i in range(name.count(".") + 1)
        }
    assert set(RULES) <= used


def test_model_settings_are_those_of_a_student() -> None:
    """`name` and `revision` are there to be overridden; the source holds them."""
    fields = set(inspect.signature(Student).parameters) - {"lora", "sampler"}
    for option in OPTIONS:
        if option.startswith("model="):
            keys = set(composed(option, *GIVEN.get(option, [])).model)
            assert fields <= keys <= fields | {"name", "revision"}, option


def test_trainer_and_loggers_can_be_made(tmp_path: Path) -> None:
    config = composed("model=tiny", "trainer.accelerator=cpu")
    loggers = [
        instantiate(node)(save_dir=str(tmp_path), name="x")
        for node in config.logger.values()
        if "_partial_" in node
    ]
    trainer = instantiate(config.trainer)(logger=loggers, default_root_dir=str(tmp_path))
    assert trainer.max_epochs == 1 and len(trainer.loggers) == 1


@pytest.mark.parametrize(
    ("dataset", "ranker"), [("verifiable", "VerifierRanker"), ("alpaca", "ContextualRanker")]
)
def test_the_truth_ranks_where_there_is_one(dataset: str, ranker: str) -> None:
    assert composed(f"dataset={dataset}").ranker._target_.endswith(ranker)
    assert composed(f"dataset={dataset}", "ranker=random").ranker._target_.endswith("RandomRanker")


def test_the_teachers_ranker_is_chosen_apart() -> None:
    config = composed("ranker@teacher_ranker=random")
    assert config.teacher_ranker._target_.endswith("RandomRanker")
    assert config.ranker._target_.endswith("VerifierRanker")


def test_members_of_an_ensemble_are_chosen_by_name() -> None:
    overrides = ["ranker=ensemble", "~ranker@ranker.members.likelihood"]
    overrides += ["+ranker@ranker.members.chance=random", "+ranker.weights.chance=0.5"]
    config = composed(*overrides)
    check_config(config, SETTINGS)
    assert sorted(config.ranker.members) == ["chance", "judge"]
    inner = composed("ranker=ensemble", "ranker@ranker.members.judge=pairwise")
    assert inner.ranker.members.judge._target_.endswith("PairwiseRanker")


def test_rankers_of_rankers_stand_wherever_a_ranker_does() -> None:
    overrides = ["+ranker@extra_rankers.small=proxy", "ranker@teacher_ranker=ensemble"]
    config = composed(*overrides, "ranker@extra_rankers.small.labels=rubric")
    check_config(config, SETTINGS)
    assert config.extra_rankers.small.labels._target_.endswith("RubricRanker")
    assert sorted(config.teacher_ranker.members) == ["judge", "likelihood"]
    with pytest.raises(ConfigError, match="labels.orders=3: should be 1 or 2"):
        wrong = ["ranker=proxy", "ranker@ranker.labels=pairwise", "ranker.labels.orders=3"]
        check_config(composed(*wrong), SETTINGS)


def test_methods_are_chosen_by_list() -> None:
    assert list(composed("method=[sft,tuna_c]").method) == ["sft", "tuna_c"]
    assert list(composed("method=ablation").method) == ["sft", "tuna_p", "tuna_c", "tuna"]


def test_benchmarks_are_chosen_by_list_and_limited_together() -> None:
    for chosen in ("verifiable", "[verifiable]"):
        config = composed(f"evaluation={chosen}", "evaluation.limit=5")
        check_config(config, SETTINGS)
        assert {*config.evaluation} - OF_ALL_BENCHMARKS == {"verifiable"}
    with pytest.raises(ConfigError, match="evaluation names no benchmark"):
        check_config(composed("evaluation=[]"), SETTINGS)
    with pytest.raises(ConfigError, match="evaluation.limit=0: should be greater"):
        check_config(composed("evaluation.limit=0"), SETTINGS)
