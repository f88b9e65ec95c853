"""Read experiments and models back from MLflow, and count how often a hold-out was opened."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nbrelapse.errors import InputError, did_you_mean
from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.outcome import OutcomeKind, kind_of_endpoint
from nbrelapse.tracking._trouble import _first_line, _is_refused, _told
from nbrelapse.tracking.names import (
    _CHOSEN_TAG,
    _EXPERIMENT,
    _KIND_TAG,
    _MODEL,
    _MODEL_TAG,
    APPARENT_TAG,
    CORRECTED_TAG,
    FAMILIES_TAG,
    MODEL_ID_TAG,
    TRIALS_TAG,
)
from nbrelapse.tracking.store import _database_file, _find_experiment, _hush_mlflow, _in_words, open_store, store_uri
from nbrelapse.validation.guards import Multiplicity

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class RecordedExperiment:
    """The latest finished run of an experiment.

    Parameters
    ----------
    name, run_id : str
    started : datetime
    endpoint, chosen : str
        What was predicted, and the model chosen for it; empty where the run does not say.
    cross_validation : Evaluation
    holdout : Evaluation or None
    leave_one_out : Evaluation or None
        By group, and the mean of the groups.
    model_uris : dict of str to str
        ``models:/…`` by model name.
    multiplicity : Multiplicity or None
        How many models were tried, and how many experiments the store has now; None where the run does not say.
    """

    name: str
    run_id: str
    started: datetime
    endpoint: str
    chosen: str
    cross_validation: Evaluation
    holdout: Evaluation | None
    model_uris: dict[str, str]
    leave_one_out: Evaluation | None = None
    multiplicity: Multiplicity | None = None


@_in_words
def read_experiment(name: str) -> RecordedExperiment:
    """Read the latest finished run of an experiment.

    Parameters
    ----------
    name : str
        Of the experiment.

    Returns
    -------
    RecordedExperiment

    Raises
    ------
    InputError
        The store has no such experiment, no finished run of it, or the run has lost its tables.
    """
    client = open_store(create=False)
    found = _find_experiment(client, name)
    runs = client.search_runs(
        [found.experiment_id],
        f"tags.`{_KIND_TAG}` = '{_EXPERIMENT}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not runs:
        raise InputError(f"the experiment {name!r} has no finished run", fix="train it first")
    run = runs[0]
    endpoint = run.data.params.get("endpoint", "")
    kind = kind_of_endpoint(endpoint)
    cross_validation = _evaluation(client, run.info.run_id, "cross_validation", kind)
    if cross_validation is None:
        raise InputError(f"run {run.info.run_id} of the experiment {name!r} has no table of its metrics")
    return RecordedExperiment(
        name=name,
        run_id=run.info.run_id,
        started=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        endpoint=endpoint,
        chosen=run.data.tags.get(_CHOSEN_TAG, ""),
        cross_validation=cross_validation,
        holdout=_evaluation(client, run.info.run_id, "holdout", kind),
        model_uris=_model_uris(client, found.experiment_id, run.info.run_id),
        leave_one_out=_evaluation(client, run.info.run_id, "leave_one_out", kind),
        multiplicity=_multiplicity(run),
    )


def _multiplicity(run: Run) -> Multiplicity | None:
    tags, metrics = run.data.tags, run.data.metrics
    if not {FAMILIES_TAG, TRIALS_TAG, TRAINING_TAG} <= set(tags):
        return None
    return Multiplicity(
        int(tags[FAMILIES_TAG]),
        int(tags[TRIALS_TAG]),
        count_experiments(TRAINING_TAG, tags[TRAINING_TAG]),
        float(tags.get(APPARENT_TAG, metrics.get("before_correction", math.nan))),
        float(tags.get(CORRECTED_TAG, metrics.get("corrected_for_choice", math.nan))),
    )


def _evaluation(client: MlflowClient, run_id: str, name: str, kind: OutcomeKind) -> Evaluation | None:
    paths = [f"tables/{name}_{part}.parquet" for part in ("metrics", "differences")]
    logged = {item.path for item in client.list_artifacts(run_id, "tables")}
    if not set(paths) <= logged:
        return None
    spread = f"tables/{name}_spread.parquet"
    paths += [spread] if spread in logged else []  # runs of versions before 0.4 have none
    with tempfile.TemporaryDirectory() as folder:
        metrics, differences, *rest = (
            pd.read_parquet(Path(client.download_artifacts(run_id, path, folder))) for path in paths
        )
    return Evaluation(metrics, differences, [], kind, spread=rest[0] if rest else pd.DataFrame())


def _model_uris(client: MlflowClient, experiment: str, run_id: str) -> dict[str, str]:
    children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run_id}'")
    return {
        child.data.tags[_MODEL_TAG]: f"models:/{output.model_id}"
        for child in children
        for output in (child.outputs.model_outputs if child.outputs else [])
    }


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
    _hush_mlflow()
    client = open_store(create=False) if _IN_STORE.match(uri) else None
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    store = None if client is None else client.tracking_uri
    with _told(store or uri, f"MLflow cannot give {uri}"):
        try:
            location = uri if client is None else _address(client, uri).location
            folder = Path(download_artifacts(artifact_uri=location, dst_path=scratch, tracking_uri=store))
        except (MlflowException, OSError) as error:
            if _is_refused(error):
                raise
            raise _no_model(uri, error) from None
    if not folder.is_dir():
        raise InputError(f"{uri} is a file, not a model", expected="the address of the model's folder")
    return folder


def _no_model(uri: str, error: Exception) -> InputError:
    return InputError(
        f"MLflow has no model {uri}: {_first_line(error)}",
        expected=_LEGAL,
        fix="check the address (nbrelapse compare shows the models of an experiment) and MLFLOW_TRACKING_URI",
    )


@dataclass(frozen=True)
class ModelAddress:
    """Where a model of the store is.

    Parameters
    ----------
    location : str
        Of its files.
    model_id : str or None
        Of MLflow's logged model; None of models that versions of MLflow before 3 logged.
    registered : str or None
        ``NAME/VERSION``, where it was named so or by an alias.
    """

    location: str
    model_id: str | None = None
    registered: str | None = None


def model_address(model: str | Path) -> ModelAddress | None:
    """Look up a model of the store; None for a folder or an address elsewhere.

    Parameters
    ----------
    model : str or path
        As in :func:`fetched_model`.

    Raises
    ------
    InputError
        The store has no such model.
    """
    uri = str(model)
    if not _IN_STORE.match(uri):
        return None
    client = open_store(create=False)
    from mlflow.exceptions import MlflowException

    try:
        return _address(client, uri)
    except MlflowException as error:
        raise _no_model(uri, error) from None


def _address(client: MlflowClient, uri: str) -> ModelAddress:
    """Where a ``models:/`` or ``runs:/`` address leads; MLflow's own lookup wants a global store."""
    if logged := re.fullmatch(r"models:/(m-[0-9a-zA-Z]+)", uri):
        return ModelAddress(str(client.get_logged_model(logged[1]).artifact_location), logged[1])
    if named := re.fullmatch(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))", uri):
        version = _registered_version(client, *named.groups())
        return _address_of_version(client, version)
    if in_run := re.fullmatch(r"runs:/([0-9a-zA-Z]+)/(.+)", uri):
        return _model_of_run(client, in_run[1], in_run[2].rstrip("/"))
    raise InputError(f"{uri} is no address of a model", expected=_LEGAL)


