"""Record an experiment and its models in MLflow."""

from __future__ import annotations

import getpass
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nbrelapse.report.render import save_pictures
from nbrelapse.tracking.names import _EXPERIMENT, _KIND_TAG, _MODEL, _MODEL_TAG, _NOTE_TAG
from nbrelapse.tracking.store import _experiment_id, _in_words, open_store
from nbrelapse.tracking.view import _share_view

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run
    from mlflow.models import Model

    from nbrelapse.report.render import Picture

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


@_in_words
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
        The store cannot be opened or written to, or its experiment of that name was deleted.
    """
    client = open_store()
    experiment = _experiment_id(client, record.name)
    _share_view(client, experiment)
    tags = {**_source(record), **record.tags, _KIND_TAG: _EXPERIMENT}
    uris = {}
    with _run(client, experiment, record.name, tags, record.started) as parent:
        _log_values(client, parent, record.parameters, _metrics(record.metrics, record.dataset))
        _log_dataset(client, parent, record.dataset)
        with tempfile.TemporaryDirectory() as folder:
            _write_artifacts(Path(folder), record.tables, record.pictures, record.documents, record.report)
            client.log_artifacts(parent.info.run_id, folder)
        for model in record.models:
            uri = _log_child(client, experiment, parent, record, model)
            if uri is not None:
                uris[model.name] = uri
        note = "\n\n".join([record.description, *(f"## {name}\n\n{_ways_in(uri)}" for name, uri in uris.items())])
        client.set_tag(parent.info.run_id, _NOTE_TAG, note)
        client.set_experiment_tag(experiment, _NOTE_TAG, note)
    return Logged(parent.info.run_id, uris)


def _source(record: ExperimentRecord) -> dict[str, str]:
    """Return tags that say who trained, and with what, where MLflow's page looks for them."""
    tags = {"mlflow.source.name": "nbrelapse", "mlflow.source.type": "LOCAL"}
    with suppress(OSError, KeyError):  # a container may have no name for its user
        tags["mlflow.user"] = getpass.getuser()
    if "commit" in record.tags:
        tags["mlflow.source.git.commit"] = record.tags["commit"]
    return tags


def _ways_in(uri: str) -> str:
    """Say in Markdown how to load a model and score with it."""
    return (
        f"Score: `nbrelapse score {uri} COHORT --out scores.csv`\n\n"
        "Load:\n\n```python\nfrom nbrelapse.scoring import load_model, score\n\n"
        f'model = load_model("{uri}")\nscores = score(model, cohort)\n```'
    )


@contextmanager
def _run(
    client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str], started: datetime | None
) -> Iterator[Run]:
    start = None if started is None else int(started.timestamp() * 1000)
    run = client.create_run(experiment, run_name=name, tags=dict(tags), start_time=start)
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
    tags |= {"mlflow.parentRunId": parent.info.run_id, _KIND_TAG: _MODEL, _MODEL_TAG: model.name}
    with _run(client, experiment, model.name, _source(record) | tags, record.started) as child:
        model_id = None if model.save is None else _log_model(client, child, model, _model_name(record, model))
        metrics = _metrics(model.metrics, record.dataset, model_id)
        _log_values(client, child, model.parameters, metrics)
        _log_dataset(client, child, record.dataset)
        documents = {} if model.card is None else {"model_card.md": model.card}
        with tempfile.TemporaryDirectory() as folder:
            if _write_artifacts(Path(folder), model.tables, model.pictures, documents, None):
                client.log_artifacts(child.info.run_id, folder)
        note = "\n\n".join([model.description, *([] if model_id is None else [_ways_in(f"models:/{model_id}")])])
        client.set_tag(child.info.run_id, _NOTE_TAG, note)
        if model_id is not None:
            client.set_logged_model_tags(model_id, {_NOTE_TAG: note})
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


def _model_name(record: ExperimentRecord, model: ModelRecord) -> str:
    """Name a model after its experiment and family, without what MLflow does not take in a name."""
    return re.sub(r"[/:.%\"']+", "-", f"{record.name}-{model.name}")


