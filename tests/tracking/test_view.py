"""The link and the page behind it, in a real browser with a fresh profile."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from nbrelapse.errors import InputError
from nbrelapse.tracking import ExperimentRecord, comparison_link, log_experiment, models_link, open_store
from nbrelapse.tracking.view import _VIEW_TAG

Record = Callable[..., ExperimentRecord]
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-quic",
    "--virtual-time-budget=20000", "--window-size=1800,1000", "--dump-dom",
)  # fmt: skip
OF_THE_BROWSER = rb"^\w+ (http://)?[\w-]+\.(google|googleapis)\.com[:/]"
"""What Chromium asks for itself, whatever the page."""
PATIENCE = 120.0
"""Seconds to wait before the test fails: for a slow machine, not a measurement."""


def test_the_link_names_the_view_of_the_experiment(store: Path, record: Record) -> None:
    log_experiment(record(models=()))
    log_experiment(record(name="another", models=()))
    number = open_store().get_experiment_by_name("small").experiment_id
    query = "workflowType=machine_learning&viewStateShareKey=nbrelapse"
    assert models_link("small", port=5001) == f"http://127.0.0.1:5001/#/experiments/{number}/runs?{query}"
    last = open_store().get_experiment_by_name("another").experiment_id
    assert models_link() == f"http://127.0.0.1:5000/#/experiments/{last}/runs?{query}"


def test_an_experiment_of_an_earlier_version_has_no_view(store: Path, record: Record) -> None:
    log_experiment(record(models=()))
    client = open_store()
    client.delete_experiment_tag(client.get_experiment_by_name("small").experiment_id, _VIEW_TAG)
    assert "viewStateShareKey" not in models_link("small")
    assert "searchFilter=tags.%60nbrelapse.kind%60+%3D+%27model%27" in models_link("small")


def test_a_store_without_an_experiment_lists_experiments(store: Path) -> None:
    open_store()
    assert models_link() == "http://127.0.0.1:5000/#/experiments"
    with pytest.raises(InputError, match="no experiment named 'nothing'"):
        models_link("nothing")


def test_several_experiments_open_the_comparison_of_their_chosen_models(store: Path, record: Record) -> None:
    log_experiment(record(models=record().models[:1] + record().models[2:]))
    log_experiment(record(name="another", models=record().models[:1] + record().models[2:]))
    client = open_store()
    numbers = [client.get_experiment_by_name(name).experiment_id for name in ("small", "another")]
    runs = [
        run.info.run_id for number in numbers for run in client.search_runs([number], "tags.`nbrelapse.model` = 'cox'")
    ]
    address, query = comparison_link(["small", "another"], port=5001).split("?")
    assert address == "http://127.0.0.1:5001/#/compare-runs"
    assert parse_qs(query) == {"runs": [json.dumps(runs)], "experiments": [json.dumps(numbers)]}


def test_what_cannot_be_compared_is_named(store: Path, record: Record) -> None:
    log_experiment(record(models=()))
    open_store().create_experiment("begun")
    with pytest.raises(InputError, match="the experiment 'begun' has no finished run"):
        comparison_link(["begun", "small"])
    with pytest.raises(InputError, match="no experiment named 'nothing'"):
        comparison_link(["nothing", "small"])
    with pytest.raises(InputError, match="the last run of the experiment 'small' has lost its chosen model"):
        comparison_link(["small", "begun"])


@contextmanager
def dead_proxy() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a proxy that passes nothing on, and what it was asked."""
    asked: list[bytes] = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def refuse() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(200))

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextmanager
def page(proxy: str) -> Iterator[str]:
    """The link that ``nbrelapse ui`` prints when it serves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from nbrelapse.cli import main; main()", "ui", "small", "--port", str(port)]
    proxies = {name: proxy for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
    environment = os.environ | proxies | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    ui = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert ui.stdout is not None
        said = "The models, best first: "
        line = next(line for line in ui.stdout if line.startswith(said))
        assert line.startswith(f"{said}http://127.0.0.1:{port}/#/experiments/")
        yield line.removeprefix(said).strip()
    finally:
        ui.send_signal(signal.SIGTERM)
        ui.communicate(timeout=PATIENCE)


def cells(dom: str) -> list[dict[str, str]]:
    """The rows of the table that the page shows, by column, from the top."""
    rows: dict[int, dict[str, str]] = {}
    row, column = -1, ""
    for number, name, text in re.findall(r'row-index="(\d+)"|col-id="([^"]+)"|>([^<>]+)<', dom):
        row = int(number) if number else row
        column = name or column
        if text.strip() and row >= 0 and column:
            rows.setdefault(row, {})[column] = text.strip()  # the last: a colour may stand before a name
    return [rows[number] for number in sorted(rows)]


@pytest.mark.slow
def test_the_page_lists_the_models_best_first_and_tells_nobody(store: Path, record: Record, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed: apt-get install chromium")
    log_experiment(record())
    with dead_proxy() as (other, asked_by_page), dead_proxy() as (proxy, asked_by_server), page(proxy) as link:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [browser, *QUIET, profile, f"--proxy-server={other}", link]
        deadline = time.monotonic() + PATIENCE
        found: list[dict[str, str]] = []
        while not found and time.monotonic() < deadline:
            dom = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stdout
            found = cells(dom)
    shown = [
        tuple(row.get(name) for name in ("attributes.`Run Name`", "metrics.`c`", "metrics.`c.low`", "metrics.`c.high`"))
        for row in found
    ]
    assert shown == [("cox", "0.71", "0.65", "0.77"), ("clinical_cox", "0.7", "-", "-"), ("boosted", "0.68", "-", "-")]
    assert found[0]["metrics.`c.minus_baseline`"] == "0.01"
    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", dom, flags=re.DOTALL)
    assert "Model training" in text
    assert "A small experiment." in text
    assert "[data-assistant-ui] { display: none !important; }" in dom
    assert asked_by_server == []
    assert [request for request in asked_by_page if not re.search(OF_THE_BROWSER, request)] == []
