"""Several trainings that record at once lose nothing; ``make team-test`` does the same with PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from nbrelapse.tracking import DatasetRecord, open_store
from nbrelapse.tracking._again import _repeated
from nbrelapse.tracking.log import _log_datasets
from nbrelapse.tracking.store import _experiment_id
from nbrelapse.tracking.view import _share_view

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "many_writers.py"


@pytest.mark.skipif(sys.platform == "win32", reason="the writers are forked")
def test_five_writers_of_a_store_that_does_not_exist_yet(no_store: Path) -> None:
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{no_store}/mlflow.db", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(BENCHMARK), "--named", "--few", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {result["name"]: result for result in json.loads(done.stdout)["results"]}
    assert all(result["met"] is not False for result in found.values())
    assert found["the store: runs of kind model"]["value"] == 15
    assert found["the store: metrics"]["value"] == found["the store: metrics"]["goal"] > 400


def test_those_who_begin_the_same_experiment_at_the_same_moment(store: Path) -> None:
    writers, dataset = 8, DatasetRecord("made-up", "f" * 64, 100, 50, ("mycn__amplified",))
    start = threading.Barrier(writers, timeout=20)

    def write(_: int) -> str:
        client = open_store()
        start.wait()
        experiment = _experiment_id(client, "shared")
        start.wait()
        _share_view(client, experiment)
        run = client.create_run(experiment)
        start.wait()
        _log_datasets(client, run, (dataset,), {})
        return str(experiment)

    with ThreadPoolExecutor(writers) as pool:
        assert len(set(pool.map(write, range(writers)))) == 1
    client = open_store()
    runs = client.search_runs([client.get_experiment_by_name("shared").experiment_id])
    assert [len(run.inputs.dataset_inputs) for run in runs] == [1] * writers


def refusing(*texts: str) -> tuple[Callable[[], str], list[str]]:
    left, asked = list(texts), []

    def call() -> str:
        asked.append("asked")
        if left:
            raise MlflowException(left.pop(0))
        return "done"

    return call, asked


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbrelapse.tracking._again.time.sleep", lambda _: None)


LOCKED = "(sqlite3.OperationalError) database is locked"
TAKEN = '(psycopg.errors.UniqueViolation) duplicate key value violates unique constraint "dataset_pk"'
LOST = "(psycopg.OperationalError) server closed the connection unexpectedly"


@pytest.mark.parametrize(
    ("texts", "twice", "calls", "done"),
    [
        ([LOCKED], False, 2, True),
        ([TAKEN, LOCKED], True, 3, True),
        ([LOST], True, 2, True),
        # Whether the first one was made nobody knows: a second would be one too many.
        ([LOST], False, 1, False),
        ([LOCKED] * 3, True, 3, False),
        (["Parameter penalty is already logged"], True, 1, False),
    ],
)
def test_what_is_asked_again(no_pause: None, texts: list[str], twice: bool, calls: int, done: bool) -> None:
    call, asked = refusing(*texts)
    if done:
        assert _repeated(call, twice=twice)() == "done"
    else:
        with pytest.raises(MlflowException):
            _repeated(call, twice=twice)()
    assert len(asked) == calls