def _registered_version(client: MlflowClient, name: str, alias: str | None, number: str | None) -> ModelVersion:
    """Return a version of a registered model, by its alias or its number.

    Raises
    ------
    InputError
        There is none; it says what there is.
    """
    from mlflow.exceptions import MlflowException

    try:
        if alias is not None:
            return client.get_model_version_by_alias(name, alias)
        return client.get_model_version(name, str(number))
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
    uri = f"models:/{name}/{number}" if alias is None else f"models:/{name}@{alias}"
    known = {str(model.name): dict(model.aliases) for model in client.search_registered_models(max_results=1000)}
    if name not in known:
        raise InputError(
            f"MLflow has no model {uri}: nothing is registered as {name!r}",
            expected=", ".join(sorted(known)) or f"nothing is registered yet; {_LEGAL}",
            fix=did_you_mean(name, known)
            or "nbrelapse models lists what there is, nbrelapse register MODEL adds to it",
        )
    numbers = sorted(int(found.version) for found in client.search_model_versions(f"name = '{name}'"))
    there = [f"@{alias} (version {version})" for alias, version in sorted(known[name].items())]
    there.append(f"versions {', '.join(map(str, numbers))}" if numbers else "no version")
    what = f"version {number}" if alias is None else f"alias {alias!r}"
    raise InputError(f"MLflow has no model {uri}: {name!r} has no {what}", expected="; ".join(there))


