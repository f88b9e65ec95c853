"""Record an experiment in MLflow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.tracking.records import DatasetRecord, ExperimentRecord, ModelRecord
from nbrelapse.tracking.store import enter_experiment, use_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_LONGEST_PARAMETER = 6000
"""MLflow refuses longer values."""


@dataclass(frozen=True)
class Logged:
    """Where an experiment was recorded.

    Parameters
    ----------
    run_id : str
        Of the parent run.
    model_uris : dict of str to str
        ``models:/…`` by model name.
    """

    run_id: str
    model_uris: dict[str, str]


def log_experiment(record: ExperimentRecord) -> Logged:
    """Record an experiment: a parent run, a child run a model, the models themselves.

    Works without a network. Whatever goes wrong, the runs that were begun are marked as failed.

    Parameters
    ----------
    record : ExperimentRecord

    Returns
    -------
    Logged
    """
    use_store()
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = enter_experiment(record.name)
    parent = client.create_run(experiment, run_name=record.name, tags=dict(record.tags))
    try:
        _log_batch(client, parent, record.parameters, record.metrics)
        _log_dataset(client, parent, record.dataset)
        _log_files(client, parent, record.tables, record.figures, record.documents, record.report)
        uris = {}
        for model in record.models:
            uri = _log_model(client, experiment, parent, record, model)
            if uri is not None:
                uris[model.name] = uri
    except BaseException:
        client.set_terminated(parent.info.run_id, status="FAILED")
        raise
    client.set_terminated(parent.info.run_id)
    return Logged(parent.info.run_id, uris)


def _log_model(
    client: MlflowClient, experiment: str, parent: Run, record: ExperimentRecord, model: ModelRecord
) -> str | None:
    from mlflow.models import Model

    from nbrelapse.tracking import flavor

    tags = dict(record.tags) | {"mlflow.parentRunId": parent.info.run_id, "nbrelapse.model": model.name}
    child = client.create_run(experiment, run_name=model.name, tags=tags)
    try:
        _log_batch(client, child, model.parameters, model.metrics)
        _log_dataset(client, child, record.dataset)
        documents = {} if model.card is None else {"model_card.md": model.card}
        _log_files(client, child, model.tables, model.figures, documents, None)
        uri = None
        if model.save is not None:
            logged = Model.log(
                artifact_path=None, name="model", flavor=flavor, run_id=child.info.run_id, save=model.save
            )
            uri = str(logged.model_uri)
    except BaseException:
        client.set_terminated(child.info.run_id, status="FAILED")
        raise
    client.set_terminated(child.info.run_id)
    return uri


def _log_batch(client: MlflowClient, run: Run, parameters: Mapping[str, str], metrics: Mapping[str, float]) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, float(value), now, 0) for name, value in metrics.items()],
        params=[Param(name, str(value)[:_LONGEST_PARAMETER]) for name, value in parameters.items()],
    )


def _log_dataset(client: MlflowClient, run: Run, dataset: DatasetRecord) -> None:
    import json

    from mlflow.entities import Dataset, DatasetInput, InputTag

    entity = Dataset(
        name=dataset.name,
        digest=dataset.fingerprint[:36],
        source_type="local",
        source="{}",
        schema=json.dumps({"features": len(dataset.features)}),
        profile=json.dumps({"patients": dataset.n_patients, "events": dataset.n_events}),
    )
    client.log_inputs(run.info.run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])


def _log_files(
    client: MlflowClient,
    run: Run,
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Figure],
    documents: Mapping[str, str],
    report: Path | None,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, table in tables.items():
            (folder / "tables").mkdir(exist_ok=True)
            table.to_parquet(folder / "tables" / f"{title}.parquet")
        for title, figure in figures.items():
            (folder / "plots").mkdir(exist_ok=True)
            figure.savefig(folder / "plots" / f"{title}.png", dpi=150)
        for title, text in documents.items():
            (folder / title).write_text(text, encoding="utf-8")
        if report is not None:
            (folder / "report.html").write_bytes(report.read_bytes())
        if any(folder.iterdir()):
            client.log_artifacts(run.info.run_id, str(folder))
