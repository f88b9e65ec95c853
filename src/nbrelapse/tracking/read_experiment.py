"""Read an experiment back from MLflow."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.tracking.count_experiments import TRAINING_TAG, count_experiments
from nbrelapse.tracking.records import (
    APPARENT_METRIC,
    CHOSEN_TAG,
    CORRECTED_METRIC,
    EXPERIMENT,
    FAMILIES_TAG,
    KIND_TAG,
    MODEL_TAG,
    TRIALS_TAG,
)
from nbrelapse.tracking.store import open_store
from nbrelapse.validation.evaluate import Evaluation
from nbrelapse.validation.multiplicity import Multiplicity

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


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
    found = client.get_experiment_by_name(name)
    if found is None:
        names = sorted(item.name for item in client.search_experiments() if item.name != "Default")
        known = ", ".join(names) or "none yet"
        raise InputError(f"the store has no experiment named {name!r}", expected=f"one of its experiments: {known}")
    runs = client.search_runs(
        [found.experiment_id],
        f"tags.`{KIND_TAG}` = '{EXPERIMENT}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not runs:
        raise InputError(f"the experiment {name!r} has no finished run", mend="train it first")
    run = runs[0]
    cross_validation = _evaluation(client, run.info.run_id, "cross_validation")
    if cross_validation is None:
        raise InputError(f"run {run.info.run_id} of the experiment {name!r} has no table of its metrics")
    return RecordedExperiment(
        name=name,
        run_id=run.info.run_id,
        started=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        endpoint=run.data.params.get("endpoint", ""),
        chosen=run.data.tags.get(CHOSEN_TAG, ""),
        cross_validation=cross_validation,
        holdout=_evaluation(client, run.info.run_id, "holdout"),
        model_uris=_model_uris(client, found.experiment_id, run.info.run_id),
        leave_one_out=_evaluation(client, run.info.run_id, "leave_one_out"),
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
        metrics.get(APPARENT_METRIC, math.nan),
        metrics.get(CORRECTED_METRIC, math.nan),
    )


def _evaluation(client: MlflowClient, run_id: str, name: str) -> Evaluation | None:
    paths = [f"tables/{name}_{part}.parquet" for part in ("metrics", "differences")]
    if not set(paths) <= {item.path for item in client.list_artifacts(run_id, "tables")}:
        return None
    with tempfile.TemporaryDirectory() as folder:
        metrics, differences = (
            pd.read_parquet(Path(client.download_artifacts(run_id, path, folder))) for path in paths
        )
    return Evaluation(metrics, differences, [])


def _model_uris(client: MlflowClient, experiment: str, run_id: str) -> dict[str, str]:
    children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run_id}'")
    return {
        child.data.tags[MODEL_TAG]: f"models:/{output.model_id}"
        for child in children
        for output in (child.outputs.model_outputs if child.outputs else [])
    }
