"""Every call to MLflow that records or reads a run."""

from nbrelapse.tracking.fetch_model import fetch_model
from nbrelapse.tracking.leaderboard import HOLDOUT_TAG, count_holdout_openings, read_leaderboard
from nbrelapse.tracking.log_experiment import Logged, log_experiment
from nbrelapse.tracking.records import DatasetRecord, ExperimentRecord, ModelRecord
from nbrelapse.tracking.store import use_store

__all__ = [
    "HOLDOUT_TAG",
    "DatasetRecord",
    "ExperimentRecord",
    "Logged",
    "ModelRecord",
    "count_holdout_openings",
    "fetch_model",
    "log_experiment",
    "read_leaderboard",
    "use_store",
]
