"""Where runs and models are kept, and MLflow's own page to look at them."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nbrelapse.errors import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

_DEFAULT_FOLDER = Path("mlruns")
_CHATTY = ("alembic", "mlflow.store.db.utils")
"""Loggers that tell of each step of creating the database."""


def store_uri(*, create: bool = True) -> str:
    """Address of the current MLflow store.

    That is the one that ``mlflow.set_tracking_uri`` has set, else ``MLFLOW_TRACKING_URI``, else a SQLite database,
    ``mlruns/mlflow.db`` below the working directory. Nothing global changes, but for :func:`_hush_mlflow`.

    Parameters
    ----------
    create : bool
        Make the folder of a SQLite store that is not there yet; MLflow makes the database on first use, which takes
        some seconds.

    Raises
    ------
    InputError
        There is no store and ``create`` is False, or its folder cannot be made.
    """
    _hush_mlflow()
    loaded = sys.modules.get("mlflow")
    if loaded is not None and loaded.tracking.is_tracking_uri_set():
        uri = str(loaded.get_tracking_uri())
    else:
        uri = os.environ.get("MLFLOW_TRACKING_URI") or _default_uri()
    database = _database_file(uri)
    if database is not None and not database.exists():
        if not create:
            raise InputError(
                "there is no MLflow store yet",
                file=database,
                fix="train first (nbrelapse quickstart), run the command where mlruns/ is, or set MLFLOW_TRACKING_URI",
            )
        try:
            database.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"the MLflow store cannot be made: {error.strerror}", file=database) from None
    return uri


def open_store(*, create: bool = True) -> MlflowClient:
    """Return a client of the current store; see :func:`store_uri`.

    Raises
    ------
    InputError
        There is no store and ``create`` is False, or MLflow cannot open it.
    """
    uri = store_uri(create=create)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # MLflow sets the level of its own loggers when it is imported.
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError) as error:
        raise InputError(
            f"MLflow cannot open its store: {_first_line(error)}",
            file=_without_password(uri),
            fix="check MLFLOW_TRACKING_URI, and that the server is reachable",
        ) from None
    return client


@contextmanager
def _asking(client: MlflowClient, task: str, instead: str = "") -> Iterator[None]:
    """Turn what MLflow answers to a request that it does not fulfil into an InputError.

    Parameters
    ----------
    client : MlflowClient
    task : str
        What is not done then, as a sentence: "the model cannot be registered".
    instead : str
        What the user can do without it.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        denied = getattr(error, "error_code", None) in ("PERMISSION_DENIED", "UNAUTHENTICATED")
        fix = "ask whoever runs the server for the right to do it" if denied else "check that the store can be written"
        raise InputError(
            f"{task}: {_first_line(error)}", file=_without_password(client.tracking_uri), fix=fix
        ) from None
    except OSError as error:
        raise InputError(f"{task}: {error.strerror or error}", file=error.filename) from None


@contextmanager
def _undoing() -> Iterator[Callable[..., None]]:
    """Give a function that takes what would undo a step; all is undone, the last first, where a later step fails.

    What cannot be undone hides no reason.
    """
    steps: list[Callable[[], object]] = []
    try:
        yield lambda undo, *arguments: steps.append(partial(undo, *arguments))
    except BaseException:
        for step in reversed(steps):
            with suppress(Exception):
                step()
        raise


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _without_password(uri: str) -> str:
    """Return the address of a store without what stands before the ``@``.

    Examples
    --------
    >>> _without_password("postgresql://ada:secret@db.example.org/mlflow")
    'postgresql://db.example.org/mlflow'
    """
    return re.sub(r"(?<=://)[^/@]*@", "", uri)


def has_store() -> bool:
    """Say whether there is a store to record in: the database in use is there, or one elsewhere was named.

    Nothing is asked of a server.
    """
    try:
        store_uri(create=False)
    except InputError:
        return False
    return True


def check_store() -> None:
    """Refuse a store that is there and cannot be used, before the work whose results it is to keep.

    Raises
    ------
    InputError
        MLflow cannot open it, or its database cannot be written. A SQLite store that is not there yet is made when it
        is needed.
    """
    if not has_store():
        return
    database = _database_file(store_uri())
    if database is not None and not os.access(database, os.W_OK):
        raise InputError("the MLflow store cannot be written", file=database, fix="set MLFLOW_TRACKING_URI to another")
    open_store()


