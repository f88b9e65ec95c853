"""Find a saved model's folder, on disk or in MLflow."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbrelapse.errors import InputError
from nbrelapse.tracking.store import open_store

_URI = re.compile(r"^(models|runs|mlflow-artifacts|file|s3|gs|wasbs?|https?):/")


@contextmanager
def fetched_model(model: str | Path) -> Iterator[Path]:
    """Give the local folder of a saved model; what was downloaded is removed afterwards.

    Parameters
    ----------
    model : str or path
        A folder, or an MLflow URI, which is looked for in the current store (:func:`store_uri`).

    Raises
    ------
    InputError
        There is nothing there.
    """
    text = str(model)
    if _URI.match(text):
        with tempfile.TemporaryDirectory(prefix="nbrelapse-model-") as scratch:
            yield _download(text, scratch)
    elif Path(text).is_dir():
        yield Path(text)
    else:
        raise InputError(
            "there is no such model", file=text, expected="a model folder, or models:/… or runs:/… of MLflow"
        )


def _download(uri: str, scratch: str) -> Path:
    store = open_store(create=False).tracking_uri if uri.startswith(("models:", "runs:")) else None
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        # A folder of our own: MLflow writes a file into what it hands out, and must not do so inside the store.
        found = download_artifacts(artifact_uri=uri, dst_path=scratch, tracking_uri=store, registry_uri=store)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"MLflow has no model {uri}: {reason}",
            mend="check the URI (nbrelapse compare shows the models of an experiment) and MLFLOW_TRACKING_URI",
        ) from None
    folder = Path(found)
    if not folder.is_dir():
        raise InputError(f"{uri} is a file, not a model", expected="the URI of the model's folder")
    return folder
