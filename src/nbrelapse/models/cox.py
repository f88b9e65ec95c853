"""Elastic-net Cox regression."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np

from nbrelapse.models.baseline_hazard import BaselineHazard
from nbrelapse.models.elastic_net import ElasticNet, smallest_null_penalty
from nbrelapse.models.linear_cox import LinearCox

_PATH_LENGTH = 12
"""Penalties walked through on the way to the one asked for; each fit starts from the last."""

_MAX_ITERATIONS = 20_000
"""Coordinate descent passes over a whole path; a fit that needs more is not going to converge."""


class CoxElasticNet(ElasticNet, LinearCox):
    """Cox regression with an elastic-net penalty (scikit-survival's Coxnet; Simon 2011, 10.18637/jss.v039.i05).

    See :class:`ElasticNet` for the parameters, the other attributes and what becomes of missing values; the
    coefficients are log hazard ratios.

    Attributes
    ----------
    baseline_, competing_
        See :class:`SurvivalModel`.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mycn__amplified": rng.integers(0, 2, 200).astype(float)})
    >>> y = np.zeros(200, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(X["mycn__amplified"].to_numpy()))
    >>> model = CoxElasticNet(penalty=0.01).fit(X, y)
    >>> bool(model.coefficients_[0] > 0.5)
    True
    """

    family: ClassVar[str] = "cox"

    def _solve(self, Z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        from sklearn.exceptions import ConvergenceWarning
        from sksurv.linear_model import CoxnetSurvivalAnalysis
        from sksurv.util import Surv

        smallest = smallest_null_penalty(Z, _null_residual(y))
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


def _null_residual(y: np.ndarray) -> np.ndarray:
    """Martingale residuals of the model without features."""
    null = BaselineHazard.fit(y, np.zeros(len(y)))
    hazard = np.concatenate([[0.0], np.cumsum(null.event_step)])
    return (y["event"] == 1) - hazard[np.searchsorted(null.times, y["time"], side="right")]
