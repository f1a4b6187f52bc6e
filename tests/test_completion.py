"""Completion: what is offered for a line, and real shells that offer it when Tab is pressed."""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Command
from tuna_exp.commands import COMMANDS
from tuna_exp.completion import SHELLS, candidates

OFFERED = {
    # Commands and what stands behind them.
    "pl": {"plan"},
    "new ra": {"ranker", "ranking_loss"},
    "artifacts ": {"explain", "list", "prune", "verify"},
    "compare ru": {"runs="},
    "plan -": {"-m", "--json", "--config-dir", "--help"},
    "--cfg ": {"job", "hydra", "all"},
    "new ranker x --into ": set(),
    "compare runs=x mod": set(),  # no command that takes overrides
    # Groups and options.
    "mod": {"model=", "model."},
    "model=t": {"model=tiny"},
    "-m lora=": {"lora=lora", "lora=none"},
    "plan -m seed=0,1 model=t": {"model=tiny"},
    "-m method=sft,tuna_": {"method=sft,tuna_c", "method=sft,tuna_p"},
    "evaluation=[verifiable,lme": {"evaluation=[verifiable,lmentry"},
    "hydra/": {"hydra/launcher=", "hydra/sweeper="},
    "~call": {"~callbacks", "~callbacks."},
    # Parts under other names.
    "ranker@": {"ranker@teacher_ranker="},
    "ranker=noisy ranker@": {"ranker@teacher_ranker=", "ranker@ranker.of="},
    "ranker@teacher_ranker=prob": {"ranker@teacher_ranker=probabilistic"},
    "+ranker@": {"+ranker@extra_rankers."},
    "+sampling@": {"+sampling@sampling_of_teacher="},
    # Keys, whatever was chosen before.
    "se": {"seed="},
    "teacher_r": {"teacher_ranker."},
    "objective.tuna_c.l": {"objective.tuna_c.learning_rate="},
    "objective.m": {"objective.mixed.", "objective.mle_on=", "objective.mle_weight="},
    "lora.ra": set(),
    "lora=lora lora.ra": {"lora.rank="},
    "model=typo objective.mle_o": {"objective.mle_on="},
    # Values.
    "objective.mle_on=": {f"objective.mle_on={v}" for v in ("all", "best", "reference")},
    "-m objective.mle_on=all,b": {"objective.mle_on=all,best"},
    "model.compile=": {"model.compile=true", "model.compile=false"},
    "seed=": {"seed=0"},
    "max_refused=": {"max_refused=0.2"},
    "model.revision=": {"model.revision=null"},
    "dataset=jsonl dataset.path=": set(),
}


@pytest.mark.parametrize("line", OFFERED)
def test_what_is_offered(line: str) -> None:
    assert set(candidates(f"tuna-exp {line}")) == OFFERED[line]


def test_an_empty_line_offers_all_commands_and_groups() -> None:
    offered = set(candidates("tuna-exp "))
    assert {*COMMANDS, "model=", "model.", "experiment=", "seed=", "evaluation."} <= offered
    assert not any(word.startswith(("defaults", "hydra.", "-")) for word in offered)


def test_every_flag_that_is_offered_is_known(tuna_exp: Command) -> None:
    """What completion lists stands in the command's own help, or in that of a word behind it."""
    for name, command in COMMANDS.items():
        words = [word for word in command.words if word.isalpha() and name != "new"]
        told = "".join(tuna_exp(name, *asked, "--help")[1] for asked in [[], *([w] for w in words)])
        if command.composes:
            told += "-m --config-dir"  # as for a run
        for offered in (*command.flags, *command.words):
            assert offered in told, (name, offered)


def test_options_of_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own" / "dataset").mkdir(parents=True)
    (tmp_path / "own" / "dataset" / "mine.yaml").write_text("_target_: x.Y\nlength: 3\n")
    monkeypatch.chdir(tmp_path)
    line = "tuna-exp --config-dir own dataset="
    assert candidates(f"{line}m") == ["dataset=mine"]
    assert candidates(f"{line}mine dataset.") == ["dataset.length="]
    assert candidates(f"{line}mine dataset.length=") == ["dataset.length=3"]


