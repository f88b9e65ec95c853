"""Every call to MLflow that records or reads a run or a model."""

from nbrelapse.tracking.count_experiments import TRAINING_TAG, count_experiments
from nbrelapse.tracking.fetch_model import fetched_model
from nbrelapse.tracking.holdout_openings import HOLDOUT_TAG, count_holdout_openings
from nbrelapse.tracking.log_experiment import Logged, log_experiment
from nbrelapse.tracking.read_experiment import RecordedExperiment, read_experiment
from nbrelapse.tracking.records import DatasetRecord, ExperimentRecord, ModelRecord
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
