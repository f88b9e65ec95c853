"""Runs of processes that are gone are closed; nobody else's are touched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from nbrelapse.tracking import ExperimentRecord, close_abandoned, count_experiments, log_experiment, open_store
from nbrelapse.tracking._process import _boot, _host, _is_gone, _this_process
from nbrelapse.tracking.names import _PROCESS_TAG

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture(scope="module")
def killed() -> Iterator[str]:
    """A process that was killed and that nobody has waited for, as runs name it."""
    code = "from nbrelapse.tracking._process import _this_process; print(_this_process(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        name = process.stdout.readline().decode().strip()
        assert not _is_gone(name)
        process.kill()
        for _ in range(100):
            if _is_gone(name):
                break
            time.sleep(0.05)
        yield name
        process.wait()


@pytest.fixture
def client(store: Path) -> MlflowClient:
    return open_store()


def test_runs_and_models_of_a_killed_process_are_closed(client: MlflowClient, killed: str) -> None:
    experiment = client.create_experiment("mine")
    runs = [client.create_run(experiment, tags={_PROCESS_TAG: killed}).info.run_id for _ in range(3)]
    client.set_terminated(runs[2])
    model = client.create_logged_model(experiment, name="m", source_run_id=runs[1])
    ready = client.create_logged_model(experiment, name="n", source_run_id=runs[1])
    client.finalize_logged_model(ready.model_id, "READY")
    assert close_abandoned() == 2
    assert [client.get_run(run).info.status for run in runs] == ["KILLED", "KILLED", "FINISHED"]
    assert client.get_run(runs[0]).info.end_time is not None
    assert str(client.get_logged_model(model.model_id).status) == "FAILED"
    assert str(client.get_logged_model(ready.model_id).status) == "READY"
    assert close_abandoned() == 0


def test_runs_of_others_are_left(client: MlflowClient, killed: str) -> None:
    experiment = client.create_experiment("mine")
    mine = str(_this_process())
    host, boot, pid, start = killed.split(" ")
    others = {
        "alive": mine,
        "another machine": f"{'0' * 16} {boot} {pid} {start}",
        "not ours": "something else",
        "of this machine, of another version": f"{host} 1",
        "nothing said": "",
    }
    runs = [client.create_run(experiment, tags={_PROCESS_TAG: tag} if tag else {}) for tag in others.values()]
    assert close_abandoned() == 0
    assert {client.get_run(run.info.run_id).info.status for run in runs} == {"RUNNING"}


def test_a_process_is_known_by_its_start(killed: str) -> None:
    host, boot, pid, start = str(_this_process()).split(" ")
    assert (host, boot, int(pid)) == (_host(), _boot(), os.getpid())
    assert not _is_gone(f"{host} {boot} {pid} {start}")
    # Another process has its number now, or the machine was started anew.
    assert _is_gone(f"{host} {boot} {pid} {int(start) - 1}")
    assert _is_gone(f"{host} 00000000-0000 {pid} {start}")


def test_without_a_store_none_is_made(no_store: Path) -> None:
    assert close_abandoned() == 0
    assert not no_store.exists()


def test_every_run_says_its_process(store: Path, record: Callable[..., ExperimentRecord]) -> None:
    logged = log_experiment(record())
    client = open_store()
    runs = client.search_runs([client.get_run(logged.run_id).info.experiment_id])
    assert {run.data.tags[_PROCESS_TAG] for run in runs} == {_this_process()}
    assert not any(name in run.data.tags[_PROCESS_TAG] for run in runs for name in os.uname().nodename.split("\n"))


def test_a_killed_run_of_the_same_experiment_is_no_other_look_at_the_data(client: MlflowClient) -> None:
    own = {"experiment_file.sha256": "f1", "cohort.fingerprint": "c1"}
    experiment = client.create_experiment("mine")
    for status, tags in (
        ("KILLED", own),
        ("FINISHED", own),
        ("FAILED", own),
        ("KILLED", own | {"experiment_file.sha256": "f2"}),
        ("KILLED", {"cohort.fingerprint": "c1"}),
    ):
        run = client.create_run(experiment, tags={"nbrelapse.kind": "experiment", "t": "v", **tags})
        client.set_terminated(run.info.run_id, status=status)
    assert count_experiments("t", "v") == 5
    assert count_experiments("t", "v", own) == 4
    assert count_experiments("t", "v", {"cohort.fingerprint": "c1"}) == 5


def test_a_server_ends_with_its_command(tmp_path: Path) -> None:
    code = "import os, sys, time; from nbrelapse.tracking._process import _end_with, _this_process as name; "
    parent = f"{code}print(name(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        name = command.stdout.readline().decode().strip()
        child = f"{code}_end_with({name!r}); time.sleep(60)"
        server = subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(2)
        command.kill()
        assert server.wait(15) == -15
