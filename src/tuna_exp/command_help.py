"""What `tuna-exp --help` and `tuna-exp COMMAND --help` say; nothing is composed for it."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tuna_exp.commands import COMMANDS, TASKS
from tuna_exp.composing import SETTINGS

HEADLINE = (
    "Does ranking feedback make an instruction-tuned model better, which kind, with which loss, at "
    "what cost?"
)
RUNS = (
    ("[GROUP=OPTION ...] [KEY=VALUE ...]", "run one experiment; without any, Tuna on the defaults"),
    ("-m method=sft,tuna_p,tuna_c,tuna", "sweep over options and values, then compare"),
    ("-m hydra/sweeper=optuna KEY=interval(A,B)", "search; hydra.sweeper.n_trials, optimize=[...]"),
    ("-m ... hydra/launcher=joblib", "jobs at a time; also process, ray, slurm"),
    ("experiment=tiny", "a stored experiment; this one is a dry run of seconds"),
)
END = """Each command has its own --help, with examples. Completion of all this in your shell:
tuna-exp --shell-completion install

Flags of a run: -m sweeps; --config-dir FOLDER adds options of your own; --cfg job shows the
composed settings; --info shows how they were found; --hydra-help shows the rest.
"""
_WIDTH = 46


def overview(own: Path | None) -> str:
    """Return the whole help: commands by task, then groups with their options.

    `own` is a folder with options of the user's.
    """
    lines = [HEADLINE, ""]
    for task in TASKS:
        lines.append(f"{task.capitalize()}:")
        lines += [_row(takes, does) for takes, does in _of(task)]
        lines.append("")
    lines.append("Groups and their options (choose with GROUP=OPTION):")
    lines += [f"{group}: {', '.join(options)}" for group, options in groups(own).items()]
    return "\n".join([*lines, "", END])


def _of(task: str) -> Iterator[tuple[str, str]]:
    if task == TASKS[0]:
        yield from RUNS
    for name, command in COMMANDS.items():
        if command.task == task:
            yield f"{name} {command.takes}", command.does


def _row(takes: str, does: str) -> str:
    return f"  {'tuna-exp ' + takes:<{_WIDTH}}  {does}"


def groups(own: Path | None) -> dict[str, list[str]]:
    """Return the options of every group."""
    found: dict[str, set[str]] = {}
    for folder in filter(None, (SETTINGS, own)):
        for path in (*folder.glob("*/*.yaml"), *folder.glob("*/*/*.yaml")):
            found.setdefault(path.parent.relative_to(folder).as_posix(), set()).add(path.stem)
    return {group: sorted(options) for group, options in sorted(found.items())}


def show_command(name: str, arguments: Sequence[str]) -> int:
    """Write a command's own help, with examples behind it."""
    try:
        status: Any = COMMANDS[name].run(arguments)
    except SystemExit as stopped:  # argparse's way to end after its help, and after an error
        status = stopped.code
    if not status:
        sys.stdout.write(examples(name))
    return int(status or 0)


def examples(name: str) -> str:
    """Return a command's examples with what each shows."""
    rows = [(f"tuna-exp {typed}", shows) for typed, shows in COMMANDS[name].examples]
    width = max(len(typed) for typed, _ in rows)
    return "\nexamples:\n" + "".join(f"  {typed:<{width}}  # {shows}\n" for typed, shows in rows)
