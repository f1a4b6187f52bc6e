"""Real servers of both vendors' protocols on this machine, with the embedded model behind them.

`llama` is llama.cpp's server: chat, completions and messages, no batches. `gateway` is ogx in front
of it, which has files and batches of both vendors; it needs Python 3.12. Both are installed from
PyPI on first use. Left out: servers that need a GPU or gigabytes.
"""

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.services.environments import environment, python_from
from tests.services.weights import float32_gguf

HERE = Path(__file__).parent
KEY = "only-here"
GATEWAY_PYTHON = (3, 12)
_LLAMA = ("xllamacpp==2026.10.11549",)
_GATEWAY = ("ogx==1.5.0",)
_START_SECONDS = 180
_STOP_SECONDS = 20


@dataclass(frozen=True)
class RealServer:
    """Where a server listens, and what its model is called there."""

    base_url: str
    model: str
    key: str = KEY

    @property
    def openai_url(self) -> str:
        """The `base_url` for OpenAI's client; Anthropic's takes `base_url` itself."""
        return f"{self.base_url}/v1"


@contextmanager
def llama(folder: Path) -> Iterator[RealServer]:
    """Run llama.cpp's server; what it says is kept in `folder`."""
    python, port = environment(".venv-servers", _LLAMA, sys.executable), _free_port()
    options = ["--port", str(port), "--template", str(HERE / "smollm2.jinja"), "--key", KEY]
    command = [str(python), str(HERE / "llama_server.py"), str(float32_gguf()), *options]
    server = RealServer(f"http://127.0.0.1:{port}", "smollm2")
    with _running(command, {}, folder / "llama.log", f"{server.base_url}/health"):
        yield server


@contextmanager
def gateway(behind: RealServer, python: str, folder: Path) -> Iterator[RealServer]:
    """Run ogx in front of a server; its files and what it says are kept in `folder`."""
    made, port = environment(".venv-gateway", _GATEWAY, python), _free_port()
    settings = folder / "gateway.yaml"
    settings.write_text(yaml.safe_dump(_gateway_settings(behind, port, folder / "data")))
    command = [str(made.with_name("ogx")), "run", str(settings), "--insecure"]
    server = RealServer(f"http://127.0.0.1:{port}", f"llama/{behind.model}")
    quiet = {"OTEL_SDK_DISABLED": "true"}
    with _running(command, quiet, folder / "gateway.log", f"{server.openai_url}/models"):
        yield server


def gateway_python() -> str | None:
    """Return a Python that the gateway can run with, or None."""
    return python_from(GATEWAY_PYTHON)


@contextmanager
def _running(
    command: Sequence[str], variables: Mapping[str, str], log: Path, url: str
) -> Iterator[None]:
    """Run a command until the block ends, which begins when the URL answers."""
    home = {"PATH": f"{Path(command[0]).parent}:/usr/bin:/bin", "HOME": str(log.parent)}
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, env={**home, **variables}, cwd=log.parent, stdout=said, stderr=said
        )
    try:
        _await(process, url, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {KEY}"})
            urllib.request.urlopen(asked, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{process.args} does not answer at {url}:\n{tail}")


def _free_port() -> int:
    """Return a port that was free a moment ago; neither server can say which one it was given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _gateway_settings(behind: RealServer, port: int, data: Path) -> dict[str, object]:
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    files = {"table_name": "files_metadata", "backend": "sql_default"}
    at_once = {"max_concurrent_requests_per_batch": 4}
    return {
        "version": 2,
        "distro_name": "tests",
        "apis": ["inference", "messages", "batches", "files"],
        "providers": {
            "inference": [
                {
                    "provider_id": "llama",
                    "provider_type": "remote::llama-cpp-server",
                    "config": {"base_url": behind.openai_url, "api_key": behind.key},
                }
            ],
            "messages": [
                {
                    "provider_id": "builtin",
                    "provider_type": "inline::builtin",
                    "config": {
                        "kvstore": {"namespace": "message_batches", "backend": "kv_default"},
                        **at_once,
                    },
                }
            ],
            "batches": [
                {
                    "provider_id": "reference",
                    "provider_type": "inline::reference",
                    "config": {
                        "sqlstore": {"table_name": "batches", "backend": "sql_default"},
                        **at_once,
                    },
                }
            ],
            "files": [
                {
                    "provider_id": "local",
                    "provider_type": "inline::localfs",
                    "config": {"storage_dir": str(data / "files"), "metadata_store": files},
                }
            ],
        },
        "storage": {
            "backends": {
                "kv_default": {"type": "kv_sqlite", "db_path": str(data / "kv.db")},
                "sql_default": {"type": "sql_sqlite", "db_path": str(data / "sql.db")},
            },
            "stores": {
                "metadata": {"namespace": "registry", "backend": "kv_default"},
                "inference": {"table_name": "inference_store", "backend": "sql_default"},
                "conversations": {"table_name": "conversations", "backend": "sql_default"},
                "prompts": {"table_name": "prompts", "backend": "sql_default"},
                "connectors": {"table_name": "connectors", "backend": "sql_default"},
            },
        },
        "registered_resources": {
            "models": [
                {
                    "model_id": behind.model,
                    "provider_id": "llama",
                    "provider_model_id": behind.model,
                    "model_type": "llm",
                    "metadata": {},
                }
            ]
        },
        "server": {"host": "127.0.0.1", "port": port},
    }
