"""Look at a store before MLflow does: MLflow waits for minutes, and changes databases that are not for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nbrelapse.errors import InputError
from nbrelapse.tracking._trouble import _shown

if TYPE_CHECKING:
    from sqlalchemy import Engine

_CANNOT_OPEN = "MLflow cannot open its store"


@contextmanager
def _alone(uri: str, database: Path | None) -> Iterator[None]:
    """Let one process at a time open a database, because the first one makes its tables.

    Parameters
    ----------
    uri : str
    database : path or None
        The file, where it is SQLite.
    """
    with ExitStack() as stack:
        if database is not None:
            with suppress(ImportError, OSError):  # Windows, a file system without locks
                import fcntl

                folder = os.open(database.parent, os.O_RDONLY)
                stack.callback(os.close, folder)
                fcntl.flock(folder, fcntl.LOCK_EX)
        elif uri.startswith("postgresql"):
            from sqlalchemy import text

            waiting = stack.enter_context(_engine(uri).connect())
            waiting.execute(text("select pg_advisory_xact_lock(hashtext('nbrelapse opens a store'))"))
        yield


def _engine(uri: str) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    wait = {"connect_timeout": _FIRST_PATIENCE} if uri.startswith("postgresql") else {}
    return create_engine(uri, poolclass=NullPool, connect_args=wait)


def _look_at_server(uri: str) -> None:
    """Ask a server for an experiment, with less patience than for what comes after."""
    from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request, verify_rest_response

    patience = MLFLOW_HTTP_REQUEST_TIMEOUT.get()
    patience = _FIRST_PATIENCE if patience == _PATIENCE else patience
    address = "/api/2.0/mlflow/experiments/search"
    response = http_request(get_default_host_creds(uri), address, "GET", params={"max_results": 1}, timeout=patience)
    verify_rest_response(response, address)


_PATIENCE, _FIRST_PATIENCE, _RETRIES = 60, 10, 2
"""Seconds that a server may take to answer, at all and at the first question, and how often it is asked again.
A choice; with MLflow's own 120 and 7 a quarter of an hour goes by."""


def _look_at_database(uri: str) -> None:
    """Refuse a database that MLflow would change: one of something else, or of another version of MLflow.

    Of an earlier version MLflow brings it up to date, unasked, where tables are missing; that is for whoever has a
    copy of it.
    """
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from mlflow.store.db.db_types import DATABASE_ENGINES
    from sqlalchemy import inspect

    if re.split(r"[:+]", uri)[0] not in DATABASE_ENGINES:
        return
    with _engine(uri).connect() as connection:
        tables = set(inspect(connection).get_table_names())
        revision = MigrationContext.configure(connection).get_current_revision()
    if not tables:
        return
    if revision is None or "experiments" not in tables:
        raise InputError(
            f"{_CANNOT_OPEN}: the database is not one of MLflow, it holds {', '.join(sorted(tables)[:3])}",
            file=_shown(uri),
            fix="check MLFLOW_TRACKING_URI; a new store wants an empty database",
        )
    steps = ScriptDirectory(str(resources.files("mlflow.store.db_migrations")))
    if revision in steps.get_heads():
        return
    if any(step.revision == revision for step in steps.walk_revisions()):
        raise InputError(
            f"{_CANNOT_OPEN}: it was made by an earlier version of MLflow",
            file=_shown(uri),
            fix=f"make a copy of it, then: mlflow db upgrade {_shown(uri)}",
        )
    raise InputError(
        f"{_CANNOT_OPEN}: it was made by a later version of MLflow",
        file=_shown(uri),
        fix="pip install --upgrade mlflow",
    )
