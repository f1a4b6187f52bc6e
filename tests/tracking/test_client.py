"""The client's promises on a real client: runs continue, never mix, never hang, never fail ours."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import wandb
from tests.wandb_server.server import KEY, Server
from tuna_exp.tracking.client import Client
from tuna_exp.tracking.curves import Curves
from tuna_exp.tracking.described import Described
from tuna_exp.tracking.lineage import Node
from tuna_exp.tracking.settings import Tracking

FIRST = Node(run="train-a", name="train SFT", job_type="train")
SECOND = Node(run="train-b", name="train Tuna-p", job_type="train")


def client_in(folder: Path, patience: float = 10.0) -> Client:
    tracking = Tracking("online", "tuna", patience_seconds=patience)
    return Client(tracking, folder, Described("a group"))


def rows(server: Server, run: str) -> list[tuple[int, float]]:
    history = server.records.run(run)["history"]
    return [(row["_step"], row["loss"]) for row in history if "loss" in row]


def test_a_killed_training_goes_on_in_its_run(wandb_server: Server, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), client_in(tmp_path).running(FIRST, {}) as run:
        assert run is not None
        Curves(run, "tokens").log_metrics({"loss": 3.0, "examples": 8.0, "tokens": 40.0}, 0)
        raise KeyboardInterrupt
    assert wandb_server.records.run("train-a")["state"] == "failed"
    with client_in(tmp_path).running(FIRST, {}) as run:
        assert run is not None
        Curves(run, "tokens").log_metrics({"loss": 2.0, "examples": 16.0, "tokens": 90.0}, 1)
    assert len(wandb_server.records.runs) == 1
    assert rows(wandb_server, "train-a") == [(0, 3.0), (1, 2.0)]
    assert wandb_server.records.run("train-a")["state"] == "finished"


def test_runs_of_one_process_never_mix(wandb_server: Server, tmp_path: Path) -> None:
    client = client_in(tmp_path)
    with client.running(FIRST, {"seed": 0}) as one, client.running(SECOND, {"seed": 1}) as other:
        assert one is not None and other is not None
        for value in range(3):
            one.log({"loss": float(value)})
            other.log({"loss": 10.0 + value})
    assert [loss for _, loss in rows(wandb_server, "train-a")] == [0, 1, 2]
    assert [loss for _, loss in rows(wandb_server, "train-b")] == [10, 11, 12]
    assert [wandb_server.records.config(r)["seed"] for r in ("train-a", "train-b")] == [0, 1]


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []
        ended = threading.Event()

        def accept() -> None:
            server.settimeout(0.2)
            while not ended.is_set():
                try:
                    kept.append(server.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()
            for one in kept:
                one.close()


@contextmanager
def closed() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield port


@pytest.mark.parametrize("port", [closed, silent])
def test_without_a_server_runs_are_kept_offline(
    port: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    client, began = client_in(tmp_path, patience=1.0), time.monotonic()
    with port() as number:  # type: ignore[operator]
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{number}")
        wandb.teardown()
        for node in (FIRST, SECOND):
            with client.running(node, {}) as run:
                assert run is not None
                run.log({"loss": 1.0})
        wandb.teardown()
    assert time.monotonic() - began < 20  # with the service's start, on a busy machine
    assert client.mode == "offline"
    assert len(list(tmp_path.glob("wandb/offline-run-*/run-train-?.wandb"))) == 2
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1 and "tuna-exp track sync" in warnings[0]


def test_a_server_that_goes_away_costs_no_training(
    wandb_server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, began = client_in(tmp_path, patience=2.0), time.monotonic()
    with client.running(FIRST, {}) as run:
        assert run is not None
        run.log({"loss": 1.0})
        wandb_server.shutdown()
        wandb_server.server_close()
        run.log({"loss": 2.0})
    with client.running(SECOND, {}) as run:
        assert run is not None
    assert client.mode == "offline" and time.monotonic() - began < 30
    assert "tracked offline" in caplog.text
    assert list(tmp_path.glob("wandb/run-*/run-train-a.wandb"))  # which holds both rows


def test_a_failing_tracker_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wandb, "init", fails)
    client = Client(Tracking("offline", "tuna"), tmp_path, Described(""))
    with client.running(FIRST, {}) as run:
        assert run is None
    assert "No space left on device" in caplog.text