def _experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of an experiment, made if it is new; a SQLite store keeps the artifacts beside the database.

    Raises
    ------
    InputError
        An experiment of that name was deleted, and MLflow keeps the name.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        database = _database_file(client.tracking_uri)
        location = None if database is None else (database.resolve().parent / "artifacts").as_uri()
        return str(client.create_experiment(name, artifact_location=location))
    if found.lifecycle_stage != "active":
        raise InputError(
            f"the experiment {name!r} was deleted in MLflow, which keeps its name",
            fix=f"rename the experiment, or restore it: mlflow experiments restore -x {found.experiment_id}",
        )
    return str(found.experiment_id)


def _find_experiment(client: MlflowClient, name: str) -> Experiment:
    """Return an experiment of the store.

    Raises
    ------
    InputError
        The store has none of that name.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        names = sorted(item.name for item in client.search_experiments() if item.name != "Default")
        known = ", ".join(names) or "none yet"
        raise InputError(f"the store has no experiment named {name!r}", expected=f"one of its experiments: {known}")
    return found


def _server(uri: str) -> str | None:
    """Return the address of a store that is a server, with a page of its own; None for any other.

    Examples
    --------
    >>> _server("https://mlflow.example.org/"), _server("sqlite:////data/mlflow.db")
    ('https://mlflow.example.org', None)
    """
    return uri.rstrip("/") if uri.startswith(("http://", "https://")) else None


def _hush_mlflow() -> None:
    """Switch off MLflow's usage telemetry and progress bars, and its minutes of retries with a server out of reach.

    The user's environment has the last word. MLflow reads the first when it is imported.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # it would stand before a JSON document


def _default_uri(folder: Path = _DEFAULT_FOLDER) -> str:
    """URI of the SQLite store in a folder."""
    return f"sqlite:///{folder.resolve() / 'mlflow.db'}"


def _database_file(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for any other.

    Examples
    --------
    >>> _database_file("sqlite:////data/mlflow.db").name
    'mlflow.db'
    >>> _database_file("https://mlflow.example.org") is None
    True
    """
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


_APP = "nbrelapse"
"""Of the entry points ``mlflow.app``: ``_page.py``."""

_GRACE = 5.0
"""Seconds in which a server may end by itself before it is killed. A choice."""


def serve(port: int, ready: Callable[[], None] = lambda: None) -> int | None:
    """Serve the page of a SQLite store on the loopback address until a signal ends it.

    It tells nobody, and has no assistant (see ``_page.py``).

    SIGINT (Ctrl-C), SIGTERM and SIGHUP (a closed terminal, unless ``nohup`` ignores it) end the server with all that it
    has started, from the first moment on; the port is free afterwards.

    Parameters
    ----------
    port : int
    ready : callable
        Called once, when the page answers.

    Returns
    -------
    int or None
        The signal that ended it; None where the server ended by itself.

    Raises
    ------
    InputError
        There is no store yet, the store is a server that has its own page, or the page cannot be served.
    """
    uri = store_uri(create=False)
    database = _database_file(uri)
    if _server(uri):
        raise InputError("the store is a server, with a page of its own", file=uri, fix="open that address")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--registry-store-uri", uri]
    if database is not None:
        command += ["--default-artifact-root", (database.resolve().parent / "artifacts").as_uri()]
    # A page for one person: one worker, and none of the jobs that a team's server runs in the background. MLflow itself
    # refuses requests that name another host.
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--app-name", _APP, "--uvicorn-opts", "--log-level warning"]
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    if not _is_free(port):
        raise InputError(f"port {port} is in use", column="--port", fix="name another port")
    with _signals() as received:
        # A session of its own: one signal reaches the server, its workers and what they start.
        server = subprocess.Popen(command, env=environment, start_new_session=True)
        answered = False
        try:
            while not received and server.poll() is None:
                time.sleep(0.1)
                if not answered and _answers(port):
                    answered = True
                    ready()
        finally:
            _end(server, port)
    if received:
        return received[0]
    if server.returncode:
        raise InputError(f"MLflow's server ended with code {server.returncode}", fix="name another port with --port")
    return None


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect the signals that ask for an end, instead of being ended by them: nothing is left half done."""
    received: list[int] = []
    # A shell ignores SIGINT for its background jobs, which one that is sent should end all the same.
    wanted = [signal.SIGINT, signal.SIGTERM]
    wanted += [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else []
    before = {one: signal.signal(one, lambda number, _: received.append(number)) for one in wanted}
    try:
        yield received
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _end(server: subprocess.Popen[bytes], port: int) -> None:
    """End a server and its session; what has not let go of the port after a grace is killed."""
    deadline = time.monotonic() + _GRACE
    _tell(server, signal.SIGTERM)
    while time.monotonic() < deadline and (server.poll() is None or not _is_free(port)):
        time.sleep(0.05)
    _tell(server, signal.SIGKILL)
    server.wait()


def _tell(server: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, number)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
