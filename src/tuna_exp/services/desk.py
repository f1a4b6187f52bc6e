"""The desk: where a run asks. It has a courier sent out, and hands over answers as they come.

What the ledger has an answer to is not asked again, whichever run has paid for it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import Any

from tuna_exp.errors import UserError
from tuna_exp.progress import current_bar
from tuna_exp.services.account import Account
from tuna_exp.services.courier import Event, Orders
from tuna_exp.services.endpoint import Endpoint
from tuna_exp.services.ledger import Entry
from tuna_exp.services.requests import BudgetError, Request, ServiceError

ERRORS: Mapping[str, type[UserError]] = {
    "stop": ServiceError,
    "budget": BudgetError,
    "disk": UserError,
}
KEYS_PER_LINE = 1000


class Desk:
    """Asks one service on one account. Its courier lives until `close`, or until the run ends."""

    def __init__(self, endpoint: Endpoint, account: Account) -> None:
        self.endpoint = endpoint
        self.account = account
        self.ledger = account.open()
        self._courier: subprocess.Popen[str] | None = None

    def ask(self, requests: Sequence[Request]) -> dict[str, Entry]:
        """Return the ledger's entry for each request, answered, by key.

        Raises ServiceError where the service will not answer, BudgetError where the next request
        might cost more than is left, UserError where the disk takes nothing more. What was answered
        until then is in the ledger.
        """
        by_key = {request.key: request for request in requests}
        known = self.ledger.entries(list(by_key))
        missing = {k: None for k in by_key if k not in known or known[k].state != "answered"}
        if missing:
            self.ledger.want([by_key[key] for key in missing])
            self._await(missing, len(by_key))
        return self.ledger.entries(list(by_key))

    def close(self, wait: bool = True) -> None:
        """Let the courier end, and wait until it has brought home what was under way."""
        courier, self._courier = self._courier, None
        if courier is not None and courier.stdin is not None and courier.stdout is not None:
            with suppress(OSError):
                courier.stdin.close()
            if wait:
                courier.wait()
            courier.stdout.close()

    def _await(self, missing: dict[str, None], total: int) -> None:
        courier = self._sent_out()
        # A thread, for a full pipe to the courier must not keep from reading what it tells.
        Thread(target=self._tell, args=(courier, list(missing)), daemon=True).start()
        bar = current_bar()
        bar.start(total, "answers", total - len(missing))
        assert courier.stdout is not None
        for line in courier.stdout:
            event = Event(**json.loads(line))
            fresh = [key for key in event.answered if key in missing]
            for key in fresh:
                del missing[key]
            if fresh:
                bar.advance(len(fresh))
            if event.over:
                # One that waits for room on the disk holds answers that are paid for: it lives on.
                self.close(wait=event.over != "disk")
                raise ERRORS[event.over](event.words)
            bar.say(" · ".join(filter(None, [self._money(), event.note])))
            if not missing:
                return
        status = courier.wait()
        self._courier = None
        raise ServiceError(
            f"the process that sends requests ended with status {status} before all were answered. "
            f"All answers so far are kept. Cure: the same command goes on; what it said is in "
            f"{self._log}."
        )

    def _money(self) -> str:
        """Return what was spent, for the progress bar."""
        if self.endpoint.price.is_free:
            return ""
        spent, cap = self.ledger.spent(self.account.budget.name), self.account.budget.usd
        limit = "" if cap is None else f" of ${cap:.2f}"
        return f"${spent.spent:.4f}{limit} spent"

    def _sent_out(self) -> "subprocess.Popen[str]":
        if self._courier is None or self._courier.poll() is not None:
            with self._log.open("ab") as log:
                self._courier = subprocess.Popen(
                    [sys.executable, "-m", "tuna_exp.services.courier"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,  # a Ctrl-C or a kill of the run's group is not for it
                )
            orders = Orders(self.account.ledger, self.endpoint, self.account.budget.purse)
            self._write(self._courier, asdict(orders))
        return self._courier

    @property
    def _log(self) -> Path:
        path = Path(self.account.ledger)
        return path.with_name(path.name + ".log")

    def _tell(self, courier: "subprocess.Popen[str]", keys: Sequence[str]) -> None:
        for first in range(0, len(keys), KEYS_PER_LINE):
            self._write(courier, {"keys": keys[first : first + KEYS_PER_LINE]})

    def _write(self, courier: "subprocess.Popen[str]", value: Mapping[str, Any]) -> None:
        assert courier.stdin is not None
        with suppress(BrokenPipeError):  # it is told by `_await`, which reads its last words
            courier.stdin.write(json.dumps(value) + "\n")
            courier.stdin.flush()
