"""Record an experiment and its models in MLflow."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nbrelapse.report.render import save_pictures
from nbrelapse.tracking.abandoned import _process_tags
from nbrelapse.tracking.names import _EXPERIMENT, _KIND_TAG, _MODEL, _MODEL_TAG, _NOTE_TAG, _TRIAL, TRIAL_CURVE
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

_MOST_METRICS = 1000
"""And no more metrics."""


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
    tags = {**_source(record.tags), **record.tags, _KIND_TAG: _EXPERIMENT}
    uris = {}
    with _run(client, experiment, record.name, tags, record.started) as parent:
        _log_values(client, parent, record.parameters, _metrics(record.metrics, record.datasets))
        _log_datasets(client, parent, record.datasets, record.tags)
        with tempfile.TemporaryDirectory() as folder:
            _write_artifacts(Path(folder), record.tables, record.pictures, record.documents, None)
            client.log_artifacts(parent.info.run_id, folder)
        for model in record.models:
            uri = _log_child(client, experiment, parent, record, model)
            if uri is not None:
                uris[model.name] = uri
        note = "\n\n".join([record.description, *(f"## {name}\n\n{_ways_in(uri)}" for name, uri in uris.items())])
        client.set_tag(parent.info.run_id, _NOTE_TAG, note)
        client.set_experiment_tag(experiment, _NOTE_TAG, note)
        if record.report is not None:
            _log_report(client, parent, record.report(parent.info.run_id, uris))
    return Logged(parent.info.run_id, uris)


def _log_report(client: MlflowClient, run: Run, file: Path) -> None:
    """Keep the report with its run; one without its run would look finished and is taken away."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            _write_artifacts(Path(folder), {}, {}, {}, file)
            client.log_artifacts(run.info.run_id, folder)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _source(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags that say who made a run, and with what, where MLflow's page looks for them."""
    found = {"mlflow.source.name": tags.get("experiment_file", "nbrelapse"), "mlflow.source.type": "LOCAL"}
    with suppress(OSError, KeyError):  # a container may have no name for its user
        found["mlflow.user"] = getpass.getuser()
    if "commit" in tags:
        found["mlflow.source.git.commit"] = tags["commit"]
    return found


def _ways_in(uri: str) -> str:
    """Say in Markdown how to load a model and score with it."""
    return (
        f"Score: `nbrelapse score {uri} COHORT --out scores.csv`\n\n"
        "Load:\n\n```python\nfrom nbrelapse.scoring import load_model, score\n\n"
        f'model = load_model("{uri}")\nscores = score(model, cohort)\n```'
    )


@contextmanager
def _run(
    client: MlflowClient,
    experiment: str,
    name: str,
    tags: Mapping[str, str],
    started: datetime | None,
    ends: str = "FINISHED",
) -> Iterator[Run]:
    start = None if started is None else int(started.timestamp() * 1000)
    run = client.create_run(experiment, run_name=name, tags={**tags, **_process_tags()}, start_time=start)
    status = "FAILED"
    try:
        yield run
        status = ends
    finally:
        client.set_terminated(run.info.run_id, status=status)


def _log_child(
    client: MlflowClient, experiment: str, parent: Run, record: ExperimentRecord, model: ModelRecord
) -> str | None:
    tags = {name: value for name, value in record.tags.items() if not name.startswith("nbrelapse.")}
    tags |= {"mlflow.parentRunId": parent.info.run_id, _KIND_TAG: _MODEL, _MODEL_TAG: model.name}
    with _run(client, experiment, model.name, _source(record.tags) | tags, record.started) as child:
        model_id = (
            None if model.save is None else _log_model(client, child, model, _model_name(f"{record.name}-{model.name}"))
        )
        metrics = _metrics(model.metrics, record.datasets, model_id) + _curves(model.curves)
        # With those of the experiment, which tell models of different experiments apart.
        _log_values(client, child, {**record.parameters, **model.parameters}, metrics)
        _log_datasets(client, child, record.datasets, record.tags)
        documents = {} if model.card is None else {"model_card.md": model.card}
        with tempfile.TemporaryDirectory() as folder:
            if _write_artifacts(Path(folder), model.tables, model.pictures, documents, None):
                client.log_artifacts(child.info.run_id, folder)
        note = "\n\n".join([model.description, *([] if model_id is None else [_ways_in(f"models:/{model_id}")])])
        client.set_tag(child.info.run_id, _NOTE_TAG, note)
        if model_id is not None:
            client.set_logged_model_tags(model_id, {_NOTE_TAG: note})
        for trial in model.trials:
            _log_trial(client, experiment, child, record, trial)
    return None if model_id is None else f"models:/{model_id}"


def _log_trial(
    client: MlflowClient, experiment: str, parent: Run, record: ExperimentRecord, trial: TrialRecord
) -> None:
    """Record a trial of the tuning as a run below its model's, which no list of models shows."""
    tags = {**_source(record.tags), "mlflow.parentRunId": parent.info.run_id, _KIND_TAG: _TRIAL}
    values = [(step, value) for step, value in enumerate(trial.values, start=1)]
    with _run(client, experiment, trial.name, tags, record.started, "FINISHED" if trial.fitted else "FAILED") as run:
        _log_values(client, run, trial.parameters, _curves({TRIAL_CURVE: values}))


def _metrics(
    values: Mapping[str, float], datasets: Sequence[DatasetRecord], model_id: str | None = None
) -> list[Metric]:
    """Return figures; those of the hold-out are of the validation data."""
    from mlflow.entities import Metric

    now, found = int(time.time() * 1000), []
    for key, value in values.items():
        of = datasets[-1] if ".holdout" in key else datasets[0]
        found.append(
            Metric(key, float(value), now, 0, model_id=model_id, dataset_name=of.name, dataset_digest=of.digest)
        )
    return found


def _curves(values: Mapping[str, Sequence[tuple[int, float]]]) -> list[Metric]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(key, float(value), now, step) for key, curve in values.items() for step, value in curve]


