"""`tuna-exp estimate` and `tuna-exp ledger`: what a run would cost, and what was paid for."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from tuna_exp.composing import checked, loading, parser
from tuna_exp.config_types import check_config
from tuna_exp.errors import UserError
from tuna_exp.quiet import quiet_libraries, quiet_screen
from tuna_exp.services.ledger import Ledger

if TYPE_CHECKING:
    from tuna_exp.services.billing import Bill


def estimate_main(arguments: Sequence[str], settings: Path) -> int:
    """Print what a run of these settings would cost, step by step; nothing is asked or built.

    `settings` is the folder of our YAML files.
    """
    given = parser("estimate", "What a run of these settings would cost.").parse_intermixed_args(
        list(arguments)
    )
    checked(given, arguments)
    quiet_libraries()
    quiet_screen()
    with loading(given.config_dir) as configs:
        config = configs.compose(given.overrides)
    check_config(config, settings)
    from tuna_exp.experiment import make
    from tuna_exp.plan import in_order
    from tuna_exp.planning import Parts
    from tuna_exp.services.billing import Bill

    parts = Parts()
    final = parts.final(config)
    labels = {step.digest: step.label for step in in_order([final])}
    found = parts.bills(final, Path(config.artifacts))
    bills = [(labels[digest], bill) for digest, bill in found.items() if bill.requests]
    total = sum((bill for _, bill in bills), Bill())
    spent = make(config.account).spent()
    if given.json:
        steps = [{"step": label, **vars(bill)} for label, bill in bills]
        told = {
            "steps": steps,
            "total": vars(total),
            "spent": spent.spent,
            "cap": config.budget.usd,
        }
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
        return 0
    show_estimate(bills + [("all", total)], config, spent.spent)
    return 0


def show_estimate(bills: Sequence[tuple[str, "Bill"]], config: DictConfig, spent: float) -> None:
    """Print the steps that cost something, their sum, and the budget."""
    console = Console(highlight=False)
    table = Table("step", "requests", "tokens read", "generated", "about $", "at most $")
    for column in table.columns[1:]:
        column.justify = "right"
    for label, bill in bills:
        figures = vars(bill)
        table.add_row(
            label,
            *(f"{figures[name]:,.0f}" for name in ("requests", "read", "generated")),
            *(f"{figures[name]:,.4f}" for name in ("usd", "bound")),
        )
    console.print(table)
    cap = "no cap" if config.budget.usd is None else f"capped at ${config.budget.usd:.2f}"
    console.print(
        f"Budget '{config.budget.name}': ${spent:.4f} spent so far, {cap}. Answers that are in the "
        "ledger cost nothing again; steps that are built are left out."
    )


def ledger_main(arguments: Sequence[str], settings: Path) -> int:
    """Print what was asked of services and what it cost, or one request with its reply."""
    parser = argparse.ArgumentParser(prog="tuna-exp ledger", description=__doc__)
    parser.add_argument("show", nargs="?", choices=["show"], help="one request and its reply")
    parser.add_argument("key", nargs="?", help="key of the request, or how it begins")
    parser.add_argument("--ledger", type=Path, help="the file (default: that of account.ledger)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    given = parser.parse_args(arguments)
    path = given.ledger or _usual(settings)
    if not path.is_file():
        raise UserError(
            f"{path}: there is no ledger; nothing was asked of a service yet. Cure: --ledger FILE."
        )
    ledger = Ledger(path)
    if given.show:
        return _show(ledger, given.key or "")
    if given.json:
        names = ("service", "model", "answers", "read", "generated", "usd", "uncertain")
        totals = [dict(zip(names, row, strict=True)) for row in ledger.totals()]
        sys.stdout.write(json.dumps(totals, indent=1) + "\n")
        return 0
    _show_totals(ledger)
    return 0


def _usual(settings: Path) -> Path:
    with initialize_config_dir(str(settings), version_base="1.3"):
        return Path(compose("config").account.ledger)


def _show(ledger: Ledger, key: str) -> int:
    found = ledger.find(key)
    sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return 0


def _show_totals(ledger: Ledger) -> None:
    console = Console(highlight=False)
    table = Table("service", "model", "answers", "tokens read", "generated", "$", "uncertain")
    for column in table.columns[2:]:
        column.justify = "right"
    for service, model, answers, read, generated, usd, uncertain in ledger.totals():
        table.add_row(
            service, model, f"{answers:,}", f"{read:,}", f"{generated:,}", f"{usd:,.4f}",
            f"{uncertain:,}",
        )  # fmt: skip
    console.print(table)
    for name, spent, reserved, unsure in ledger.budgets():
        console.print(
            f"Budget '{name}': ${spent:.4f} spent, of it ${unsure:.4f} perhaps not charged; "
            f"${reserved:.4f} reserved for requests under way."
        )
