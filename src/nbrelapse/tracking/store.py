"""Where runs and models are kept, and MLflow's own page to look at them."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from nbrelapse.cohort.files import check_writable
from nbrelapse.errors import InputError
from nbrelapse.tracking._again import _persistent
from nbrelapse.tracking._opening import _CANNOT_OPEN, _PATIENCE, _RETRIES, _alone, _look_at_database, _look_at_server
from nbrelapse.tracking._process import _SERVED_FOR, _this_process
from nbrelapse.tracking._trouble import _told

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

_DEFAULT_FOLDER = Path("mlruns")
_Arguments = ParamSpec("_Arguments")
_Value = TypeVar("_Value")
_CHATTY = {"alembic": logging.WARNING, "mlflow.store.db.utils": logging.CRITICAL}
"""Loggers that tell of each step of creating the database, or print a traceback of what is raised as well."""


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
    uri = _address()
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


def _address() -> str:
    """Return the address of the current store, whether it is there or not."""
    _hush_mlflow()
    loaded = sys.modules.get("mlflow")
    if loaded is not None and loaded.tracking.is_tracking_uri_set():
        return _with_driver(str(loaded.get_tracking_uri()))
    return _with_driver(os.environ.get("MLFLOW_TRACKING_URI") or _default_uri())


def _with_driver(uri: str) -> str:
    """Name the driver of PostgreSQL that the extra ``postgres`` brings, unless the address names one.

    Examples
    --------
    >>> _with_driver("postgresql://db.example.org/mlflow")
    'postgresql+psycopg://db.example.org/mlflow'
    """
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", uri)


def open_store(*, create: bool = True) -> MlflowClient:
    """Return a client of the current store; see :func:`store_uri`.

    Raises
    ------
    InputError
        There is no store and ``create`` is False, or MLflow cannot open it: its server or database does not answer or
        wants another user, a driver is missing, it is no MLflow store, or one of another version of MLflow.
    """
    uri = store_uri(create=create)
    from mlflow import MlflowClient

    # MLflow sets the level of its own loggers when it is imported.
    for name, level in _CHATTY.items():
        logging.getLogger(name).setLevel(level)
    with _told(uri, _CANNOT_OPEN), _alone(uri, _database_file(uri)):
        if _server(uri):
            _look_at_server(uri)
        else:
            _look_at_database(uri)
        # Of a database this makes the tables.
        return _persistent(MlflowClient(tracking_uri=uri, registry_uri=uri))


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


def has_store() -> bool:
    """Say whether there is a store to record in: the database in use is there, or one elsewhere was named.

    Nothing is asked of a server.
    """
    try:
        store_uri(create=False)
    except InputError:
        return False
    return True


def _in_words(function: Callable[_Arguments, _Value]) -> Callable[_Arguments, _Value]:
    """Decorate a function that asks the current store: whatever MLflow refuses is one InputError."""

    @wraps(function)
    def told(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Value:
        with _told(_address()):
            return function(*arguments, **named)

    return told


def check_store(experiment: str | None = None) -> None:
    """Refuse a store that cannot be opened or written to, before the work whose results it is to keep.

    Nothing is left in it, and a SQLite store that is not there yet is not made.

    Parameters
    ----------
    experiment : str, optional
        The name that is to be recorded.

    Raises
    ------
    InputError
        It cannot be opened, the user has not the right to write to it, or the experiment was deleted.
    """
    uri = _address()
    database = _database_file(uri)
    # What is recorded is put together there.
    check_writable(tempfile.gettempdir(), "what is to be recorded", "name a folder with room in TMPDIR")
    if database is not None:
        # SQLite writes further files beside the database.
        for folder in (database.parent, database.parent / "artifacts"):
            check_writable(folder, "the MLflow store", "name another store in MLFLOW_TRACKING_URI")
        if not database.exists():
            return
    client = open_store()
    with _told(uri, "MLflow's store cannot be written to"):
        found = None if experiment is None else _known_experiment(client, experiment)
        if found is not None and found.tags and _server(uri):
            # As it is; a server asks for the right, whatever is written.
            client.set_experiment_tag(found.experiment_id, *next(iter(found.tags.items())))
        else:
            _try_to_create(client)


def _try_to_create(client: MlflowClient) -> None:
    """Ask for an experiment of a name that is taken: whoever may make one is told so, and none is made."""
    from mlflow.exceptions import MlflowException

    taken = client.search_experiments(max_results=1)
    try:
        if taken:
            client.create_experiment(taken[0].name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _known_experiment(client: MlflowClient, name: str) -> Experiment | None:
    """Return an experiment; None where the store has none of that name.

    Raises
    ------
    InputError
        An experiment of that name was deleted, and MLflow keeps the name.
    """
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage != "active":
        raise InputError(
            f"the experiment {name!r} was deleted in MLflow, which keeps its name",
            fix=f"rename the experiment, or restore it: mlflow experiments restore -x {found.experiment_id}",
        )
    return found


def _experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of an experiment, made if it is new; a SQLite store keeps the artifacts beside the database.

    Raises
    ------
    InputError
        An experiment of that name was deleted, and MLflow keeps the name.
    """
    from mlflow.exceptions import MlflowException

    found = _known_experiment(client, name)
    if found is not None:
        return str(found.experiment_id)
    database = _database_file(client.tracking_uri)
    location = None if database is None else (database.resolve().parent / "artifacts").as_uri()
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException as error:
        # Somebody else has made it since it was looked for.
        found = _known_experiment(client, name) if error.error_code == "RESOURCE_ALREADY_EXISTS" else None
        if found is None:
            raise
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


def store_is_server() -> bool:
    """Whether the current store is a server, which has a page of its own."""
    return _server(_address()) is not None


def _server(uri: str) -> str | None:
    """Return the address of a store that is a server, with a page of its own; None for any other.

    Examples
    --------
    >>> _server("https://mlflow.example.org/"), _server("sqlite:////data/mlflow.db")
    ('https://mlflow.example.org', None)

    A name and password are not part of it.

    >>> _server("https://anna:secret@mlflow.example.org")
    'https://mlflow.example.org'
    """
    return re.sub("//[^/@]*@", "//", uri.rstrip("/")) if uri.startswith(("http://", "https://")) else None


def _hush_mlflow() -> None:
    """Switch off MLflow's usage telemetry and progress bars, and its minutes of retries with a server out of reach.

    Files go through the server and never between here and its storage, which only the server need reach. The user's
    environment has the last word. MLflow reads the first when it is imported.
    """
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(_RETRIES),
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_PATIENCE),
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # it would stand before a JSON document
    }.items():
        os.environ.setdefault(name, value)


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

_NOT_THE_USERS = "ignore:starlette.middleware.wsgi is deprecated"
"""A warning to MLflow's developers, which its server writes twice before the link."""

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
    command = [sys.executable, "-m", "mlflow", "server"]
    if database is not None:
        command += ["--default-artifact-root", (database.resolve().parent / "artifacts").as_uri()]
    # A page for one person: one worker, and none of the jobs that a team's server runs in the background. MLflow itself
    # refuses requests that name another host.
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--app-name", _APP, "--uvicorn-opts", "--log-level warning"]
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": _NOT_THE_USERS, **os.environ}
    # Not in the command: everybody on this machine may read that, and an address may hold a password.
    environment |= {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_REGISTRY_STORE_URI": uri}
    process = _this_process()
    environment |= {} if process is None else {_SERVED_FOR: process}
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