def _log_values(client: MlflowClient, run: Run, parameters: Mapping[str, str], metrics: list[Metric]) -> None:
    from mlflow.entities import Param

    rest = iter([Param(name, str(value)[:_LONGEST_PARAMETER]) for name, value in parameters.items()])
    client.log_batch(run.info.run_id, metrics=metrics[:_MOST_METRICS], params=list(islice(rest, _BATCH)))
    for start in range(_MOST_METRICS, len(metrics), _MOST_METRICS):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + _MOST_METRICS])
    while more := list(islice(rest, _BATCH)):
        client.log_batch(run.info.run_id, params=more)


_LARGEST_SCHEMA = 1_000_000
"""Characters of a dataset's schema; MLflow refuses some more."""

_ORIGIN = ("experiment_file", "experiment_file.sha256", "cohort.path", "cohort.path_sha256", "commit")


def _log_datasets(
    client: MlflowClient,
    run: Run,
    datasets: Sequence[DatasetRecord],
    origin: Mapping[str, str],
    model_id: str | None = None,
) -> None:
    """Record which data a run read, as ``mlflow.data`` does: columns, numbers and origin, no row; and what model."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput

    source = {"tags": {name: origin[name] for name in _ORIGIN if name in origin}}
    inputs = []
    for dataset in datasets:
        columns = [{"type": "double", "name": name, "required": False} for name in dataset.features]
        schema = json.dumps({"mlflow_colspec": columns})
        entity = Dataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type="code",  # MLflow's word for data that only a program can fetch
            source=json.dumps(source),
            schema=schema if len(schema) <= _LARGEST_SCHEMA else None,
            profile=json.dumps(
                {"num_rows": dataset.n_patients, "num_events": dataset.n_events, "num_features": len(columns)}
            ),
        )
        inputs.append(DatasetInput(entity, [InputTag("mlflow.data.context", dataset.purpose)]))
    client.log_inputs(run.info.run_id, inputs, None if model_id is None else [LoggedModelInput(model_id)])


def _model_name(name: str) -> str:
    """Return a name without what MLflow does not take in that of a model."""
    return re.sub(r"[/:.%\"']+", "-", name)


def _log_model(client: MlflowClient, run: Run, record: ModelRecord, name: str) -> str:
    """Save a model with its own ``save`` and record it as the run's model; return its id, for ``models:/<id>``.

    This is what ``mlflow.models.Model.log`` does, without its need of a global active experiment and without looking
    for the packages that the model needs: the saved model names them itself.
    """
    from mlflow.models import Model

    assert record.save is not None
    tags = {**record.tags, _MODEL_TAG: record.name}
    with (
        _logged_model(client, run, name, tags, record.parameters, record.model_type) as model_id,
        tempfile.TemporaryDirectory() as folder,
    ):
        run_id = run.info.run_id
        description = Model(artifact_path=name, run_id=run_id, model_uuid=model_id, model_id=model_id)
        record.save(str(Path(folder) / name), description)
        client.log_model_artifacts(model_id, str(Path(folder) / name))
    return model_id


@contextmanager
def _logged_model(
    client: MlflowClient,
    run: Run,
    name: str,
    tags: Mapping[str, str],
    parameters: Mapping[str, str],
    model_type: str | None = None,
) -> Iterator[str]:
    """Begin a model of a run and give its id; it is ready when its files have been logged, and failed otherwise."""
    from mlflow.entities import LoggedModelOutput

    run_id = run.info.run_id
    logged = client.create_logged_model(
        run.info.experiment_id,
        name=name,
        source_run_id=run_id,
        tags=dict(tags),
        params={name: str(value) for name, value in parameters.items()},
        model_type=model_type,
    )
    model_id = str(logged.model_id)
    try:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        yield model_id
    except BaseException:
        client.finalize_logged_model(model_id, "FAILED")
        raise
    client.finalize_logged_model(model_id, "READY")


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
    curves : mapping of str to sequence of (int, float)
        Metrics that have more than one step.
    model_type : str, optional
        What MLflow is to call the kind of model.
    tags : mapping of str to str
        Of the logged model.
    trials : tuple of TrialRecord
        Recorded as runs below the model's.
    """

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    save: Callable[[str, Model], object] | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    card: str | None = None
    description: str = ""
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    model_type: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    trials: tuple[TrialRecord, ...] = ()


