"""A loopback W&B server, alone or with the client of this process led to it."""

from collections.abc import Iterator

import pytest

import wandb
from tests.wandb_server.server import Server, running


@pytest.fixture
def wandb_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of its own; this process's client is logged in there."""
    with running() as server:
        wandb.teardown()
        monkeypatch.delenv("WANDB_MODE", raising=False)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
        wandb.teardown()
