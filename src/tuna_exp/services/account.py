"""Whose money is spent, where that is written down, and how the user agrees to it."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tuna_exp.errors import ConfigError
from tuna_exp.services.ledger import Ledger, Purse, Spent


@dataclass(frozen=True)
class Budget:
    """`usd` is what all runs that name this budget may spend together, ever; None is no cap."""

    name: str
    usd: float | None

    def __post_init__(self) -> None:
        if self.usd is not None and self.usd < 0:
            raise ConfigError(f"budget.usd={self.usd}. Cure: give 0 or more, or null.")

    @property
    def purse(self) -> Purse:
        """The budget as the ledger takes it."""
        return Purse(self.name, self.usd)


@dataclass(frozen=True)
class Account:
    """The ledger's file and the budget of a run."""

    ledger: str
    budget: Budget

    def open(self) -> Ledger:
        """Open the ledger."""
        return Ledger(Path(self.ledger))

    def spent(self) -> Spent:
        """Return what the budget has spent; nothing where there is no ledger yet."""
        if not Path(self.ledger).exists():
            return Spent(0.0, 0.0, 0.0)
        ledger = self.open()
        try:
            return ledger.spent(self.budget.name)
        finally:
            ledger.close()


def agree(account: Account, expected: float, bound: float) -> None:
    """Have the user agree to spending, unless a cap says how much; nothing is asked for nothing.

    `expected` and `bound` are dollars. Raises ConfigError where nobody is there to ask, where they
    say no, or where the cap is below what is expected.
    """
    cap = account.budget.usd
    if expected <= 0 and bound <= 0:
        return
    words = f"about ${expected:.2f}, at most ${bound:.2f}"
    if cap is not None:
        left = cap - account.spent().spent
        if expected > left:
            raise ConfigError(
                f"this run is expected to cost {words}; budget '{account.budget.name}' has "
                f"${left:.2f} left of ${cap:.2f}. Cure: a higher budget.usd, fewer "
                "instructions (dataset.limit), or transport=batch at half the price."
            )
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            f"this run is expected to cost {words}, there is no cap, and nobody to ask. Cure: "
            "budget.usd=DOLLARS; `tuna-exp estimate` with the same settings says more."
        )
    sys.stderr.write(f"This run is expected to cost {words}. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigError("nothing was spent. Cure: budget.usd=DOLLARS sets a cap.")
