"""`tuna-exp study`: ask people what a ranker was asked, and see how far they agree.

`export` writes a page and sheets for raters; `import` reads what they answered. What charts and
numbers need is imported after the input was read, so that a mistyped path is told at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.console import Console

from tuna_exp.study.answers import read_answers
from tuna_exp.study.drawing import USUAL_COUNT, Plan, make_key, read_rankings
from tuna_exp.study.key import KEY_FILE, Key

if TYPE_CHECKING:
    from tuna_exp.comparison.statistics import Bootstrap


def main(argv: Sequence[str], settings: Path) -> int:
    """Run one subcommand and return the exit status; raises UserError for what cannot be done.

    `settings` is the folder conf/: intervals are made as those of a comparison are.
    """
    arguments = _parser().parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    if arguments.command == "export":
        _export(arguments, console)
    else:
        _import(arguments, settings, console)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tuna-exp study", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write a blinded page and sheets for raters")
    export.add_argument(
        "rankings",
        nargs="+",
        type=Path,
        metavar="RANKING",
        help="artifact folder of a rank stage, or a file of ranked examples",
    )
    export.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    export.add_argument("--count", type=int, help=f"items to draw ({USUAL_COUNT}, or all)")
    export.add_argument("--seed", type=int, default=0, help="of the draw (%(default)s)")
    export.add_argument("--kind", choices=("pairs", "lists"), default="pairs")
    export.add_argument("--raters", type=int, default=1, help="orders to make (%(default)s)")
    read = commands.add_parser("import", help="read answers and measure agreement")
    read.add_argument("folder", type=Path, metavar="FOLDER", help="where export wrote")
    read.add_argument("answers", nargs="+", type=Path, metavar="ANSWERS", help="one per rater")
    read.add_argument("--allow-missing", action="store_true", help="raters may have left items out")
    read.add_argument("--json", action="store_true", help="print agreement.json, not a table")
    return parser


def _export(arguments: argparse.Namespace, console: Console) -> None:
    plan = Plan(arguments.kind, arguments.count, arguments.seed, arguments.raters)
    key = make_key(read_rankings(arguments.rankings), plan)
    from tuna_exp.study.export import write_study

    paths = write_study(key, arguments.out)
    asked = f"{len(key.items)} {key.kind}, {len(key.seats)} rater(s), study {key.digest}"
    console.print(f"{asked}. For the raters:", markup=False)
    for path in paths:
        console.print(f"  {path}", markup=False, soft_wrap=True)
    hidden = arguments.out / KEY_FILE
    console.print(f"Keep {hidden} to yourself: it says who ranked what.", markup=False)


def _import(arguments: argparse.Namespace, settings: Path, console: Console) -> None:
    key = Key.read(arguments.folder)
    answers = read_answers(arguments.answers, key, arguments.allow_missing)
    from tuna_exp.study import report
    from tuna_exp.study.agreement import measure

    agreement = measure(key, answers, _bootstrap(settings))
    paths = report.write(agreement, arguments.folder)
    if arguments.json:
        sys.stdout.write(report.to_json(agreement))
        return
    console.print(report.render(agreement))
    console.print(f"Report: {paths[-1]}", markup=False, soft_wrap=True)


def _bootstrap(settings: Path) -> "Bootstrap":
    """The intervals' settings of conf/comparison/default.yaml."""
    from tuna_exp.comparison.statistics import Bootstrap

    said = yaml.safe_load((settings / "comparison" / "default.yaml").read_text(encoding="utf-8"))
    return Bootstrap(said["confidence"], said["resamples"], said["seed"])
