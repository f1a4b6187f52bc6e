"""Who pays: the user is asked, or has said how much."""

import io
from pathlib import Path

import pytest

from tuna_exp.errors import ConfigError
from tuna_exp.services.account import Account, Budget, agree
from tuna_exp.services.requests import Request, Taken


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def account(folder: Path, usd: float | None) -> Account:
    return Account(str(folder / "ledger.sqlite"), Budget("mine", usd))


def test_nothing_is_asked_for_nothing(tmp_path: Path) -> None:
    agree(account(tmp_path, None), 0.0, 0.0)


def test_a_cap_must_hold_what_is_expected_beside_what_was_spent(tmp_path: Path) -> None:
    """$1 - $0.4 spent leaves $0.6: $0.5 fits, $0.7 does not; the bound may be above."""
    mine = account(tmp_path, 1.0)
    book, request = mine.open(), Request("x", "openai_chat", {})
    book.want([request])
    with book.transaction():
        book.claim({request.key: 0.4}, "me", mine.budget.purse)
        book.settle(request.key, "{}", Taken(1, 0, 1), 0.4)
    agree(mine, 0.5, 9.0)
    with pytest.raises(ConfigError, match=r"\$0.60 left of \$1.00"):
        agree(mine, 0.7, 9.0)


@pytest.mark.parametrize(("said", "goes_on"), [("y\n", True), ("\n", False), ("no\n", False)])
def test_a_terminal_is_asked(
    said: str, goes_on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(said))
    if goes_on:
        agree(account(tmp_path, None), 0.5, 9.0)
    else:
        with pytest.raises(ConfigError, match="nothing was spent"):
            agree(account(tmp_path, None), 0.5, 9.0)


def test_nobody_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(ConfigError, match=r"nobody to ask. Cure: budget\.usd=DOLLARS"):
        agree(account(tmp_path, None), 0.5, 9.0)
