"""What the elastic-net regressions share: standardising, missing values, attributions, saving."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.models.design import read_columns
from nbrelapse.models.risk_model import Attribution, ModelState, RiskModel

if TYPE_CHECKING:
    import optuna

_MIN_PATIENTS = 3
"""A coefficient never rests on fewer patients: one early event in the only carrier has an unbounded hazard ratio."""


class StandardisedDesign(NamedTuple):
    """Features as an elastic net reads them.

    Parameters
    ----------
    centred : ndarray of shape (n, n_features)
        Values less their means; 0 where missing.
    scale : ndarray of shape (n_features,)
        Standard deviations of the observed values.
    used : ndarray of bool, shape (n_features,)
        Features that vary enough to have a coefficient.
    standardised : ndarray of shape (n, n_used)
    """

    centred: np.ndarray
    scale: np.ndarray
    used: np.ndarray
    standardised: np.ndarray


class LinearModel(RiskModel):
    """Elastic-net regression of a log risk on standardised features.

    Features are standardised with the mean and standard deviation of the observed training values. A missing value
    stands at the mean, so that a feature that was not assayed contributes exactly 0 to the log risk: no evidence
    either way; and the fewer patients a feature is known in, the more the penalty holds its coefficient back.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of X that the model reads; all of them by default.
    penalty : float, default 0.1
        Strength relative to the smallest lasso penalty that sets every coefficient to 0, so that one value means
        the same at any cohort size.
    l1_ratio : float, default 0.5
        Share of the lasso in the penalty, in (0, 1].

    Attributes
    ----------
    coefficients_ : ndarray of shape (n_features,)
        Change of the log risk per unit of the feature as given.
    intercept_ : float
        Log risk of the training mean; 0 in Cox regression.
    means_ : ndarray of shape (n_features,)
        Training means; NaN-free, 0 for a feature that was never observed.
    penalty_ : float
        The strength fitted: larger than ``penalty`` where the fit would not converge at it.
    unused_ : list of str
        Features in which fewer than three training patients differ from the most frequent value (constant and never
        observed ones among them); their coefficient is 0.
    """

    coefficients_: np.ndarray
    intercept_: float = 0.0
    means_: np.ndarray

    def __init__(self, columns: Sequence[str] | None = None, *, penalty: float = 0.1, l1_ratio: float = 0.5) -> None:
        self.columns = columns
        self.penalty = penalty
        self.l1_ratio = l1_ratio

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Propose a penalty and its lasso share."""
        return {
            "penalty": trial.suggest_float("penalty", 0.01, 3.0, log=True),
            # Both on a log scale, so that few trials fall where penalty × l1_ratio > 1 and nothing is selected.
            "l1_ratio": trial.suggest_float("l1_ratio", 0.02, 1.0, log=True),
        }

    def _check_parameters(self) -> None:
        if not (0 < self.penalty < np.inf):
            raise InputError(f"illegal penalty {self.penalty!r}", column="penalty", expected="a number above 0")
        if not 0 < self.l1_ratio <= 1:
            raise InputError(f"illegal l1_ratio {self.l1_ratio!r}", column="l1_ratio", expected="above 0, at most 1")

    def _fit_coefficients(self, values: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Fit all but what depends on the kind of outcome; return the centred values, 0 where missing."""
        design = self._standardise(values)
        self._fit_standardised(design, y)
        return design.centred

    def _standardise(self, values: np.ndarray) -> StandardisedDesign:
        """Learn means and scales; nothing here depends on the penalty."""
        observed = ~np.isnan(values)
        count = observed.sum(axis=0)
        self.means_ = np.where(observed, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        centred = np.where(observed, values - self.means_, 0.0)
        scale = np.sqrt((centred**2).sum(axis=0) / np.maximum(count, 1))
        used = (scale > 1e-12 * np.maximum(1.0, np.abs(self.means_))) & (_off_mode(values) >= _MIN_PATIENTS)
        self.unused_ = [str(name) for name in self.feature_names_in_[~used]]
        return StandardisedDesign(centred, scale, used, centred[:, used] / scale[used])

    def _fit_standardised(self, design: StandardisedDesign, y: np.ndarray) -> None:
        self._check_parameters()
        self.coefficients_ = np.zeros(len(design.used))
        self.penalty_ = self.penalty
        if design.used.any():
            standardised, self.penalty_ = self._solve(design.standardised, y)
            self.coefficients_[design.used] = standardised / design.scale[design.used]

    @abstractmethod
    def _solve(self, Z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients of standardised features, and the penalty they were fitted with."""

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        """Log risk, shape (n_samples,)."""
        return np.asarray(self.intercept_ + self._contributions(X).sum(axis=1))

    def attribute(self, X: pd.DataFrame) -> Attribution:
        """Exact SHAP values of a linear model: coefficient × (value − training mean); missing values give 0."""
        values = pd.DataFrame(self._contributions(X), index=X.index, columns=self.feature_names_in_)
        return Attribution(self.intercept_, values)

    def _contributions(self, X: pd.DataFrame) -> np.ndarray:
        return self._centred(X) * self.coefficients_

    def _centred(self, X: pd.DataFrame) -> np.ndarray:
        values = read_columns(X, self.feature_names_in_)
        return np.where(np.isnan(values), 0.0, values - self.means_)

    def _document(self) -> dict[str, Any]:
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name != "columns"}
        return {
            "family": self.family,
            "parameters": parameters,
            "features": [str(name) for name in self.feature_names_in_],
            "coefficients": self.coefficients_.tolist(),
            "means": self.means_.tolist(),
            "penalty": self.penalty_,
            "unused": self.unused_,
        }

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        document = state.document
        model = cls(document["features"], **document["parameters"])
        model.feature_names_in_ = np.asarray(document["features"], dtype=object)
        model.coefficients_ = np.asarray(document["coefficients"], dtype=float)
        model.means_ = np.asarray(document["means"], dtype=float)
        model.penalty_ = float(document["penalty"])
        model.unused_ = list(document["unused"])
        return model


def smallest_null_penalty(Z: np.ndarray, residual: np.ndarray) -> float:
    """Return the smallest lasso penalty at which all coefficients are 0: the largest score at the null, per patient.

    Parameters
    ----------
    Z : ndarray of shape (n, n_features)
        Standardised features.
    residual : ndarray of shape (n,)
        Observed less expected events, were the features of no account.
    """
    return float(max(np.abs(Z.T @ residual).max() / len(residual), 1e-12))


def _off_mode(values: np.ndarray) -> np.ndarray:
    """Return how many observed values of each column differ from its most frequent one."""
    counts = [np.unique(column[~np.isnan(column)], return_counts=True)[1] for column in values.T]
    return np.array([count.sum() - count.max(initial=0) for count in counts])
