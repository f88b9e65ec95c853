"""What every model of a binary endpoint offers: log odds, calibrated within the training patients."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import clone

from nbrelapse.models.design import training_matrix, training_order
from nbrelapse.models.inner_folds import inner_folds
from nbrelapse.models.platt_scaling import platt_scaling
from nbrelapse.models.risk_model import RiskModel

_FEWEST_A_CLASS = 10
"""With fewer patients of either class their out-of-fold log odds cannot tell a slope. A choice of caution."""


class BinaryModel(RiskModel):
    """Base of the models of a binary endpoint.

    ``y`` is 0 or 1 (int8). The log risk is the log odds of the event; it is absolute, not centred. After the fit the
    log odds are recalibrated by a straight line (:func:`platt_scaling`), learned on log odds that were cross-fitted
    within the training patients: models refitted without a part of them predict that part. Patients who stand in X
    more than once (bootstrap resamples) are kept on one side. With fewer than ten patients of either class the
    log odds stay as fitted.

    Subclasses set the parameter ``calibration_folds`` (0 = as fitted) and implement ``_fit_raw`` and ``_recalibrate``.

    Attributes
    ----------
    calibration_ : tuple of (intercept, slope)
        ``log_risk = intercept + slope * log odds as fitted``; (0, 1) where they were left alone.
    """

    calibration_folds: int
    calibration_: tuple[float, float]

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit the model and calibrate it.

        Raises
        ------
        InputError
            A column cannot be read, or fewer than two patients had the event, or fewer than two were without it.
        """
        self.feature_names_in_, values, outcome = training_matrix(X, y, self.columns)
        self._fit_raw(values, outcome)
        self.calibration_ = self._calibration(X, y)
        if self.calibration_ != (0.0, 1.0):
            self._recalibrate(*self.calibration_)
        return self

    @abstractmethod
    def _fit_raw(self, values: np.ndarray, y: np.ndarray) -> None:
        """Fit the log odds; the rows are in their canonical order."""

    @abstractmethod
    def _recalibrate(self, intercept: float, slope: float) -> None:
        """Make ``intercept + slope * log odds`` the log odds that are predicted and attributed."""

    def for_trial(self) -> Self:
        """Return an unfitted copy that does not calibrate.

        A trial is judged by the likelihood of out-of-fold log odds, which already prefers those of the right size.
        """
        return clone(self).set_params(calibration_folds=0)

    def _calibration(self, X: pd.DataFrame, y: np.ndarray) -> tuple[float, float]:
        if self.calibration_folds < 2 or np.bincount(y, minlength=2).min() < _FEWEST_A_CLASS:
            return 0.0, 1.0
        order = training_order(X, y, self.columns)
        X, y = X.iloc[order], y[order]
        log_odds = np.empty(len(y))
        for train, test in inner_folds(X.index, y, self.calibration_folds):
            if min(y[train].sum(), (1 - y[train]).sum()) < 2:
                return 0.0, 1.0
            log_odds[test] = self.for_trial().fit(X.iloc[train], y[train]).predict_log_risk(X.iloc[test])
        return platt_scaling(y, log_odds)

    def predict_probability(self, X: pd.DataFrame) -> np.ndarray:
        """Probability of the event, shape (n_samples,)."""
        return np.asarray(expit(self.predict_log_risk(X)))

    def predict_risk(self, X: pd.DataFrame, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log odds, and the probability of the event at every time; see :meth:`RiskModel.predict_risk`."""
        log_risk = self.predict_log_risk(X)
        return log_risk, np.repeat(np.asarray(expit(log_risk))[:, None], len(times), axis=1)
