"""`tuna-exp config`: every setting with its source, or those that are asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
from tuna_exp.config_command import chosen


def asked(tuna_exp: Command, *arguments: str) -> dict[str, dict[str, Any]]:
    """Options and keys as JSON, by name."""
    status, out, err = tuna_exp("config", *arguments, "--json")
    assert status == 0, err
    told = json.loads(out)
    by_group = {option["group"]: option for option in told["options"]}
    return {**by_group, **{key["key"]: key for key in told["keys"]}}


def test_a_run_is_shown_with_its_sources(tuna_exp: Command, tmp_path: Path) -> None:
    status, out, err = tuna_exp("config", "experiment=tiny", "seed=3", "ranker=random")
    assert (status, err) == (0, "")
    rows = {
        line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines() if line.split()
    }
    assert rows["method"] == "ablation conf/experiment/tiny.yaml"
    assert rows["dataset.count"] == "24 conf/experiment/tiny.yaml"
    assert rows["seed"] == "3 command line"
    assert rows["ranker.seed"] == "3 conf/ranker/random.yaml: ${seed}"
    assert rows["ranker@teacher_ranker"] == "probabilistic conf/config.yaml"
    assert list(tmp_path.iterdir()) == []


WORDS = {
    "lora": ({"lora"}, {"model.source._target_"}),
    "objective.tuna_c": ({"objective.tuna_c.epochs"}, {"objective.sft.epochs"}),
    "learning_rate": ({"objective.sft.learning_rate"}, {"objective.sft.epochs"}),
    "*.seed seed": ({"dataset.seed", "seed"}, {"dataset.count"}),
    "extra_rankers": ({"extra_rankers.x.flip", "ranker@extra_rankers.x.of"}, {"ranker.flip"}),
}


def test_words_choose_keys(tuna_exp: Command) -> None:
    found = asked(tuna_exp, "+ranker@extra_rankers.x=noisy")
    for words, (some, others) in WORDS.items():
        told = set(chosen(found, words.split()))
        assert some <= told and not others & told, words
    few = asked(tuna_exp, "extra_rankers", "+ranker@extra_rankers.x=noisy")
    assert few == chosen(found, ["extra_rankers"])


def test_a_word_is_a_part_and_no_piece_of_one() -> None:
    keys = dict.fromkeys(["a.bc.d", "bc", "ranker@x.y"], 0)
    assert list(chosen(keys, ["bc"])) == ["a.bc.d", "bc"]
    assert list(chosen(keys, ["b"])) == []
    assert list(chosen(keys, ["x.y"])) == ["ranker@x.y"]
    assert list(chosen(keys, ["*c*"])) == ["a.bc.d", "bc"]
    assert chosen(keys, []) == keys


def test_only_what_is_not_the_default(tuna_exp: Command) -> None:
    found = asked(tuna_exp, "seed=3", "model=tiny", "objective.mle_on=reference", "--changed")
    assert found["seed"]["default"] == 0 and found["seed"]["value"] == 3
    assert found["model"]["option"] == "tiny"
    assert "objective.mle_on" not in found and "dataset" not in found
    status, out, _ = tuna_exp("config", "--changed", "logger=none", "evaluation=[verifiable]")
    assert status == 0 and "csv, wandb" in out and "No longer there: logger.csv._partial_" in out
    assert "All of it is as it is" in tuna_exp("config", "--changed", "batching")[1]


def test_what_is_wrong_is_told_below_what_is_shown(tuna_exp: Command) -> None:
    status, out, err = tuna_exp("config", "dataset", "dataset=jsonl", "seed=x")
    assert status == 2 and "??? (must be given)" in out and "conf/dataset/jsonl.yaml" in out
    assert "2 setting(s) cannot be used" in err and "dataset.path is required" in err


BAD = {
    "lerning_rate": "no key or group of this config. Did you mean 'learning_rate'?",
    "model=tny": "Did you mean 'tiny'",
    "dataset.cuont=3": "Did you mean 'dataset.count'",
    "seed=1,2": "has several values",
    "-m seed=1,2": "it shows the settings of one run. Cure: leave out -m",
    "--config-dir nowhere": "there is no such folder",
    "+api_key=x": "looks like a secret",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_told(arguments: str, tuna_exp: Command) -> None:
    status, out, err = tuna_exp("config", *arguments.split())
    assert (status, out) == (2, "") and BAD[arguments] in err
