from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbrelapse.errors import InputError
from nbrelapse.tracking.serve import serve


@pytest.fixture(autouse=True)
def _keep_the_signal_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    seen: list[list[str]] = []

    def run(command: list[str], *, check: bool, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 0 if "5000" in command else 1)

    monkeypatch.setattr(subprocess, "run", run)
    return seen


def test_the_page_is_served_on_the_loopback_address_only(store: Path, commands: list[list[str]]) -> None:
    serve(5000)
    (command,) = commands
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{store / 'mlflow.db'}"
    assert command[command.index("--default-artifact-root") + 1] == (store / "artifacts").as_uri()


def test_without_a_store_it_says_how_to_get_one(no_store: Path, commands: list[list[str]]) -> None:
    with pytest.raises(InputError, match="nbrelapse quickstart"):
        serve(5000)
    assert commands == []


def test_a_server_has_its_own_page(no_store: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    with pytest.raises(InputError, match=r"https://mlflow\.example\.org"):
        serve(5000)
    assert commands == []


def test_a_server_that_fails_is_an_error(store: Path, commands: list[list[str]]) -> None:
    with pytest.raises(InputError, match="--port"):
        serve(5001)


def test_a_busy_port_is_refused_before_the_server_starts(store: Path, commands: list[list[str]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} is in use"):
            serve(port)
    assert commands == []


def test_being_terminated_ends_the_server_as_ctrl_c_does(store: Path, commands: list[list[str]]) -> None:
    serve(5000)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
