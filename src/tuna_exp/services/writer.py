"""One thread that changes the ledger, many changes in one commit.

A commit waits for the disk. Hundreds of requests a second would wait in line for it; here all that
came while the last commit ran go into the next one together.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tuna_exp.errors import UserError
from tuna_exp.services.ledger import Ledger

T = TypeVar("T")
Change = Callable[[Ledger], Any]
SECONDS_BETWEEN_TRIES = 1.0


class Writer:
    """Changes the ledger in `path`; `stuck` is told the words of a disk that takes nothing."""

    def __init__(self, path: Path, stuck: Callable[[str], None]) -> None:
        self._path = path
        self._stuck = stuck
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._ledger: Ledger | None = None
        self._waiting: list[tuple[Change, asyncio.Future[Any]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def change(self, change: Callable[[Ledger], T]) -> T:
        """Make a change, which must not raise; it is on the disk when this returns.

        While the disk is full it waits: what is to be written has been paid for.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, future))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await future

    async def read(self, look: Callable[[Ledger], T]) -> T:
        """Look something up, outside of any commit."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: look(self._opened()))

    def close(self) -> None:
        """Close the ledger."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            changes = [change for change, _ in group]
            results = await loop.run_in_executor(self._thread, self._commit, changes)
            for (_, future), result in zip(group, results, strict=True):
                future.set_result(result)

    def _commit(self, changes: list[Change]) -> list[Any]:
        while True:
            try:
                ledger = self._opened()
                with ledger.transaction():
                    results = [change(ledger) for change in changes]
                ledger.keep_ballast()
                return results
            except UserError as error:
                if self._ledger is not None:
                    self._ledger.drop_ballast()
                self._stuck(str(error))
                time.sleep(SECONDS_BETWEEN_TRIES)

    def _opened(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger(self._path)
        return self._ledger
