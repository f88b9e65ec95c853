"""Record a model in MLflow."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nbrelapse.tracking.records import ModelRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_LOGGED_NAME = "model"
"""So that its address is ``runs:/<run id>/model``."""


def log_model(client: MlflowClient, run: Run, record: ModelRecord) -> str:
    """Save a model with its own ``save`` and record it as the run's model.

    This is what ``mlflow.models.Model.log`` does, without its need of a global active experiment and without looking
    for the packages that the model needs: the saved model names them itself.

    Parameters
    ----------
    client : MlflowClient
    run : Run
    record : ModelRecord
        With ``save``.

    Returns
    -------
    str
        The model's id, for ``models:/<id>``.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    assert record.save is not None
    run_id = run.info.run_id
    logged = client.create_logged_model(
        run.info.experiment_id,
        name=_LOGGED_NAME,
        source_run_id=run_id,
        tags={"nbrelapse.model": record.name},
        params={name: str(value) for name, value in record.parameters.items()},
    )
    model_id = str(logged.model_id)
    try:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        description = Model(artifact_path=_LOGGED_NAME, run_id=run_id, model_uuid=model_id, model_id=model_id)
        with tempfile.TemporaryDirectory() as folder:
            record.save(str(Path(folder) / _LOGGED_NAME), description)
            client.log_model_artifacts(model_id, str(Path(folder) / _LOGGED_NAME))
    except BaseException:
        client.finalize_logged_model(model_id, "FAILED")
        raise
    client.finalize_logged_model(model_id, "READY")
    return model_id
