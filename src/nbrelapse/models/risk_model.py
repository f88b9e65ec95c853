"""What every risk model offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

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
        Where the contributions start: the mean log risk of the background where one was given. Without one, the log
        risk of the training mean for linear models; for trees the expected value that path-dependent TreeSHAP starts
        from (training weighted by the trees' cover).
    values : DataFrame of shape (n_patients, n_features)
        Exact SHAP values on the scale of the log risk.
    """

    baseline: float
    values: pd.DataFrame


class RiskModel(BaseEstimator, ABC):
    """Base of all models: :class:`SurvivalModel` for times to an event, :class:`BinaryModel` for yes or no.

    ``fit(X, y)`` takes a float DataFrame (a column a feature, NaN = not assayed) and the ``y`` of
    :class:`nbrelapse.outcome.Outcome`. Every model has the parameter ``columns``: the columns of X that it reads
    (None = all), so that models of different appetite share one feature table. Fitting sets ``feature_names_in_``.
    The log risk is the log relative hazard of a survival model, the log odds of a binary one; higher is worse.
    """

    family: ClassVar[str]
    """Name in experiment files and bundles, such as ``cox``."""

    reads_genes: ClassVar[bool] = False
    """Whether it can weigh hundreds of single genes, features of the role ``gene``."""

    feature_names_in_: np.ndarray

    @abstractmethod
    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit the model."""

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Parameters that a tuning trial proposes; empty where there is nothing to tune."""
        return {}

    def parts(self) -> Mapping[str, RiskModel]:
        """Unfitted models within this one that are tuned first, each on its own; most have none."""
        return {}

    def with_parts(self, parts: Mapping[str, RiskModel]) -> Self:
        """Return an unfitted copy whose parts have the parameters of those given."""
        return clone(self)

    def for_trial(self) -> Self:
        """Return an unfitted copy without what judging a tuning trial does not need."""
        return clone(self)

    def trial_fold(self, X: pd.DataFrame, y: np.ndarray, unseen: pd.DataFrame) -> Callable[[Self], np.ndarray]:
        """Prepare one inner fold of the tuning.

        Models that read, standardise or bin their features do it here, once for all trials.

        Parameters
        ----------
        X, y
            As in ``fit``.
        unseen : DataFrame of shape (n_unseen, n_features)
            The patients left out.

        Returns
        -------
        callable
            Takes a trial, a copy of this model whose tuned parameters alone may differ; returns the log risks of
            ``unseen`` that ``trial.for_trial().fit(X, y)`` predicts, to the last bit. The trial stays unfitted.
        """
        return lambda trial: trial.for_trial().fit(X, y).predict_log_risk(unseen)

    @abstractmethod
    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        """Log risk of the event, shape (n_samples,)."""

    @abstractmethod
    def predict_risk(self, X: pd.DataFrame, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log risk and probability of the event by each time, predicted in one go.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
        times : ndarray of shape (n_times,)
            Days. A binary endpoint knows no time: its probability is the same at all of them, and the one time
            asked for is infinity, see :func:`nbrelapse.validation.horizons.prediction_times`.

        Returns
        -------
        log_risk : ndarray of shape (n_samples,)
        probability : ndarray of shape (n_samples, n_times)
        """

    @abstractmethod
    def attribute(self, X: pd.DataFrame, background: pd.DataFrame | None = None) -> Attribution:
        """Additive attributions of ``predict_log_risk(X)`` to the features.

        They are exact in every family but the forest, whose log is shared out in proportion.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_features)
        background : DataFrame of shape (n_background, n_features), optional
            Patients to compare with: interventional Shapley values (Janzing 2020,
            https://proceedings.mlr.press/v108/janzing20a.html), which put background values in the place of features
            left out. Without it trees follow their own paths, and linear models compare with the training mean.

        Raises
        ------
        InputError
            A column cannot be read, or the background is empty.
        """

    @abstractmethod
    def state(self) -> ModelState:
        """Return the fitted model as plain data."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again; its predictions are equal to the last bit."""
