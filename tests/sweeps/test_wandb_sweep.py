"""A sweep for W&B's agents means what Hydra's own sweep means."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from tuna_exp.cli import main
from tuna_exp.composing import SETTINGS, loading
from tuna_exp.errors import ConfigError
from tuna_exp.sweeps import wandb_agent
from tuna_exp.sweeps.wandb_sweep import main as wandb_sweep

LOSS, STEPS = "min:tuna_c/ranking_loss", ("--min-iter", "4")


def made(capsys: pytest.CaptureFixture[str], *typed: str) -> Any:
    assert wandb_sweep(["-m", *typed], SETTINGS) == 0
    return yaml.safe_load(capsys.readouterr().out)


def agents_line(sweep: dict[str, Any], chosen: dict[str, Any]) -> list[str]:
    """The arguments that W&B's own agent would give to the command."""
    args = {key: {"value": value} for key, value in chosen.items()}
    filled = create_sweep_command_args({"args": args})["args_no_hyphens"]
    head, last = sweep["command"][2:-1], sweep["command"][-1]
    assert sweep["command"][:2] == ["${env}", "${program}"] and last == "${args_no_hyphens}"
    return [*head, *filled]


def test_each_point_composes_to_what_hydras_sweep_makes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed = (
        "experiment=tiny", "method=sft,tuna_c", "model.system_prompt='x y','it''s, so',null",
        "objective.tuna_c.learning_rate=1e-05,0.1", "logger=[csv],[csv,wandb]",
        "ranker@teacher_ranker=glob(ra*)", "seed=range(0,2)",
    )  # fmt: skip
    typed = tuple(word.replace("it''s", r"it\'s") for word in typed)
    sweep = made(capsys, *typed)
    assert sweep["method"] == "grid" and sweep["metric"] == {"name": "score", "goal": "maximize"}
    values = {key: one["values"] for key, one in sweep["parameters"].items()}
    assert values["seed"] == [0, 1] and values["objective.tuna_c.learning_rate"] == [1e-05, 0.1]
    with loading(None) as configs:
        jobs = configs.jobs(typed, sweep=True)
        expected = [configs.compose(job) for job in (jobs[0], jobs[-1])]
        for place, config in zip((0, -1), expected, strict=True):
            point = {key: one[place] for key, one in values.items()}
            assert configs.compose(agents_line(sweep, point)) == config


def test_intervals_are_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    sweep = made(
        capsys, "objective.mle_weight=interval(0,1)", "dataset.count=int(interval(2,8))",
        "objective.tuna_c.learning_rate=tag(log,interval(1e-6,1e-4))", "optimize=[min:usd@sft]",
        "--run-cap", "9", "--name", "mine",
    )  # fmt: skip
    assert sweep["method"] == "bayes" and sweep["run_cap"] == 9 and sweep["name"] == "mine"
    assert sweep["metric"] == {"name": "usd@sft", "goal": "minimize"}
    assert {key: one["distribution"] for key, one in sweep["parameters"].items()} == {
        "objective.mle_weight": "uniform", "dataset.count": "int_uniform",
        "objective.tuna_c.learning_rate": "log_uniform_values",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["seed=1"], "nothing varies"),
        (["seed=0,1", "optimize=[max:score,min:usd]"], "has one metric"),
        (["max_refused=interval(0,1)", "--method", "grid"], "a grid tries them all"),
        (["seed=0,-1"], "seed=-1"),
        (["seed=0,1", "--run-cap", "0"], "--run-cap 0"),
        (["seed=0,1", "--watch", "min:score", *STEPS], "--watch min:score: allowed are min:TRAIN"),
        (["seed=0,1", "--watch", "min:tuna/loss", *STEPS], "a training of sft, tuna_p, tuna_c"),
        (["seed=0,1", "--watch", LOSS], "--min-iter N, N.ETA"),
        (["seed=0,1", "--watch", LOSS, "--max-iter", "9"], "--s S of --max-iter"),
        (["seed=0,1", "--watch", LOSS, *STEPS, "--eta", "1"], "ETA above"),
        (["seed=0,1", *STEPS], "--min-iter says when --watch compares"),
        (
            ["seed=0,1", "--watch", LOSS, *STEPS, "--method", "bayes"],
            "not for max:score. Cure: --m",
        ),
    ],
)
def test_what_cannot_be_swept_is_refused(typed: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        wandb_sweep(typed, SETTINGS)


def test_the_file_is_written_and_the_next_step_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sweep.yaml"
    monkeypatch.setattr("sys.argv", ["tuna-exp", "wandb-sweep", "seed=0,1", "--out", str(out)])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert yaml.safe_load(out.read_text())["parameters"] == {"seed": {"values": [0, 1]}}
    assert f"wandb sweep {out}" in capsys.readouterr().out


def test_runs_that_go_worse_are_ended_by_a_metric_of_training(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rate = "objective.tuna_c.learning_rate=tag(log,interval(1e-6,1e-4))"
    sweep = made(capsys, rate, "--watch", LOSS, *STEPS, "--eta", "2")
    assert sweep["method"] == "random"  # bayes would search by the loss
    assert sweep["metric"] == {"name": "tuna_c/ranking_loss", "goal": "minimize"}
    assert sweep["early_terminate"] == {"type": "hyperband", "min_iter": 4, "eta": 2}
    sweep = made(capsys, "seed=0,1", "--watch", LOSS, "--max-iter", "27", "--s", "2")
    assert sweep["early_terminate"] == {"type": "hyperband", "max_iter": 27, "s": 2}


@pytest.mark.parametrize("fails", [False, True])
def test_the_agents_run_gets_the_figures_and_no_other_run_its_name(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of an agent is put aside meanwhile, and back to report."""
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    monkeypatch.setenv("WANDB_RUN_ID", "r")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setattr(wandb_agent, "values_of", lambda goals, output: [0.5])

    def experiment() -> None:
        with wandb_agent.for_agent(["max:score"], tmp_path):
            assert "WANDB_RUN_ID" not in os.environ and "WANDB_SWEEP_ID" not in os.environ
            if fails:
                raise ValueError("no result")

    if fails:
        with pytest.raises(ValueError, match="no result"):
            experiment()
    else:
        experiment()
    (run,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    written = run.read_bytes()
    assert run.name == "run-r.wandb" and (b"score" in written) is not fails
