"""What every time-to-event risk model offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from nbrelapse.models.baseline_hazard import BaselineHazard

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class ModelState:
    """A fitted model as plain data: what a bundle stores.

    Parameters
    ----------
    document : dict
        JSON types only.
    blobs : dict of str to bytes
        Native model files (XGBoost UBJSON) by file name; empty for models that are all JSON.
    """

    document: dict[str, Any]
    blobs: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Attribution:
    """Additive explanation of log risks: ``baseline + values.sum(axis=1) == log_risk``.

    Parameters
    ----------
    baseline : float
        Where the contributions start: the log risk of the training mean for linear models; for trees the expected
        value that path-dependent TreeSHAP starts from (training weighted by the trees' cover).
    values : DataFrame of shape (n_patients, n_features)
        Exact SHAP values on the log-hazard scale.
    """

    baseline: float
    values: pd.DataFrame


class RiskModel(BaseEstimator, ABC):
    """Base of the survival models.

    ``fit(X, y)`` takes a float DataFrame (a column a feature, NaN = not assayed) and the structured ``y`` of
    :class:`nbrelapse.outcome.Outcome`: ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    Every model has the parameter ``columns``: the columns of X that it reads (None = all), so that models of
    different appetite share one feature table. Fitting sets ``feature_names_in_`` and ``baseline_``. The log
    risk is centred: its mean over the training patients is 0.
    """

    family: ClassVar[str]
    """Name in experiment files and bundles, such as ``cox``."""

    feature_names_in_: np.ndarray
    baseline_: BaselineHazard

    @abstractmethod
    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit the model."""

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Parameters that a tuning trial proposes; empty where there is nothing to tune."""
        return {}

    @abstractmethod
    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        """Log relative hazard of the event, shape (n_samples,)."""

    @abstractmethod
    def attribute(self, X: pd.DataFrame) -> Attribution:
        """Exact additive attributions of ``predict_log_risk(X)`` to the features."""

    @abstractmethod
    def state(self) -> ModelState:
        """Return the fitted model as plain data."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again; its predictions are equal to the last bit."""

    def predict_survival(self, X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        """Probability of having had neither the event nor a competing one, shape (n_samples, n_times)."""
        return self.predict_cumulative_incidence(X, times)[:, 0, :]

    def predict_cumulative_incidence(self, X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        """Probability of each state at each time.

        Returns
        -------
        ndarray of shape (n_samples, n_causes + 1, n_times)
            Index 0 is event-free, 1 the event, 2 (where training saw one) the competing event; sums to 1.
        """
        return self.baseline_.cumulative_incidence(self.predict_log_risk(X), np.asarray(times, dtype=float))
