"""Find a saved model's folder, on disk or in MLflow."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nbrelapse.errors import InputError
from nbrelapse.tracking.store import hush_mlflow, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

_IN_STORE = re.compile(r"^(models|runs):/")
_ELSEWHERE = re.compile(r"^(mlflow-artifacts|file|s3|gs|wasbs?|https?):/")
_LEGAL = "models:/<name>@<alias>, models:/<name>/<version>, models:/m-<id> or runs:/<run id>/model"


@contextmanager
def fetched_model(model: str | Path) -> Iterator[Path]:
    """Give the local folder of a saved model; what was downloaded is removed afterwards.

    Parameters
    ----------
    model : str or path
        A folder; or ``models:/…`` or ``runs:/…``, looked for in the current store (:func:`store_uri`); or the address
        of a folder that MLflow can download from.

    Raises
    ------
    InputError
        There is nothing there.
    """
    text = str(model)
    if _IN_STORE.match(text) or _ELSEWHERE.match(text):
        with tempfile.TemporaryDirectory(prefix="nbrelapse-model-") as scratch:
            yield _download(text, scratch)
    elif Path(text).is_dir():
        yield Path(text)
    else:
        raise InputError("there is no such model", file=text, expected=f"a model folder, {_LEGAL}")


def _download(uri: str, scratch: str) -> Path:
    hush_mlflow()
    client = open_store(create=False) if _IN_STORE.match(uri) else None
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        location = uri if client is None else _location(client, uri)
        store = None if client is None else client.tracking_uri
        folder = Path(download_artifacts(artifact_uri=location, dst_path=scratch, tracking_uri=store))
    except (MlflowException, OSError) as error:
        raise InputError(
            f"MLflow has no model {uri}: {str(error).splitlines()[0]}",
            expected=_LEGAL,
            mend="check the address (nbrelapse compare shows the models of an experiment) and MLFLOW_TRACKING_URI",
        ) from None
    if not folder.is_dir():
        raise InputError(f"{uri} is a file, not a model", expected="the address of the model's folder")
    return folder


def _location(client: MlflowClient, uri: str) -> str:
    """Where the files of a ``models:/`` or ``runs:/`` address are; MLflow's own lookup wants a global store."""
    if logged := re.fullmatch(r"models:/(m-[0-9a-zA-Z]+)", uri):
        return str(client.get_logged_model(logged[1]).artifact_location)
    if alias := re.fullmatch(r"models:/([^/@]+)@([^/@]+)", uri):
        return _version(client, alias[1], str(client.get_model_version_by_alias(alias[1], alias[2]).version))
    if version := re.fullmatch(r"models:/([^/@]+)/(\d+)", uri):
        return _version(client, version[1], version[2])
    if in_run := re.fullmatch(r"runs:/([0-9a-zA-Z]+)/(.+)", uri):
        return _model_of_run(client, in_run[1], in_run[2].rstrip("/"))
    raise InputError(f"{uri} is no address of a model", expected=_LEGAL)


def _version(client: MlflowClient, name: str, version: str) -> str:
    source = str(client.get_model_version_download_uri(name, version))
    return _location(client, source) if _IN_STORE.match(source) else source


def _model_of_run(client: MlflowClient, run_id: str, name: str) -> str:
    run = client.get_run(run_id)
    for output in run.outputs.model_outputs if run.outputs else []:
        model = client.get_logged_model(output.model_id)
        if model.name == name:
            return str(model.artifact_location)
    if not client.list_artifacts(run_id, name):
        raise InputError(f"run {run_id} has no model {name!r}", mend="nbrelapse compare shows the models")
    return f"{run.info.artifact_uri}/{name}"
