"""Every call to MLflow that records or reads a run or a model."""

from nbrelapse.tracking.log import DatasetRecord, ExperimentRecord, Logged, ModelRecord, log_experiment
from nbrelapse.tracking.read import (
    HOLDOUT_TAG,
    TRAINING_TAG,
    RecordedExperiment,
    count_experiments,
    count_holdout_openings,
    fetched_model,
    read_experiment,
)
from nbrelapse.tracking.store import check_store, open_store, store_uri

__all__ = [
    "HOLDOUT_TAG",
    "TRAINING_TAG",
    "DatasetRecord",
    "ExperimentRecord",
    "Logged",
    "ModelRecord",
    "RecordedExperiment",
    "check_store",
    "count_experiments",
    "count_holdout_openings",
    "fetched_model",
    "log_experiment",
    "open_store",
    "read_experiment",
    "store_uri",
]
