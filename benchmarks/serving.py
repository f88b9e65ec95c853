"""Requests a second of `nbrelapse serve` beside `mlflow models serve`, and patients a second of one batch.

Both serve models/quickstart (linear, a hundred refits) in one process, in the same run, side by side, on loopback; each
request is one patient by feature, all features given, and has the whole score with its bands for an answer. Rounds of
both alternate; 1 client and 16 clients, each with one connection. The clients share the machine with the servers.

Offline: features of 10,000 patients in, scores with bands, mechanisms and warnings out, in seconds of one process.
Features are not built of raw tables, and no file is written.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd

from _document import main
from nbrelapse.mechanisms import build_features
from nbrelapse.scoring import Bundle, load_model
from nbrelapse.scoring.scores import _score_features
from nbrelapse.simulation import simulate_cohort

MODEL = Path(__file__).parents[1] / "models" / "quickstart"
SECONDS, ROUNDS = 3.0, 3
PATIENTS = 10_000


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[None]:
    """Start a server and wait for its /health."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # MLflow runs uvicorn by its name
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not healthy(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"no answer from {' '.join(command[:6])}")
            time.sleep(0.2)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def healthy(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def load(port: int, path: str, body: bytes, clients: int) -> np.ndarray:
    """Seconds of each request that clients made one after the other, for a while."""
    found: list[float] = []
    until = time.perf_counter() + SECONDS

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while (start := time.perf_counter()) < until:
            connection.request("POST", path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{path} answers {answer.status}: {content[:200]!r}")
            found.append(time.perf_counter() - start)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return np.array(found)


def served(row: dict[str, float | None]) -> list[dict[str, object]]:
    ours, theirs = free_port(), free_port()
    code = "from nbrelapse.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", str(MODEL), "--port", str(ours), "--rate", "0"]
    mlflow = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(MODEL), "--env-manager", "local"]
    mlflow += ["--host", "127.0.0.1", "--port", str(theirs)]
    bodies = {
        "nbrelapse": (ours, "/score", json.dumps({"patients": [{"features": row}]}).encode()),
        "mlflow": (theirs, "/invocations", json.dumps({"dataframe_records": [row]}).encode()),
    }
    results: list[dict[str, object]] = []
    with running(command, ours), running(mlflow, theirs):
        for name, (port, path, body) in bodies.items():  # the first requests load what is loaded late
            for _ in range(3):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("POST", path, body, {"content-type": "application/json"})
                assert connection.getresponse().read(), name
        for clients in (1, 16):
            seconds: dict[str, list[np.ndarray]] = {name: [] for name in bodies}
            for _ in range(ROUNDS):
                for name, request in bodies.items():
                    seconds[name].append(load(*request, clients))
            rates = {name: statistics.median(len(one) / SECONDS for one in rounds) for name, rounds in seconds.items()}
            for name, rounds in seconds.items():
                together = np.concatenate(rounds)
                results.append({"name": f"{name}_{clients}_clients_requests_a_second", "value": rates[name]})
                for percent in (50, 99):
                    value = float(np.percentile(together, percent)) * 1000
                    results.append({"name": f"{name}_{clients}_clients_p{percent}_ms", "value": value})
            ratio = rates["nbrelapse"] / rates["mlflow"]
            results.append({"name": f"ratio_{clients}_clients", "value": ratio, "goal": 5.0, "met": ratio >= 5})
    return results


def offline(bundle: Bundle, X: pd.DataFrame) -> list[dict[str, object]]:
    many = pd.concat([X] * (PATIENTS // len(X) + 1), ignore_index=True).iloc[:PATIENTS]
    seconds, processor = [], []
    for _ in range(5):
        start, worked = time.perf_counter(), time.process_time()
        _score_features(bundle, many)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - worked)
    rate = PATIENTS / min(seconds)
    return [
        {"name": "offline_patients_a_second", "value": rate, "goal": 20_000, "met": rate >= 20_000},
        {"name": "offline_patients_a_processor_second", "value": PATIENTS / statistics.median(processor)},
    ]


def serving() -> list[dict[str, object]]:
    bundle = load_model(MODEL)
    X = build_features(simulate_cohort(500, seed=12), bundle.catalogue, bundle.gene_sets).values
    X = X[list(bundle.schema.index)]
    complete = X.loc[X.notna().sum(axis=1).idxmax()]
    row = {str(name): None if np.isnan(value) else float(value) for name, value in complete.items()}
    return [*offline(bundle, X), *served(row)]


if __name__ == "__main__":
    main("serving", serving)
