"""Where runs are kept."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from nbrelapse.errors import InputError

DEFAULT_FOLDER = Path("mlruns")
_CHATTY = ("alembic", "mlflow.store.db.utils", "mlflow.tracking.fluent")
"""Loggers that tell of each step of creating a database and of each new experiment."""


def use_store(*, create: bool = True) -> str:
    """Point MLflow at the tracking store and return its URI.

    The store is the one that ``mlflow.set_tracking_uri`` has set, else that of ``MLFLOW_TRACKING_URI``, else
    ``mlruns/mlflow.db`` (SQLite) below the working directory, with the artifacts beside it. MLflow's usage telemetry
    is switched off unless the user has set ``MLFLOW_DISABLE_TELEMETRY``.

    Parameters
    ----------
    create : bool
        Make a SQLite store that is not there yet.

    Returns
    -------
    str

    Raises
    ------
    InputError
        There is no store, and ``create`` is False; or its folder cannot be made.

    Notes
    -----
    Making the database takes some seconds, once: MLflow applies all its migrations one after the other.
    """
    loaded = sys.modules.get("mlflow")
    if loaded is not None and loaded.tracking.is_tracking_uri_set():
        uri = str(loaded.get_tracking_uri())
    else:
        uri = os.environ.get("MLFLOW_TRACKING_URI") or default_uri()
    file = database_file(uri)
    if file is not None and not file.exists():
        _require(file, create)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    return uri


def default_uri(folder: Path = DEFAULT_FOLDER) -> str:
    """URI of the SQLite store in a folder."""
    return f"sqlite:///{folder.resolve() / 'mlflow.db'}"


def database_file(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for any other.

    Examples
    --------
    >>> database_file("sqlite:////data/mlflow.db").name, database_file("https://mlflow.example.org")
    ('mlflow.db', None)
    """
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None
