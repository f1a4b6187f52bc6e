"""What all tests share: no deadline on shared machines, nothing sent anywhere, one tiny model."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests.services.loopback import Loopback, running

os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"
os.environ["HF_HUB_OFFLINE"] = "1"

# Arguments in; exit status, output and errors out.
Command = Callable[..., tuple[int | str | None, str, str]]

torch.set_num_threads(1)
settings.register_profile("shared", deadline=None, max_examples=40)
settings.load_profile("shared")


@pytest.fixture(scope="session")
def loopback() -> Iterator[Loopback]:
    """A server of both vendors' protocols, started once."""
    with running() as server:
        yield server


@pytest.fixture
def server(loopback: Loopback) -> Loopback:
    """That server, as at its start."""
    loopback.reset()
    return loopback


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the tiny model, made once."""
    from tuna_exp.models.sources import CACHE_VARIABLE
    from tuna_exp.models.tiny import TinyModel

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield TinyModel().resolve()


def _loggers() -> list[logging.Logger]:
    named = logging.root.manager.loggerDict.values()
    return [logging.root, *(one for one in named if isinstance(one, logging.Logger))]


@pytest.fixture
def tuna_exp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """The command in an empty folder."""
    from tuna_exp import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNA_EXP_ARTIFACTS", raising=False)
    level = logging.root.level
    handlers = {logger: logger.handlers[:] for logger in _loggers()}
    # When Hydra sets logging up, absl closes the stream it was imported under: pytest's own.
    monkeypatch.setattr("absl.logging.PythonHandler.close", logging.Handler.close)

    def call(*arguments: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["tuna-exp", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    yield call
    for logger in _loggers():  # Hydra's files are in folders that may be gone
        logger.handlers[:] = handlers.get(logger, [])
    logging.root.setLevel(level)
    logging.captureWarnings(False)