def _log_model(client: MlflowClient, run: Run, record: ModelRecord, name: str) -> str:
    """Save a model with its own ``save`` and record it as the run's model.

    This is what ``mlflow.models.Model.log`` does, without its need of a global active experiment and without looking
    for the packages that the model needs: the saved model names them itself.

    Parameters
    ----------
    client : MlflowClient
    run : Run
    record : ModelRecord
        With ``save``.
    name : str

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
        name=name,
        source_run_id=run_id,
        tags={"nbrelapse.model": record.name},
        params={name: str(value) for name, value in record.parameters.items()},
    )
    model_id = str(logged.model_id)
    try:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        description = Model(artifact_path=name, run_id=run_id, model_uuid=model_id, model_id=model_id)
        with tempfile.TemporaryDirectory() as folder:
            record.save(str(Path(folder) / name), description)
            client.log_model_artifacts(model_id, str(Path(folder) / name))
    except BaseException:
        client.finalize_logged_model(model_id, "FAILED")
        raise
    client.finalize_logged_model(model_id, "READY")
    return model_id


def _write_artifacts(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, Picture],
    documents: Mapping[str, str],
    report: Path | None,
) -> bool:
    """Write the files of a run to a folder.

    Parameters
    ----------
    folder : path
        Exists and is empty.
    tables : dict of str to DataFrame
        To ``tables/<name>.parquet``, and ``.csv`` and ``.json``, which MLflow's page shows.
    pictures : dict of str to Picture
        To ``plots/<name>.png`` and ``.svg``.
    documents : dict of str to str
        By file name.
    report : path, optional
        Copied to ``report.html``.

    Returns
    -------
    bool
        Whether there is any file.
    """
    for name, table in tables.items():
        (folder / "tables").mkdir(exist_ok=True)
        table.to_parquet(folder / "tables" / f"{name}.parquet")
        plain = table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
        plain.to_csv(folder / "tables" / f"{name}.csv", index=False)
        plain.to_json(folder / "tables" / f"{name}.json", orient="records", double_precision=15, indent=1)
    save_pictures(pictures, folder / "plots")
    for name, text in documents.items():
        (folder / name).write_text(text, encoding="utf-8")
    if report is not None:
        shutil.copyfile(report, folder / "report.html")
    return any(folder.iterdir())


@dataclass(frozen=True)
class ModelRecord:
    """One model of an experiment; a child run.

    Parameters
    ----------
    name : str
    parameters : dict of str to str
    metrics : dict of str to float
        Named as :mod:`nbrelapse.tracking.names` says; no NaN.
    save : callable, optional
        Called with a path and MLflow's description; saves the model there. None: the run has no model.
    tables : dict of str to DataFrame
        Logged as Parquet, CSV and JSON; without patient identifiers.
    pictures : dict of str to Picture
    card : str, optional
        The model card, Markdown.
    description : str
        Markdown; how to load the model is added.
    """

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    save: Callable[[str, Model], object] | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    card: str | None = None
    description: str = ""


@dataclass(frozen=True)
class DatasetRecord:
    """The training data, by name and fingerprint only.

    Parameters
    ----------
    name : str
    fingerprint : str
        Hash of the content.
    n_patients, n_events : int
    features : tuple of str
    """

    name: str
    fingerprint: str
    n_patients: int
    n_events: int
    features: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The fingerprint, as long as MLflow takes it."""
        return self.fingerprint[:36]


@dataclass(frozen=True)
class ExperimentRecord:
    """One experiment; a parent run with a child a model.

    Parameters
    ----------
    name : str
    description : str
        Markdown; how to load the models is added.
    dataset : DatasetRecord
    parameters, tags : dict of str to str
    metrics : dict of str to float
        Of the chosen model.
    models : tuple of ModelRecord
    tables, pictures, documents
        Tables (Parquet, CSV and JSON), pictures and texts (by file name) of the whole experiment.
    report : path, optional
        The HTML report.
    started : datetime, optional
        Of the work, before any model was fitted; by default now.
    """

    name: str
    description: str
    dataset: DatasetRecord
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    models: tuple[ModelRecord, ...]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)
    report: Path | None = None
    started: datetime | None = None
