from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from nbrelapse.errors import InputError
from nbrelapse.tracking import open_store, store_uri
from nbrelapse.tracking.store import _experiment_id, serve


def test_the_default_store_is_a_database_below_the_working_directory(store: Path) -> None:
    assert store_uri() == f"sqlite:///{store / 'mlflow.db'}"


def test_the_environment_decides_and_what_the_user_has_set_decides_before_it(
    no_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    assert store_uri() == "https://mlflow.example.org"
    # set_tracking_uri also writes the environment variable: setenv above restores it.
    mlflow.set_tracking_uri("https://other.example.org")
    try:
        assert store_uri() == "https://other.example.org"
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert not no_store.exists()


def test_reading_without_a_store_makes_none(no_store: Path) -> None:
    with pytest.raises(InputError, match="there is no MLflow store yet"):
        open_store(create=False)
    assert not no_store.exists()


def test_nothing_global_changes(store: Path) -> None:
    before = mlflow.get_tracking_uri()
    client = open_store()
    _experiment_id(client, "new")
    assert mlflow.get_tracking_uri() == before
    assert not mlflow.tracking.is_tracking_uri_set()
    assert "MLFLOW_EXPERIMENT_ID" not in os.environ


def test_artifacts_stand_beside_the_database(store: Path) -> None:
    client = open_store()
    found = client.get_experiment(_experiment_id(client, "new"))
    assert found.artifact_location == (store / "artifacts").as_uri()
    assert _experiment_id(client, "new") == found.experiment_id


def test_a_deleted_experiment_says_how_to_get_it_back(store: Path) -> None:
    client = open_store()
    number = _experiment_id(client, "gone")
    client.delete_experiment(number)
    with pytest.raises(InputError, match=f"mlflow experiments restore -x {number}"):
        _experiment_id(client, "gone")


def test_a_store_that_cannot_be_opened_is_bad_input(no_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://x")
    with pytest.raises(InputError, match="MLflow cannot open its store"):
        open_store()


def test_the_first_use_is_silent_and_tells_nobody(no_store: Path) -> None:
    code = "import os; from nbrelapse.tracking import open_store; open_store(); "
    code += "print(os.environ['MLFLOW_DISABLE_TELEMETRY'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("true\n", "")
    assert (no_store / "mlflow.db").exists()


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