def _address_of_version(client: MlflowClient, version: ModelVersion) -> ModelAddress:
    source = str(client.get_model_version_download_uri(version.name, version.version))
    found = _address(client, source) if _IN_STORE.match(source) else ModelAddress(source)
    model_id = version.tags.get(MODEL_ID_TAG) or version.model_id or found.model_id
    return ModelAddress(found.location, model_id, f"{version.name}/{version.version}")


def _model_of_run(client: MlflowClient, run_id: str, name: str) -> ModelAddress:
    run = client.get_run(run_id)
    for output in run.outputs.model_outputs if run.outputs else []:
        model = client.get_logged_model(output.model_id)
        if name in (model.name, _MODEL):
            return ModelAddress(str(model.artifact_location), str(model.model_id))
    if not client.list_artifacts(run_id, name):
        raise InputError(f"run {run_id} has no model {name!r}", fix="nbrelapse compare shows the models")
    return ModelAddress(f"{run.info.artifact_uri}/{name}")


TRAINING_TAG = "nbrelapse.training"
"""Tag of an experiment's run; its value is the fingerprint of the training outcomes, whatever the features."""


@_in_words
def count_experiments(tag: str, value: str, own: Mapping[str, str] | None = None) -> int:
    """How many experiments of the store have a tag of this value.

    Failed and deleted runs count: they have looked at the data as well.

    Parameters
    ----------
    tag, value : str
    own : mapping of str to str, optional
        Tags of the experiment that asks. A run of the same that was killed while it was recorded does not count: it is
        this experiment, which goes on.

    Returns
    -------
    int
        0 without a store; none is made.
    """
    database = _database_file(store_uri())
    if database is not None and not database.exists():
        return 0
    client = open_store()
    from mlflow.entities import ViewType

    experiments = [found.experiment_id for found in client.search_experiments(view_type=ViewType.ALL)]
    condition = f"tags.`{tag}` = '{value}' and tags.`{_KIND_TAG}` = '{_EXPERIMENT}'"
    count = 0
    page: str | None = None
    while True:
        runs = client.search_runs(experiments, condition, run_view_type=ViewType.ALL, page_token=page)
        count, page = count + sum(not _goes_on(run, own or {}) for run in runs), runs.token
        if not page:
            return count


def _goes_on(run: Run, own: Mapping[str, str]) -> bool:
    """Whether a killed run is of the experiment with these tags: of the same file and data."""
    names = ("experiment_file.sha256", "cohort.fingerprint")
    same = all(name in own and run.data.tags.get(name) == own[name] for name in names)
    return same and run.info.status == "KILLED"


HOLDOUT_TAG = "nbrelapse.holdout"
"""Tag of an experiment's run; its value is the fingerprint of the hold-out that was looked at."""


def count_holdout_openings(fingerprint: str, own: Mapping[str, str] | None = None) -> int:
    """How many experiments in the store have already looked at a hold-out.

    Failed and deleted runs count: they have looked as well.

    Parameters
    ----------
    fingerprint : str
        Of the hold-out's patients and endpoint.
    own : mapping of str to str, optional
        As in :func:`count_experiments`.
    """
    return count_experiments(HOLDOUT_TAG, fingerprint, own)
