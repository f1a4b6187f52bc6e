"""Where choices and values come from: against the files themselves, and cases by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from tuna_exp.composing import SETTINGS, Loading, loading
from tuna_exp.config_sources import COMMAND_LINE, Sources, leaves, sources


@pytest.fixture
def configs() -> Iterator[Loading]:
    with loading(None) as made:
        yield made


CASES = (
    [],
    ["experiment=tiny"],
    ["ranker=noisy", "ranker@ranker.of=random"],
    ["ranker=ensemble", "+ranker@ranker.members.x=proxy_of_truth", "optimizer=adamw"],
    ["evaluation=[verifiable,lmentry]", "logger=none", "teacher=openai", "lora=lora"],
    ["+sampling@sampling_of_teacher=default", "strategy=ddp", "executor=ray"],
)


@pytest.mark.parametrize("asked", CASES, ids=" ".join)
def test_every_value_stands_in_the_file_that_is_named(configs: Loading, asked: list[str]) -> None:
    found = sources(configs, asked)
    written = dict(leaves(OmegaConf.to_container(found.config), ""))  # type: ignore[arg-type]
    assert {key: value.written for key, value in found.values.items()} == written
    for key, value in found.values.items():
        file = SETTINGS / Path(value.source).relative_to("conf")
        content: Any = yaml.safe_load(file.read_text("utf-8"))
        ends = {path for path, _ in leaves(content or {}, "")}
        assert value.written == {} or any(f".{key}".endswith(f".{end}") for end in ends), (
            key,
            value.source,
        )


def chosen(found: Sources, group: str) -> tuple[str, str]:
    return found.choices[group].option, found.choices[group].source


def test_options_come_from_the_file_that_chose_them(configs: Loading) -> None:
    found = sources(configs, [
        "experiment=tiny", "ranker=ensemble", "ranker@ranker.members.judge=noisy",
        "+ranker@extra_rankers.x=noisy", "evaluation=[verifiable,lmentry]", "~callbacks",
    ])  # fmt: skip
    ensemble, noisy = "conf/ranker/ensemble.yaml", "conf/ranker/noisy.yaml"
    assert chosen(found, "method") == ("ablation", "conf/experiment/tiny.yaml")
    assert chosen(found, "dataset") == ("verifiable", "conf/config.yaml")
    assert chosen(found, "ranker") == ("ensemble", COMMAND_LINE)
    assert chosen(found, "ranker@ranker.members.judge") == ("noisy", COMMAND_LINE)
    assert chosen(found, "ranker@ranker.members.judge.of") == ("verifier", noisy)
    assert chosen(found, "ranker@ranker.members.likelihood") == ("probabilistic", ensemble)
    assert chosen(found, "ranker@extra_rankers.x") == ("noisy", COMMAND_LINE)
    assert chosen(found, "ranker@extra_rankers.x.of") == ("verifier", noisy)
    assert chosen(found, "ranker@extra_rankers.judge")[1] == "conf/experiment/tiny.yaml"
    assert chosen(found, "ranker@teacher_ranker") == ("probabilistic", "conf/config.yaml")
    assert chosen(found, "evaluation") == ("verifiable, lmentry", COMMAND_LINE)
    assert chosen(found, "logger") == ("csv", "conf/experiment/tiny.yaml")
    assert "callbacks" not in found.choices


def test_an_option_that_overrides_another_files_choice(configs: Loading) -> None:
    found = sources(configs, ["ranker=proxy_of_truth"])
    assert chosen(found, "ranker@ranker.labels") == ("verifier", "conf/ranker/proxy_of_truth.yaml")


def test_an_option_that_a_resolver_chose_names_it(configs: Loading) -> None:
    how = "conf/config.yaml: ${ranker_for:${dataset}}"
    assert chosen(sources(configs, []), "ranker") == ("verifier", how)
    assert chosen(sources(configs, ["dataset=alpaca"]), "ranker") == ("contextual", how)
    assert chosen(sources(configs, []), "logger") == ("csv, wandb", "conf/config.yaml")


def test_values_of_the_command_line(configs: Loading) -> None:
    found = sources(configs, ["objective.sft={epochs:2}", "seed=3", "+model.x.y=1"])
    source = {key: value.source for key, value in found.values.items()}
    assert source["objective.sft.epochs"] == source["seed"] == source["model.x.y"] == COMMAND_LINE
    assert source["objective.sft.learning_rate"] == "conf/objective/tuna.yaml"


def test_what_a_value_comes_to(configs: Loading) -> None:
    values = sources(configs, ["ranker=random", "seed=3", "experiment=tiny"]).values
    assert (values["ranker.seed"].written, values["ranker.seed"].value) == ("${seed}", 3)
    assert values["teacher.source"].value == "${model.source}"  # a whole part stays a name
    assert values["trainer.precision"].value == "${native_precision:}"  # torch is not asked


def test_files_of_the_users_own_are_named_as_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own" / "dataset").mkdir(parents=True)
    (tmp_path / "own" / "dataset" / "mine.yaml").write_text("_target_: x.Y\nlength: 3\n")
    monkeypatch.chdir(tmp_path)
    with loading("own") as configs:
        found = sources(configs, ["dataset=mine"])
    assert found.values["dataset.length"].source == "own/dataset/mine.yaml"