QUICK = """
import sys, time
from tuna_exp.completion import candidates
began = time.process_time()
assert candidates("tuna-exp objective.mle_on=b") == ["objective.mle_on=best"]
print(time.process_time(), sorted({"torch", "transformers", "lightning"} & set(sys.modules)))
"""


def test_it_answers_quickly() -> None:
    """The longest kind of answer: seconds of processor time from the interpreter's start."""
    done = subprocess.run([sys.executable, "-c", QUICK], capture_output=True, text=True, check=True)
    seconds, _, heavy = done.stdout.partition(" ")
    assert heavy.strip() == "[]" and float(seconds) < 2.5  # 1.5 s on two busy cores


def test_scripts_are_printed_and_installed(
    tuna_exp: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for shell in SHELLS:
        script = tuna_exp("--shell-completion", shell)[1]
        assert f"query={shell}" in script
        status, out, _ = tuna_exp("--shell-completion", f"install={shell}")
        place = Path(out.partition("\n")[0].removeprefix("Written: "))
        assert status == 0 and place.read_text() == script and place.is_relative_to(tmp_path)
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    for wrong in ("install", "powershell", "install=tcsh"):
        status, _, err = tuna_exp("--shell-completion", wrong)
        assert status == 2 and "allowed are bash, zsh and fish" in err


def test_an_unreadable_line_is_answered_with_nothing(
    tuna_exp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in (
        "tuna-exp 'a",
        "tuna-exp seed=[1,",
        "tuna-exp --config-dir",
        "",
        "tuna-exp x@y.z=",
    ):
        monkeypatch.setenv("COMP_LINE", line)
        status, _, err = tuna_exp("--shell-completion", "query=bash")
        assert (status, err) == (0, "")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with tuna-exp in it, as an installation has one."""
    place = tmp_path / "bin" / "tuna-exp"
    place.parent.mkdir()
    place.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tuna_exp "$@"\n')
    place.chmod(0o755)
    return place.parent


def test_fish_offers_them(program: Path, tmp_path: Path) -> None:
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    (tmp_path / "mine.jsonl").touch()
    asked = ["plan -m model=ti", "objective.mle_on=b", "dataset.path=mi"]
    lines = "; ".join(f"complete -C {shlex.quote(f'tuna-exp {line}')}" for line in asked)
    script = f"tuna-exp --shell-completion fish | source; {lines}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{program}:{os.environ['PATH']}", "HOME": str(tmp_path)},
    )  # fmt: skip
    told = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert told[:2] == ["model=tiny", "objective.mle_on=best"], done
    assert told[2:] == ["dataset.path=mine.jsonl"], done


Terminal = Callable[[str, str], str]
SETUP = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none'"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; unsetopt beep"),
}


@pytest.fixture(params=SETUP)
def terminal(request: pytest.FixtureRequest, program: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A shell on a terminal, completion set up: keys and what ends the wait in, the screen out."""
    command, setup = SETUP[request.param]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    child, screen = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.environ.update(PATH=f"{program}:{os.environ['PATH']}", HOME=str(tmp_path), TERM="dumb")
        os.execvp(command[0], command)

    def press(keys: str, until: str) -> str:
        os.write(screen, keys.encode())
        shown, end = "", time.monotonic() + 60
        while not re.search(until, shown):
            assert time.monotonic() < end, shown
            if select.select([screen], [], [], 0.2)[0]:
                shown += os.read(screen, 65_536).decode(errors="replace")
        return shown

    script = f'eval "$(tuna-exp --shell-completion {request.param})"'
    press(f"{setup}; {script}; echo rea''dy\n", "ready\r")
    yield press
    os.write(screen, b"\x03exit\n")
    os.close(screen)
    os.waitpid(child, 0)


def test_tab_completes_in_a_shell(terminal: Terminal, tmp_path: Path) -> None:
    """A single possibility is written out, with a space behind it unless the word goes on."""
    (tmp_path / "mine.jsonl").touch()
    terminal("tuna-exp plan -m model=ti\t", r"model=tiny ")
    terminal("\x15tuna-exp ranker@teach\t", r"er_ranker=")
    terminal("prob\t", r"abilistic ")
    terminal("\x15tuna-exp dataset.path=mi\t", r"mine\.jsonl")
    terminal("\x15tuna-exp ranking_loss=\t\t", r"(?s)(?=.*dpo)(?=.*simpo)(?=.*listmle)(?=.*rrhf)")
