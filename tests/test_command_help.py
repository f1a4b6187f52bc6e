"""What --help says: every command and group, examples that can be typed, nothing composed."""

import shlex
from pathlib import Path

import pytest

from tests.conftest import Command
from tuna_exp.cli import parsed
from tuna_exp.command_help import groups
from tuna_exp.commands import COMMANDS, TASKS
from tuna_exp.composing import SETTINGS, loading
from tuna_exp.config_types import groups_of


def test_the_overview_has_every_command_under_its_task(tuna_exp: Command) -> None:
    status, out, err = tuna_exp("--help")
    assert (status, err) == (0, "")
    parts = out.split("\n\n")
    by_task = {part.partition(":")[0].lower(): part for part in parts}
    for name, command in COMMANDS.items():
        assert command.task in TASKS
        assert f"tuna-exp {name} {command.takes}" in by_task[command.task]
        assert command.does in by_task[command.task]
    assert all(f"\n{group}: " in out for group in groups_of(SETTINGS))
    assert "tuna-exp -m method=sft" in by_task["run"]


def test_options_of_the_users_own_are_in_it(tuna_exp: Command) -> None:
    Path("own/dataset").mkdir(parents=True)
    Path("own/dataset/mine.yaml").write_text("_target_: x.Y\n")
    assert "alpaca, hub, jsonl, mine, tuna_release" in tuna_exp("--help", "-cd", "own")[1]
    assert "mine" in groups(Path("own"))["dataset"] and "mine" not in groups(None)["dataset"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_ends_in_its_examples(name: str, tuna_exp: Command) -> None:
    status, out, err = tuna_exp(name, "--help")
    assert (status, err) == (0, "") and out.startswith(f"usage: tuna-exp {name}")
    told = out.partition("\nexamples:\n")[2].splitlines()
    examples = COMMANDS[name].examples
    assert [line.partition("#")[0].strip() for line in told] == [
        f"tuna-exp {e}" for e, _ in examples
    ]
    assert all(typed.split()[0] == name for typed, _ in examples)


def test_help_behind_other_words_is_help(tuna_exp: Command, tmp_path: Path) -> None:
    for asked in ("plan -m seed=0,1 --help", "config model=tny -h", "experiment=tiny --help"):
        status, out, _ = tuna_exp(*asked.split())
        assert status == 0 and "usage: " in out + "usage: " and "tuna-exp" in out
    assert list(tmp_path.iterdir()) == []


TYPED = [
    typed
    for name, command in COMMANDS.items() if command.composes and name != "wandb-sweep"
    for typed, _ in command.examples
]  # fmt: skip


def test_examples_compose() -> None:
    with loading(None) as configs:
        for typed in TYPED:
            words = shlex.split(typed)[1:]
            given = parsed([w for w in words if w not in ("--json", "--changed")])
            overrides = [
                word for word in given.overrides if "=" in word and not word.startswith("subject=")
            ]
            assert configs.jobs(overrides, given.multirun)
