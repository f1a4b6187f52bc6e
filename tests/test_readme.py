"""The README shows what was measured, and its commands are those that are there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from tuna_exp.cli import parsed
from tuna_exp.command_help import groups
from tuna_exp.commands import COMMANDS
from tuna_exp.completion import complete
from tuna_exp.composing import SETTINGS, loading
from tuna_exp.config_types import check_config
from tuna_exp.errors import ConfigError
from tuna_exp.new_command import check_kind, check_name

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_is_the_recorded_one() -> None:
    table = (ROOT / "experiments" / "demo" / "table.md").read_text(encoding="utf-8").strip()
    assert table in README


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.M))))
def test_its_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def typed() -> Iterator[list[str]]:
    """The words behind each `tuna-exp` of its blocks of shell, lines joined that go on."""
    for block in re.findall(r"^```bash\n(.*?)^```", README, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            command = shlex.split(line, comments=True)
            if command[:1] == ["tuna-exp"]:
                yield command[1:]


COMPOSED = [
    words for words in typed() if words[:1] == [] or words[0] not in COMMANDS
    or COMMANDS[words[0]].composes
]  # fmt: skip
_OF_COMMANDS = ("--json", "--changed", "--out", "sweep.yaml", "subject=teacher", "subject=answers")


def test_its_runs_compose() -> None:
    """The first and the last job of every line; a file that is the reader's own may be missing."""
    assert len(COMPOSED) > 25
    with loading(None) as configs:
        for words in COMPOSED:
            command = words[0] if words[:1] and words[0] in COMMANDS else ""
            given = parsed([w for w in words[bool(command) :] if w not in _OF_COMMANDS])
            if given.help or given.shell_completion:
                continue
            # A word without "=" is a key that `config` shows.
            keys = [word for word in given.overrides if "=" not in word]
            assert command == "config" or not keys, words
            overrides = [
                word for word in given.overrides
                if "=" in word and not word.startswith("hydra") and "interval(" not in word
            ]  # fmt: skip
            jobs = configs.jobs(overrides, given.multirun)
            for job in {jobs[0], jobs[-1]}:
                config = configs.compose(job)
                assert all(problem_is_a_gap(line) for line in problems(config)), (words, job)
                assert all(OmegaConf.select(config, key) is not None for key in keys), words


def problems(config: DictConfig) -> list[str]:
    try:
        check_config(config, SETTINGS)
    except ConfigError as error:
        return [line for line in str(error).splitlines() if line.startswith("  ")]
    return []


def problem_is_a_gap(line: str) -> bool:
    return "is required and was not given" in line


def test_its_other_commands_are_there() -> None:
    for words in typed():
        if words and words[0] in COMMANDS:
            known = {*COMMANDS[words[0]].flags, "-m"}
            assert {w for w in words if w.startswith("-") and len(w) > 1} <= known, words
        if words[:1] == ["new"]:
            check_kind(words[1])
            check_name(words[1], words[2], SETTINGS)
    assert ["--shell-completion", "install"] in list(typed())
    with pytest.raises(ConfigError):
        complete(["--shell-completion", "instal"])


def test_the_options_that_it_names_are_there() -> None:
    """In the table of parts, behind `GROUP=`."""
    known = groups(None)
    for group, options in re.findall(r"^\|[^|]*\| `([a-z_]+)=`[^|]*\| ([^|]*) \|$", README, re.M):
        named = set(re.findall(r"`([a-z0-9_]+)`(?! *=)", options.partition("(")[0]))
        assert named <= set(known[group]), group
