"""Configs as Hydra composes them, and a sweep's jobs as its basic sweeper makes them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tuna_exp.composing import SETTINGS, Loading, loading
from tuna_exp.errors import ConfigError


@pytest.fixture
def configs() -> Iterator[Loading]:
    with loading(None) as made:
        yield made


ASKED = (
    [],
    ["experiment=tiny", "seed=3"],
    ["ranker=ensemble", "+ranker@ranker.members.x=random", "ranker.members.x.seed=7"],
    ["+sampling@sampling_of_teacher=default", "sampling_of_teacher.decoding.top_k=3"],
    ["evaluation=[verifiable,lmentry]", "evaluation.limit=5", "~callbacks"],
    ["objective.sft={epochs:2}", "dataset=jsonl", "dataset.path=a b.jsonl"],
)


def test_it_composes_what_hydra_does() -> None:
    """Also where options that stay the same were composed before, with other values."""
    with initialize_config_dir(str(SETTINGS), version_base="1.3"):
        expected = [compose("config", asked) for asked in ASKED]
    with loading(None) as configs:
        for _ in range(2):
            for asked, config in zip(ASKED, expected, strict=True):
                assert OmegaConf.to_container(configs.compose(asked)) == OmegaConf.to_container(
                    config
                ), asked


def test_a_sweep_is_every_combination(configs: Loading) -> None:
    jobs = configs.jobs(["method=sft,tuna_p", "seed=0,1", "model=tiny"], sweep=True)
    assert jobs == [
        (f"method={method}", f"seed={seed}", "model=tiny")
        for method in ("sft", "tuna_p") for seed in (0, 1)
    ]  # fmt: skip
    assert configs.jobs(["dataset.count=range(1,4)"], sweep=True) == [
        ("dataset.count=1",), ("dataset.count=2",), ("dataset.count=3",),
    ]  # fmt: skip


def test_one_run_is_one_job(configs: Loading) -> None:
    assert configs.jobs(["seed=1", "hydra.run.dir=x"], sweep=False) == [("seed=1",)]


def test_an_experiment_that_is_a_sweep_is_one_without_a_flag(configs: Loading) -> None:
    """ablate_loss: 7 losses with 2 seeds each."""
    jobs = configs.jobs(["experiment=ablate_loss"], sweep=False)
    assert len(jobs) == len(set(jobs)) == 14
    assert all("experiment=ablate_loss" in job for job in jobs)
    assert len(configs.jobs(["experiment=ablate_loss", "seed=0"], sweep=False)) == 7


def test_a_search_has_no_jobs_beforehand(configs: Loading) -> None:
    pytest.importorskip("optuna")
    with pytest.raises(ConfigError, match="chooses each job by what the earlier ones came to"):
        configs.jobs(["hydra/sweeper=optuna", "seed=0,1"], sweep=True)


@pytest.mark.parametrize("name", ["own", "own folder", "it's own"])
def test_a_folder_of_the_users_own(name: str, tmp_path: Path) -> None:
    own = tmp_path / name / "dataset"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("_target_: x.Y\nlength: 3\n")
    with loading(str(own.parent)) as configs:
        assert configs.compose(["dataset=mine"]).dataset.length == 3
        assert configs.jobs(["dataset=mine,verifiable"], sweep=True) == [
            ("dataset=mine",), ("dataset=verifiable",),
        ]  # fmt: skip
