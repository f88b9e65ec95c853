"""Find a saved model's folder, on disk or in MLflow."""

from __future__ import annotations

import re
from pathlib import Path

from nbrelapse.errors import InputError
from nbrelapse.tracking.store import use_store


def fetch_model(model: str | Path) -> Path:
    """Return the local folder of a saved model.

    Parameters
    ----------
    model : str or path
        A folder, or an MLflow URI, which is looked for in the store of :func:`use_store`.

    Raises
    ------
    InputError
        There is nothing there.
    """
    text = str(model)
    if not re.match(r"^(models|runs|mlflow-artifacts|file|s3|gs|wasbs?|https?):/", text):
        folder = Path(text)
        if not folder.is_dir():
            raise InputError(
                "there is no such model", file=text, expected="a model folder, or models:/… or runs:/… of MLflow"
            )
        return folder
    use_store(create=False)
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        return Path(download_artifacts(artifact_uri=text))
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"MLflow has no model {text}: {reason}",
            mend="check the URI (nbrelapse compare lists the runs) and MLFLOW_TRACKING_URI",
        ) from None
