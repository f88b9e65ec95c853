"""All that an experiment found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.guards import Guards
from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.models.risk_model import RiskModel
from nbrelapse.validation.evaluate import Evaluation
from nbrelapse.validation.predictions import Predictions


@dataclass(frozen=True)
class ExperimentResult:
    """All that an experiment found, before anything is written.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData
    predictions : dict of str to Predictions
        Nested cross-validated predictions of the training patients, by model.
    cross_validation : Evaluation
        Of ``predictions``.
    holdout : Evaluation or None
        Of the named hold-out, which no model has seen.
    holdout_predictions : dict of str to Predictions or None
    models : dict of str to RiskModel
        Tuned and fitted on all training patients; the clinical baselines among them.
    refits : dict of str to list of RiskModel
        Bootstrap refits of the compared families.
    explanations : dict of str to Explanation
        Attributions of the training patients, by compared family.
    stability : dict of str to Stability
        The same over ``refits``, and over refits without each fold of as many folds as the cross-validation has.
    chosen : str
        The family with the highest cross-validated Harrell C (AUC of a binary endpoint) over all training patients.
    times : ndarray of shape (n_times,)
        Days at which incidence was predicted.
    notes : list of str
        What was shortened, left out or is unavailable.
    guards : Guards
        What the experiment checked of itself.
    leave_one_out : Evaluation or None
        Of groups that the models were not trained on, and of their mean.
    """

    config: ExperimentConfig
    data: PreparedData
    predictions: dict[str, Predictions]
    cross_validation: Evaluation
    holdout: Evaluation | None
    holdout_predictions: dict[str, Predictions] | None
    models: dict[str, RiskModel]
    refits: dict[str, list[RiskModel]]
    explanations: Mapping[str, Explanation]
    stability: Mapping[str, Stability]
    chosen: str
    times: np.ndarray
    notes: list[str]
    guards: Guards
    leave_one_out: Evaluation | None = None

    @property
    def baselines(self) -> list[str]:
        """The clinical baselines that were available."""
        return [name for name in self.models if name.startswith("clinical_")]

    def metric(self, model: str, metric: str, population: str = "all", *, holdout: bool = False) -> dict[str, Any]:
        """One row of the metrics: value, low, high, n, events."""
        evaluation = self.holdout if holdout else self.cross_validation
        if evaluation is None:
            raise KeyError("this experiment has no hold-out")
        table = evaluation.metrics
        row = table[(table["model"] == model) & (table["metric"] == metric) & (table["population"] == population)]
        return dict(row.iloc[0])
