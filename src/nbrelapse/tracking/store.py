"""Where runs are kept."""

from __future__ import annotations

import logging
import os
from pathlib import Path

DEFAULT_FOLDER = Path("mlruns")


def use_store(folder: Path = DEFAULT_FOLDER, *, create: bool = True) -> str:
    """Point MLflow at the tracking store and return its URI.

    ``MLFLOW_TRACKING_URI`` decides; without it the store is ``mlflow.db`` (SQLite) in ``folder``, with the artifacts
    beside it. MLflow's usage telemetry is switched off unless the user has set ``MLFLOW_DISABLE_TELEMETRY``.

    Parameters
    ----------
    folder : path
        Of the default store.
    create : bool
        Make the folder of the default store.

    Returns
    -------
    str
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Creating the database logs each of its migrations.
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    import mlflow

    uri = os.environ.get("MLFLOW_TRACKING_URI") or default_uri(folder)
    if create and uri == default_uri(folder):
        folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(uri)
    return uri


def default_uri(folder: Path = DEFAULT_FOLDER) -> str:
    """URI of the SQLite store in a folder."""
    return f"sqlite:///{folder.resolve() / 'mlflow.db'}"


def experiment_id(name: str, folder: Path = DEFAULT_FOLDER) -> str:
    """Return the id of an experiment, made if it is new; in the default store with its artifacts in ``folder``."""
    import mlflow

    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    own = mlflow.get_tracking_uri() == default_uri(folder)
    location = (folder.resolve() / "artifacts").as_uri() if own else None
    return str(mlflow.create_experiment(name, artifact_location=location))
