"""``nbrelapse doctor``: what is well, what is wrong, and what is never told."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from nbrelapse.experiment import health
from nbrelapse.tracking._process import _this_process

SECRET = "canary7"


def states(document: Any) -> dict[str, str]:
    return {found["subject"]: found["state"] for found in document["findings"]}


@pytest.fixture
def no_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test is tested once."""
    monkeypatch.setattr(health, "_concordance", lambda: 0.7)


def test_all_is_well_on_one_screen(study: Any, nbrelapse: Callable[..., Any], names: Callable[[Path], Any]) -> None:
    before = names(study.folder)
    found = nbrelapse("doctor", "--json")
    assert (found.code, found.err) == (0, "")
    assert found.document["healthy"] is True
    said = states(found.document)
    assert {said[name] for name in ("nbrelapse", "libraries", "store", "runs", "self-test")} == {"fine"}
    assert all(item["fix"] for item in found.document["findings"] if item["state"] != "fine")
    text = nbrelapse("doctor")
    assert text.code == 0 and text.out.count("\n") <= 24
    assert "90 patients" in text.out and "SIM-" not in text.out
    assert names(study.folder) == before


@pytest.mark.usefixtures("no_computation")
def test_without_a_store_none_is_made(empty: Path, nbrelapse: Callable[..., Any]) -> None:
    found = nbrelapse("doctor", "--json")
    assert found.code == 0
    assert states(found.document)["store"] == "note"
    assert list(empty.iterdir()) == []


@pytest.mark.usefixtures("no_computation")
def test_a_damaged_store_is_wrong_and_has_its_fix(empty: Path, nbrelapse: Callable[..., Any]) -> None:
    (empty / "mlruns").mkdir()
    (empty / "mlruns" / "mlflow.db").write_bytes(b"no database" * 999)
    found = nbrelapse("doctor")
    assert found.code == 1
    assert "wrong store: " in found.out and "no SQLite database" in found.out
    assert "fix: check MLFLOW_TRACKING_URI" in found.out


@pytest.mark.usefixtures("no_computation")
@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://anna:{SECRET}@127.0.0.1:9/mlflow",
        f"postgresql://anna:p@{SECRET}@127.0.0.1:9/mlflow",
        f"postgresql://anna:p/{SECRET}@127.0.0.1:9/mlflow",
        f"postgresql://anna@127.0.0.1:9/mlflow?password={SECRET}",
        f"http://anna:{SECRET}@127.0.0.1:9",
        f"http://{SECRET}@127.0.0.1:9",
        f"unknown://anna:{SECRET}@127.0.0.1:9",
    ],
)
def test_no_password_is_told(
    address: str, empty: Path, nbrelapse: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    found = nbrelapse("doctor", "--json")
    assert found.code == 1
    assert states(found.document)["store"] == "wrong"
    assert SECRET not in found.out + found.err


@pytest.mark.usefixtures("no_computation")
def test_runs_that_never_ended_are_told_and_left(
    empty: Path, _empty_database: Path, nbrelapse: Callable[..., Any]
) -> None:
    (empty / "mlruns").mkdir()
    shutil.copyfile(_empty_database, empty / "mlruns" / "mlflow.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{empty / 'mlruns' / 'mlflow.db'}")
    experiment = client.create_experiment("mine", artifact_location=str(empty / "artifacts"))
    now = int(time.time() * 1000)
    old = client.create_run(experiment, start_time=now - 3 * 86_400_000).info.run_id
    young = client.create_run(experiment, start_time=now).info.run_id
    ended = client.create_run(experiment, start_time=now - 3 * 86_400_000).info.run_id
    client.set_terminated(ended)
    process = str(_this_process())
    host, boot, pid, start = process.split(" ")
    gone = f"{host} {boot} {pid} {int(start) - 1}"
    alive, killed = (
        client.create_run(experiment, start_time=now - 3 * 86_400_000, tags={"nbrelapse.process": name}).info.run_id
        for name in (process, gone)
    )
    found = nbrelapse("doctor")
    assert found.code == 0
    assert f"note  runs: 1 not ended after a day, the oldest {old}" in found.out
    assert f"note  runs: 1 of processes that are gone, the oldest {killed}" in found.out
    assert alive not in found.out
    assert young not in found.out and ended not in found.out
    assert client.get_run(old).info.status == "RUNNING"


@pytest.mark.parametrize("broken", [lambda: 1 / 0, lambda: float("nan")])
def test_a_computation_that_fails_is_wrong(
    broken: Callable[[], float], empty: Path, nbrelapse: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_concordance", broken)
    found = nbrelapse("doctor", "--json")
    assert found.code == 1
    assert states(found.document)["self-test"] == "wrong"
    assert "Traceback" not in found.out + found.err


@pytest.mark.usefixtures("no_computation")
def test_a_full_disk_is_wrong(empty: Path, nbrelapse: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LEAST_FREE", 1e12)
    found = nbrelapse("doctor", "--json")
    assert found.code == 1
    assert states(found.document)["disk of this folder"] == "wrong"
