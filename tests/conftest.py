"""What all tests share: no deadline on shared machines, nothing sent anywhere, one tiny model."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests.services.loopback import Loopback, running

os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"
os.environ["HF_HUB_OFFLINE"] = "1"

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
