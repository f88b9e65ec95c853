"""A store that cannot be used is told in one message, before MLflow waits or changes it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nbrelapse.errors import InputError
from nbrelapse.tracking import ExperimentRecord, count_experiments, log_experiment, open_store, read_experiment
from nbrelapse.tracking._trouble import _reason
from nbrelapse.tracking.read import fetched_model
from nbrelapse.tracking.store import check_store


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def schema(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [name for (name,) in connection.execute("select sql from sqlite_master order by 1")]


@pytest.mark.parametrize(
    ("statements", "texts"),
    [
        # MLflow itself would bring this one up to date, unasked, because a table is missing.
        (
            ["update alembic_version set version_num = '0a8213491aaa'", "drop table budget_policies"],
            ["an earlier version of MLflow", "make a copy of it, then: mlflow db upgrade sqlite:///"],
        ),
        (
            ["update alembic_version set version_num = 'ffffffffffff'"],
            ["a later version of MLflow", "pip install --upgrade mlflow"],
        ),
        (["drop table alembic_version"], ["not one of MLflow", "it holds", "empty database"]),
        (["drop table experiments"], ["not one of MLflow"]),
    ],
    ids=["earlier", "later", "foreign", "half of one"],
)
def test_a_database_of_something_else_stays_as_it_is(store: Path, statements: list[str], texts: list[str]) -> None:
    database = store / "mlflow.db"
    change(database, *statements)
    before = schema(database)
    for asking in (open_store, check_store):
        with pytest.raises(InputError) as caught:
            asking()
        assert all(text in str(caught.value) for text in ["MLflow cannot open its store", *texts])
    assert schema(database) == before


@pytest.fixture
def unprivileged(_empty_database: Path) -> Iterator[Path]:
    """A store in a folder of nobody's; this process may do what nobody may, for root may write everywhere."""
    open_store_modules()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "mlflow.db").write_bytes(_empty_database.read_bytes())
        (folder / "mlflow.db").chmod(0o644)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        else:
            (folder / "mlflow.db").chmod(0o444)
            folder.chmod(0o555)
        try:
            yield folder
        finally:
            os.seteuid(0) if root else folder.chmod(0o755)


def open_store_modules() -> None:
    """Import what opening a store imports: the installation may not be nobody's to read."""
    import mlflow.store.tracking.sqlalchemy_store
    import sqlalchemy.dialects.sqlite

    assert mlflow
    assert sqlalchemy


