"""Record an experiment in MLflow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nbrelapse.tracking.log_model import log_model
from nbrelapse.tracking.records import EXPERIMENT, KIND_TAG, MODEL_TAG, DatasetRecord, ExperimentRecord, ModelRecord
from nbrelapse.tracking.store import experiment_id, open_store
from nbrelapse.tracking.write_artifacts import write_artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

_LONGEST_PARAMETER = 6000
"""MLflow refuses longer values."""

_BATCH = 100
"""MLflow takes no more parameters at once."""


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

    Raises
    ------
    InputError
        The store cannot be opened, or its experiment of that name was deleted.
    """
    client = open_store()
    experiment = experiment_id(client, record.name)
    tags = {**record.tags, KIND_TAG: EXPERIMENT}
    if "commit" in tags:
        tags["mlflow.source.git.commit"] = tags["commit"]
    if record.description:
        tags["mlflow.note.content"] = record.description
    uris = {}
    with _run(client, experiment, record.name, tags) as parent:
        _log_values(client, parent, record.parameters, _metrics(record.metrics, record.dataset))
        _log_dataset(client, parent, record.dataset)
        with tempfile.TemporaryDirectory() as folder:
            write_artifacts(Path(folder), record.tables, record.figures, record.documents, record.report)
            client.log_artifacts(parent.info.run_id, folder)
        for model in record.models:
            uri = _log_child(client, experiment, parent, record, model)
            if uri is not None:
                uris[model.name] = uri
    return Logged(parent.info.run_id, uris)


@contextmanager
def _run(client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
    run = client.create_run(experiment, run_name=name, tags=dict(tags))
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    finally:
        client.set_terminated(run.info.run_id, status=status)


def _log_child(
    client: MlflowClient, experiment: str, parent: Run, record: ExperimentRecord, model: ModelRecord
) -> str | None:
    tags = {name: value for name, value in record.tags.items() if not name.startswith("nbrelapse.")}
    tags |= {"mlflow.parentRunId": parent.info.run_id, KIND_TAG: "model", MODEL_TAG: model.name}
    with _run(client, experiment, model.name, tags) as child:
        model_id = None if model.save is None else log_model(client, child, model)
        metrics = _metrics(model.metrics, record.dataset, model_id)
        _log_values(client, child, model.parameters, metrics)
        _log_dataset(client, child, record.dataset)
        documents = {} if model.card is None else {"model_card.md": model.card}
        with tempfile.TemporaryDirectory() as folder:
            if write_artifacts(Path(folder), model.tables, model.figures, documents, None):
                client.log_artifacts(child.info.run_id, folder)
    return None if model_id is None else f"models:/{model_id}"


def _metrics(values: Mapping[str, float], dataset: DatasetRecord, model_id: str | None = None) -> list[Metric]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    name, digest = dataset.name, dataset.digest
    return [
        Metric(key, float(value), now, 0, model_id=model_id, dataset_name=name, dataset_digest=digest)
        for key, value in values.items()
    ]


def _log_values(client: MlflowClient, run: Run, parameters: Mapping[str, str], metrics: list[Metric]) -> None:
    from mlflow.entities import Param

    rest = iter([Param(name, str(value)[:_LONGEST_PARAMETER]) for name, value in parameters.items()])
    client.log_batch(run.info.run_id, metrics=metrics, params=list(islice(rest, _BATCH)))
    while more := list(islice(rest, _BATCH)):
        client.log_batch(run.info.run_id, params=more)


def _log_dataset(client: MlflowClient, run: Run, dataset: DatasetRecord) -> None:
    import json

    from mlflow.entities import Dataset, DatasetInput, InputTag

    entity = Dataset(
        name=dataset.name,
        digest=dataset.digest,
        source_type="local",
        source="{}",
        schema=json.dumps({"features": len(dataset.features)}),
        profile=json.dumps({"patients": dataset.n_patients, "events": dataset.n_events}),
    )
    client.log_inputs(run.info.run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])