@dataclass(frozen=True)
class TrialRecord:
    """One trial of a model's tuning.

    Parameters
    ----------
    name : str
    parameters : mapping of str to str
    values : sequence of float
        After each inner fold.
    fitted : bool
        False where the model could not be fitted.
    """

    name: str
    parameters: Mapping[str, str]
    values: Sequence[float]
    fitted: bool = True


@dataclass(frozen=True)
class DatasetRecord:
    """The data of some patients, by name, fingerprint and columns only.

    Parameters
    ----------
    name : str
    fingerprint : str
        Hash of the content.
    n_patients, n_events : int
    features : tuple of str
    purpose : {"training", "validation", "evaluation"}
    """

    name: str
    fingerprint: str
    n_patients: int
    n_events: int
    features: tuple[str, ...]
    purpose: str = "training"

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
    datasets : tuple of DatasetRecord
        The training data first; the hold-out last, where there is one.
    parameters, tags : dict of str to str
    metrics : dict of str to float
        Of the chosen model.
    models : tuple of ModelRecord
    tables, pictures, documents
        Tables (Parquet, CSV and JSON), pictures and texts (by file name) of the whole experiment.
    report : callable, optional
        Called with the id of the run and the addresses of the models by name, when all else is recorded; writes the
        HTML report and returns its file.
    started : datetime, optional
        Of the work, before any model was fitted; by default now.
    """

    name: str
    description: str
    datasets: tuple[DatasetRecord, ...]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    models: tuple[ModelRecord, ...]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)
    report: Callable[[str, Mapping[str, str]], Path] | None = None
    started: datetime | None = None