def test_a_store_that_may_only_be_read_is_read_and_not_trained_into(
    unprivileged: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{unprivileged / 'mlflow.db'}")
    assert [found.name for found in open_store(create=False).search_experiments()] == ["Default"]
    with pytest.raises(InputError, match=r"the MLflow store cannot be written: Permission denied[^$]*MLFLOW_TRACKING"):
        check_store("new")
    assert capfd.readouterr().err == ""


def test_a_database_file_that_may_only_be_read(unprivileged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{unprivileged / 'mlflow.db'}")
    # The folder is no obstacle here: what MLflow's own write says is translated.
    monkeypatch.setattr("nbrelapse.tracking.store.check_writable", lambda *_: None)
    with pytest.raises(InputError, match=r"store cannot be written to: it can be read but not written to"):
        check_store("new")


def test_looking_leaves_nothing(store: Path) -> None:
    open_store().create_experiment("old")
    names = sorted(path.name for path in store.iterdir())
    for name in ("old", "new"):
        check_store(name)
    assert sorted(found.name for found in open_store().search_experiments()) == ["Default", "old"]
    assert sorted(path.name for path in store.iterdir()) == names


def test_without_a_store_its_folder_is_asked_and_none_is_made(no_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_store("new")
    assert not no_store.exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/none/mlflow.db")
    with pytest.raises(InputError, match="the MLflow store cannot be written"):
        check_store("new")


def test_a_deleted_experiment_is_told_before_the_work(store: Path) -> None:
    client = open_store()
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(InputError, match="mlflow experiments restore"):
        check_store("gone")


def test_several_first_users_of_a_store_make_it_once(no_store: Path) -> None:
    code = "from nbrelapse.tracking import open_store; open_store().create_experiment('{}')"
    started = [
        subprocess.Popen([sys.executable, "-c", code.format(name)], stderr=subprocess.PIPE, text=True) for name in "ab"
    ]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 2
    assert sorted(found.name for found in open_store().search_experiments()) == ["Default", "a", "b"]


Server = Callable[[int, str], str]


@pytest.fixture
def server(no_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Something that answers as one likes: ``server(status, body)`` is the store from then on."""
    answer = {"status": 200, "body": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(int(answer["status"]))
            self.end_headers()
            self.wfile.write(str(answer["body"]).encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    address = f"http://127.0.0.1:{serving.server_address[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def become(status: int, body: str) -> str:
        answer.update(status=status, body=body)
        return address

    yield become
    serving.shutdown()
    thread.join()
    serving.server_close()


def refusal(code: str) -> str:
    return json.dumps({"error_code": code, "message": "Permission denied"})


@pytest.mark.parametrize(
    ("status", "body", "user", "texts"),
    [
        (401, "You are not authenticated.", "", ["the server asks who you are", "MLFLOW_TRACKING_USERNAME"]),
        (401, "You are not authenticated.", "anna", ["does not know 'anna' with this password"]),
        (403, refusal("PERMISSION_DENIED"), "anna", ["the user 'anna' may not do this", "READ to compare"]),
        (403, "Forbidden", "", ["you may not do this"]),
        (404, "Not found", "", ["it is not MLflow's", "MLFLOW_TRACKING_URI"]),
        (200, "<html>A login page</html>", "", ["it is not MLflow's"]),
        (503, "", "", ["the server is in trouble"]),
    ],
)
def test_a_server_that_refuses(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int, body: str, user: str, texts: list[str]
) -> None:
    address = server(status, body)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", user)
    asked: list[Callable[[], object]] = [
        open_store,
        lambda: check_store("new"),
        lambda: read_experiment("new"),
        lambda: fetched_model("models:/m-0123").__enter__(),
    ]
    for asking in asked:
        with pytest.raises(InputError) as caught:
            asking()
        assert all(text in str(caught.value) for text in ["MLflow cannot open its store", address, *texts])


def test_what_a_server_refuses_later_is_told_as_well(
    server: Server, monkeypatch: pytest.MonkeyPatch, record: Callable[..., ExperimentRecord]
) -> None:
    """The right to look is there, the right to change is not."""
    monkeypatch.setattr("nbrelapse.tracking.store._look_at_server", lambda _: None)
    server(403, refusal("PERMISSION_DENIED"))
    asked: list[Callable[[], object]] = [
        lambda: check_store("new"),
        lambda: log_experiment(record()),
        lambda: count_experiments("tag", "value"),
        lambda: fetched_model("models:/m-0123").__enter__(),
    ]
    for asking in asked:
        with pytest.raises(InputError, match=r"may not do this on the server[^$]*EDIT or MANAGE to train"):
            asking()


def test_a_server_that_is_away_is_given_up_soon(no_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:secret@127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(InputError, match="the server does not answer") as caught:
        open_store()
    assert time.monotonic() - started < 30
    assert "secret" not in str(caught.value)
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"


def test_a_missing_driver_is_named_with_its_extra(no_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://anna:secret@127.0.0.1:9/mlflow")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError) as caught:
        open_store()
    assert 'fix: pip install "nbrelapse[postgres]"' in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_server_that_is_away_is_not_asked_for_minutes(
    no_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgres://anna:secret@127.0.0.1:9/mlflow")
    started = time.monotonic()
    with pytest.raises(InputError, match="the database does not answer"):
        open_store()
    assert time.monotonic() - started < 20


def test_what_is_no_trouble_of_a_store_stays_what_it_is() -> None:
    assert _reason(KeyError("x")) is None
    assert _reason(InputError("x")) is None
    assert _reason(ModuleNotFoundError("No module named 'pandas'", name="pandas")) is None
