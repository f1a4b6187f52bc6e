"""The real servers, each started once."""

from collections.abc import Iterator

import pytest

from tests.services import real_servers
from tests.services.real_servers import RealServer


@pytest.fixture(scope="session")
def llama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """llama.cpp's server with the embedded model."""
    with real_servers.llama(tmp_path_factory.mktemp("llama")) as server:
        yield server


@pytest.fixture(scope="session")
def gateway_server(
    llama_server: RealServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealServer]:
    """The same model behind ogx, which has batches."""
    python = real_servers.gateway_python()
    if python is None:
        version = ".".join(map(str, real_servers.GATEWAY_PYTHON))
        pytest.skip(f"the server with batches needs Python {version}, and none is on this machine")
    folder = tmp_path_factory.mktemp("gateway")
    with real_servers.gateway(llama_server, python, folder) as server:
        yield server
