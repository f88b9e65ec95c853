"""What is recorded of an experiment, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from mlflow.models import Model

KIND_TAG = "nbrelapse.kind"
EXPERIMENT = "experiment"
MODEL_TAG = "nbrelapse.model"
CHOSEN_TAG = "nbrelapse.chosen"
FAMILIES_TAG = "nbrelapse.families"
TRIALS_TAG = "nbrelapse.trials"
CORRECTED_METRIC = "corrected_for_choice"
APPARENT_METRIC = "before_correction"


@dataclass(frozen=True)
class ModelRecord:
    """One model of an experiment; a child run.

    Parameters
    ----------
    name : str
    parameters : dict of str to str
    metrics : dict of str to float
        ``<endpoint>/<metric>`` and so on; no NaN.
    save : callable, optional
        Called with a path and MLflow's description; saves the model there. None: the run has no model.
    tables : dict of str to DataFrame
        Logged as Parquet; without patient identifiers.
    figures : dict of str to Figure
    card : str, optional
        The model card, Markdown.
    """

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    save: Callable[[str, Model], object] | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    card: str | None = None


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
    name, description : str
    dataset : DatasetRecord
    parameters, tags : dict of str to str
    metrics : dict of str to float
        Of the chosen model.
    models : tuple of ModelRecord
    tables, figures, documents
        Tables (Parquet), pictures and texts (by file name) of the whole experiment.
    report : path, optional
        The HTML report.
    """

    name: str
    description: str
    dataset: DatasetRecord
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    models: tuple[ModelRecord, ...]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)
    report: Path | None = None
