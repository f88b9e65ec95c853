"""Elastic-net Cox regression."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.models.baseline_hazard import BaselineHazard
from nbrelapse.models.design import read_columns, training_matrix
from nbrelapse.models.risk_model import Attribution, ModelState, RiskModel

if TYPE_CHECKING:
    import optuna

_PATH_LENGTH = 12
"""Penalties walked through on the way to the one asked for; each fit starts from the last."""

_MIN_PATIENTS = 3
"""A coefficient never rests on fewer patients: one early event in the only carrier has an unbounded hazard ratio."""

_MAX_ITERATIONS = 20_000
"""Coordinate descent passes over a whole path; a fit that needs more is not going to converge."""


class CoxElasticNet(RiskModel):
    """Cox regression with an elastic-net penalty (scikit-survival's Coxnet; Simon 2011, 10.18637/jss.v039.i05).

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
        Log hazard ratios per unit of the feature as given.
    means_ : ndarray of shape (n_features,)
        Training means; NaN-free, 0 for a feature that was never observed.
    penalty_ : float
        The strength fitted: larger than ``penalty`` where the fit would not converge at it.
    unused_ : list of str
        Features in which fewer than three training patients differ from the most frequent value (constant and never
        observed ones among them); their coefficient is 0.
    baseline_ : BaselineHazard

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mycn__amplified": rng.integers(0, 2, 200).astype(float)})
    >>> y = np.zeros(200, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(X["mycn__amplified"].to_numpy()))
    >>> model = CoxElasticNet(penalty=0.01).fit(X, y)
    >>> bool(model.coefficients_[0] > 0.5)
    True
    """

    family: ClassVar[str] = "cox"

    coefficients_: np.ndarray
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

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit the coefficients and the baseline hazard.

        Raises
        ------
        InputError
            A column cannot be read, fewer than two patients had the event, or a parameter is out of its range.
        """
        self._check_parameters()
        self.feature_names_in_, values, y = training_matrix(X, y, self.columns)
        observed = ~np.isnan(values)
        count = observed.sum(axis=0)
        self.means_ = np.where(observed, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        centred = np.where(observed, values - self.means_, 0.0)
        scale = np.sqrt((centred**2).sum(axis=0) / np.maximum(count, 1))
        used = (scale > 1e-12 * np.maximum(1.0, np.abs(self.means_))) & (_off_mode(values) >= _MIN_PATIENTS)
        self.unused_ = [str(name) for name in self.feature_names_in_[~used]]
        self.coefficients_ = np.zeros(values.shape[1])
        self.penalty_ = self.penalty
        if used.any():
            standardised, self.penalty_ = self._coxnet(centred[:, used] / scale[used], y)
            self.coefficients_[used] = standardised / scale[used]
        self.baseline_ = BaselineHazard.fit(y, centred @ self.coefficients_)
        return self

    def _check_parameters(self) -> None:
        if not (0 < self.penalty < np.inf):
            raise InputError(f"illegal penalty {self.penalty!r}", column="penalty", expected="a number above 0")
        if not 0 < self.l1_ratio <= 1:
            raise InputError(f"illegal l1_ratio {self.l1_ratio!r}", column="l1_ratio", expected="above 0, at most 1")

    def _coxnet(self, Z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        from sklearn.exceptions import ConvergenceWarning
        from sksurv.linear_model import CoxnetSurvivalAnalysis
        from sksurv.util import Surv

        smallest = _smallest_null_penalty(Z, y)
        start = max(1.0 / self.l1_ratio, self.penalty)
        path = np.unique(np.geomspace(start, self.penalty, _PATH_LENGTH))[::-1] * smallest
        target = Surv.from_arrays(y["event"] == 1, y["time"])
        # Features that all but separate the patients let Coxnet's weights overflow, or its coefficients creep, at weak
        # penalties: stop earlier on the path then. At its first penalty nothing is selected.
        for end in range(len(path), 1, -1):
            model = CoxnetSurvivalAnalysis(l1_ratio=self.l1_ratio, alphas=path[:end], max_iter=_MAX_ITERATIONS)
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message="all coefficients are zero")
                    warnings.simplefilter("error", ConvergenceWarning)
                    model.fit(Z, target)
            except (ArithmeticError, ConvergenceWarning):
                continue
            return model.coef_[:, -1], float(path[end - 1] / smallest)
        return np.zeros(Z.shape[1]), float(path[0] / smallest)

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        """Log relative hazard against the mean training patient, shape (n_samples,)."""
        return self._contributions(X).sum(axis=1)

    def attribute(self, X: pd.DataFrame) -> Attribution:
        """Exact SHAP values of a linear model: coefficient × (value − training mean); missing values give 0."""
        index = X.index
        return Attribution(0.0, pd.DataFrame(self._contributions(X), index=index, columns=self.feature_names_in_))

    def _contributions(self, X: pd.DataFrame) -> np.ndarray:
        values = read_columns(X, self.feature_names_in_)
        return np.where(np.isnan(values), 0.0, values - self.means_) * self.coefficients_

    def state(self) -> ModelState:
        """Return the fitted model as JSON data."""
        return ModelState(
            {
                "family": self.family,
                "parameters": {"penalty": self.penalty, "l1_ratio": self.l1_ratio},
                "features": [str(name) for name in self.feature_names_in_],
                "coefficients": self.coefficients_.tolist(),
                "means": self.means_.tolist(),
                "penalty": self.penalty_,
                "unused": self.unused_,
                "baseline": self.baseline_.to_dict(),
            }
        )

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
        model.baseline_ = BaselineHazard.from_dict(document["baseline"])
        return model


def _off_mode(values: np.ndarray) -> np.ndarray:
    """Return how many observed values of each column differ from its most frequent one."""
    counts = [np.unique(column[~np.isnan(column)], return_counts=True)[1] for column in values.T]
    return np.array([count.sum() - count.max(initial=0) for count in counts])


def _smallest_null_penalty(Z: np.ndarray, y: np.ndarray) -> float:
    """Return the smallest lasso penalty at which all coefficients are 0: the largest score at the null, per patient."""
    null = BaselineHazard.fit(y, np.zeros(len(y)))
    hazard = np.concatenate([[0.0], np.cumsum(null.event_step)])
    residual = (y["event"] == 1) - hazard[np.searchsorted(null.times, y["time"], side="right")]
    return float(max(np.abs(Z.T @ residual).max() / len(y), 1e-12))
