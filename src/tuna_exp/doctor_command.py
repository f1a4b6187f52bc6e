"""`tuna-exp doctor`: say what is wrong with a ranked dataset before it is trained on.

Exit status: 0 where nothing is wrong or there are notes and warnings only, 1 with an error, with
--strict also with a warning, and 2 where the dataset or an argument cannot be used. Nothing is
written. What is not asked for on the command line is as in the settings' own files.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tuna_exp.comparison.json_text import json_text
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.datasets.mapping import MappedRow
from tuna_exp.datasets.overlap import RUN_OF_WORDS
from tuna_exp.datasets.verifiable import VerifiableDataset
from tuna_exp.diagnosis.examine import Lengths, diagnose
from tuna_exp.diagnosis.findings import Diagnosis, Finding
from tuna_exp.diagnosis.lengths import counted_by, estimated
from tuna_exp.diagnosis.loading import load
from tuna_exp.diagnosis.overlap import build
from tuna_exp.errors import ConfigError, nearest
from tuna_exp.models.formats import FORMATS

_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_HELD_OUT = "verifiable held-out tasks"


def main(argv: Sequence[str], settings: Path) -> int:
    """Diagnose a dataset and return the exit status.

    `settings` is the folder of our YAML files. Raises UserError for what cannot be read or used.
    """
    given = _parser().parse_args(argv)
    lengths = _lengths(given, settings)
    data = load(given.source, _fields(given.field), given.split)
    evaluation = _defaults(settings, "evaluation/verifiable.yaml")["verifiable"]
    held_out = VerifiableDataset(evaluation["count"], evaluation["seed"], "held_out").load()
    index = build(given.against, held_out, _HELD_OUT, given.ngram)
    comparison = _defaults(settings, "comparison/default.yaml")
    bootstrap = Bootstrap(*(comparison[key] for key in ("confidence", "resamples", "seed")))
    diagnosis = diagnose(data, lengths, index, bootstrap)
    if given.json:
        sys.stdout.write(json_text(diagnosis))
    else:
        # Rich cuts tables to 80 columns where there is no terminal; a pipe has no width.
        console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
        console.print(shown(diagnosis))
    return diagnosis.status(given.strict)


def shown(diagnosis: Diagnosis) -> Group:
    """Return a diagnosis for a terminal, the gravest first."""
    counts = [sum(f.severity == s for f in diagnosis.findings) for s in _STYLES]
    head = (
        f"{diagnosis.source} ({diagnosis.kind}): {diagnosis.sets} sets, {diagnosis.responses} "
        f"responses; errors: {counts[0]}, warnings: {counts[1]}, notes: {counts[2]}"
    )
    table = Table("severity", "finding", "count", "what", box=box.SIMPLE_HEAD)
    for finding in diagnosis.findings:
        severity = Text(finding.severity, style=_STYLES[finding.severity])
        count = f"{finding.count} of {finding.of} {finding.unit}"
        table.add_row(severity, Text(finding.name), Text(count), _what(finding))
    return Group(Text(head, style="bold"), table)


def _what(finding: Finding) -> Text:
    text = Text(finding.message)
    for name, words in (("example", finding.example), ("cure", finding.cure)):
        if words:
            text.append(f"\n{name}: {words}", style="dim")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tuna-exp doctor",
        description="Say what is wrong with a ranked dataset.",
        epilog="Exit status: 0 clean, or notes and warnings only; 1 with an error, with --strict "
        "also with a warning; 2 where the dataset or an argument cannot be used.",
    )
    parser.add_argument(
        "source",
        metavar="PATH",
        help="file (JSON, JSON lines, gzipped or not), artifact folder, folder of the datasets "
        "library, or hub:OWNER/NAME",
    )
    parser.add_argument(
        "--against", type=Path, nargs="+", default=[], metavar="FILE|FOLDER",
        help="evaluation sets that must not be in it (jsonl, json or txt, gzipped or not)",
    )  # fmt: skip
    parser.add_argument(
        "--ngram", type=int, default=RUN_OF_WORDS, metavar="N",
        help="words that a run must have in common (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--max-length", type=int, metavar="N", help="tokens of prompt and response in a training"
    )
    parser.add_argument(
        "--model", type=Path, metavar="FOLDER",
        help="count tokens with this model's tokenizer; else a token is 4 characters",
    )  # fmt: skip
    parser.add_argument(
        "--prompt-format",
        choices=sorted(FORMATS),
        default="chat",
        help="with --model (%(default)s)",
    )
    parser.add_argument(
        "--field", action="append", default=[], metavar="ROLE=NAME",
        help=f"the data's name for one of {', '.join(MappedRow.model_fields)}",
    )  # fmt: skip
    parser.add_argument("--split", default="train", help="of a library's dataset (%(default)s)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings too")
    parser.add_argument("--json", action="store_true", help="write the findings as JSON")
    return parser


def _fields(given: Sequence[str]) -> dict[str, str]:
    fields = dict[str, str]()
    for one in given:
        role, equals, name = one.partition("=")
        if not (equals and name and role in MappedRow.model_fields):
            roles = list(MappedRow.model_fields)
            raise ConfigError(
                f"--field is '{one}'; expected ROLE=NAME with a role of {', '.join(roles)}."
                f"{nearest(role, roles)} Cure: --field responses=NAME."
            )
        fields[role] = name
    return fields


def _lengths(given: argparse.Namespace, settings: Path) -> Lengths:
    limit = given.max_length
    if limit is None:
        limit = _defaults(settings, "batching/shared_prompt.yaml")["max_length"]
    if limit < 1:
        raise ConfigError(f"--max-length is {limit}; allowed: 1 or more. Cure: --max-length 512.")
    if given.model is None:
        return Lengths(limit, estimated, "an estimate: characters / 4")
    return Lengths(limit, counted_by(given.model, given.prompt_format), "by the model's tokenizer")


def _defaults(settings: Path, name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((settings / name).read_text(encoding="utf-8"))
    return values
