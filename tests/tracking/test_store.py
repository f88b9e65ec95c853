from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import pytest

from nbrelapse.errors import InputError
from nbrelapse.tracking import open_store, store_uri
from nbrelapse.tracking.store import _experiment_id, _signals, serve

Started = list[tuple[list[str], dict[str, str]]]


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


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Started:
    """What would have been started, and its environment; in its place a command that ends, with 0 on port 5000."""
    seen: Started = []
    start = subprocess.Popen

    def popen(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        seen.append((command, options["env"]))
        return start([sys.executable, "-c", f"raise SystemExit({int('5000' not in command)})"], **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    return seen


def test_the_page_is_served_on_the_loopback_address_only(store: Path, commands: Started) -> None:
    serve(5000)
    ((command, environment),) = commands
    assert command[command.index("--host") + 1] == "127.0.0.1"
    # Everybody on the machine may read a command, which is no place for the password of a database.
    assert environment["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{store / 'mlflow.db'}"
    assert "mlflow.db" not in " ".join(command)
    assert command[command.index("--default-artifact-root") + 1] == (store / "artifacts").as_uri()


def test_without_a_store_it_says_how_to_get_one(no_store: Path, commands: Started) -> None:
    with pytest.raises(InputError, match="nbrelapse quickstart"):
        serve(5000)
    assert commands == []


def test_a_server_has_its_own_page(no_store: Path, commands: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    with pytest.raises(InputError, match=r"https://mlflow\.example\.org"):
        serve(5000)
    assert commands == []


def test_a_server_that_fails_is_an_error(store: Path, commands: Started) -> None:
    with pytest.raises(InputError, match="--port"):
        serve(5001)


def test_a_busy_port_is_refused_before_the_server_starts(store: Path, commands: Started) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} is in use"):
            serve(port)
    assert commands == []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _in_session(leader: int) -> set[int]:
    """Living processes of the session that a process leads."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, session = status.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.add(int(status.parent.name))
    return found


def _sessions_of(parent: int) -> set[int]:
    """Sessions that children of a process lead; others, which an import may start for a moment, lead none."""
    found = set()
    for child in map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()):
        with suppress(ProcessLookupError):
            found |= {child} if os.getsid(child) == child else set()
    return found


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the processes of Linux")
@pytest.mark.parametrize(
    ("number", "until"),
    [
        (signal.SIGTERM, "it answers"),
        (signal.SIGINT, "it answers"),
        (signal.SIGHUP, "it answers"),
        (signal.SIGTERM, "its server is there"),
        (signal.SIGHUP, "its server has started others"),
    ],
)
def test_a_signal_ends_the_server_with_all_that_it_started(store: Path, number: signal.Signals, until: str) -> None:
    """The real server on a free port, also while it is still starting."""
    port = _free_port()
    command = [sys.executable, "-c", "from nbrelapse.cli import main; main()", "ui", "--port", str(port)]
    # The run of the tests may ignore SIGHUP itself, as under nohup, and children inherit that.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        ui = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    finally:
        signal.signal(signal.SIGHUP, before)
    leaders: set[int] = set()
    reached = {
        "it answers": lambda: _answers(port),
        "its server is there": lambda: bool(leaders),
        "its server has started others": lambda: any(len(_in_session(one)) > 1 for one in leaders),
    }[until]
    while not reached():
        assert ui.poll() is None
        leaders = _sessions_of(ui.pid)
        time.sleep(0.02)
    leaders = _sessions_of(ui.pid)
    ui.send_signal(number)
    assert ui.wait(60) == 128 + number
    assert not _answers(port)
    assert leaders
    assert not any(_in_session(one) for one in leaders)


def test_what_nohup_ignores_does_not_end_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _signals() as received:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
        assert received == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
