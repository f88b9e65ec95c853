"""The command: where it listens, its workers, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.scoring import Bundle, write_bundle
from nbrelapse.serving import check_address, server

PATIENCE = 60.0
"""Seconds to wait before the test fails: for a slow machine, not a measurement."""


@pytest.fixture(scope="module")
def folder(bundles: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(bundles["boosted"], tmp_path_factory.mktemp("serving") / "model")


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process of ``nbrelapse serve``, when it listens, and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = "from nbrelapse.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", str(folder), "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.endswith(f": http://127.0.0.1:{port}/\n"), line or process.communicate()[1]
        yield process, port
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def ask(port: int, path: str, document: Any = None) -> Any:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("POST" if document else "GET", path, json.dumps(document) if document else None)
        answer = connection.getresponse()
        content = answer.read().decode()
    assert answer.status == 200, content
    return content if path == "/metrics" else json.loads(content)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not listed.exists():
        pytest.skip("this system does not list the children of a process in /proc")
    return [int(child) for child in listed.read_text().split()]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def counted(port: int, name: str) -> float:
    return next(float(line.split()[1]) for line in ask(port, "/metrics").splitlines() if line.startswith(f"{name} "))


def test_workers_share_port_counters_and_load_and_are_started_again(folder: Path, patient: dict[str, Any]) -> None:
    with serving(folder, "--workers", "2", "--rate", "0") as (running, port):
        until(lambda: len(children(running.pid)) == 2)
        # A fork takes only its own thread along; the allocator's, of Arrow, knows how to follow.
        threads = [task.joinpath("comm").read_text() for task in Path(f"/proc/{running.pid}/task").iterdir()]
        assert len([name for name in threads if not name.startswith("jemalloc")]) == 1
        asked = {"patients": [patient]}
        answers = [ask(port, "/score", asked) for _ in range(20)]
        assert answers == [answers[0]] * 20
        assert counted(port, "nbrelapse_patients_total") == 20
        first = children(running.pid)
        os.kill(first[0], signal.SIGKILL)
        until(lambda: len(children(running.pid)) == 2 and first[0] not in children(running.pid))
        until(lambda: counted(port, "nbrelapse_worker_restarts_total") == 1)
        assert ask(port, "/score", asked) == answers[0]
        assert counted(port, "nbrelapse_patients_total") == 21
        workers = children(running.pid)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert "worker" in said
    assert said.endswith("interrupted\n")
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_sigterm_lets_running_requests_finish(folder: Path, patient: dict[str, Any]) -> None:
    with serving(folder, "--max-patients", "2000") as (running, port):
        ask(port, "/explain", {"patients": [patient]})
        found: list[Any] = []
        asked = {"patients": [patient] * 40}
        asking = threading.Thread(target=lambda: found.append(ask(port, "/explain", asked)))
        asking.start()
        time.sleep(0.3)
        assert not found
        running.terminate()
        asking.join(PATIENCE)
        _, said = running.communicate(timeout=PATIENCE)
    assert len(found[0]["patients"]) == 40
    assert running.returncode == 0
    assert "patient-0" not in said
    assert "POST /explain 200" in said
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_other_machines_are_not_let_in_without_a_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    for host in ("0.0.0.0", "::"):
        with pytest.raises(InputError, match="there is no token"):
            check_address(host)
    token.write_text("short\n")
    with pytest.raises(InputError, match="the token is not one") as refused:
        check_address("0.0.0.0", token_file=token)
    assert "short" not in str(refused.value)
    with pytest.raises(InputError, match="does not exist"):
        check_address(token_file=tmp_path / "absent")
    token.write_text("0123456789abcdef\n")
    address = check_address("0.0.0.0", 80, token)
    assert (address.token, address.hosts) == ("0123456789abcdef", None)
    assert "0123456789abcdef" not in repr(address)
    assert check_address("0.0.0.0", 80, token, ["Risk.example"]).hosts == (
        "127.0.0.1",
        "localhost",
        "::1",
        "risk.example",
    )


def test_loopback_needs_none(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        assert check_address(host).hosts == ("127.0.0.1", "localhost", "::1")
    assert check_address("::1", 8001).url == "http://[::1]:8001/"
    with pytest.raises(InputError, match="has no address"):
        check_address("no such host")


def test_workers_that_cannot_start_stop_the_server(bundles: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret")

    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        address = check_address(port=probe.getsockname()[1])
    monkeypatch.setattr(server, "_run", fail)
    with pytest.raises(NbRelapseError, match="end as soon as they are started"):
        server.serve(bundles["cox"], address, workers=2)


def test_a_port_in_use_is_refused(bundles: dict[str, Bundle]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = check_address(port=taken.getsockname()[1])
        with pytest.raises(InputError, match="cannot be opened: Address already in use"):
            server.serve(bundles["cox"], address)
