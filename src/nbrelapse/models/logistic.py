"""Elastic-net logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from scipy.special import logit

from nbrelapse.models.binary_model import BinaryModel
from nbrelapse.models.elastic_net import ElasticNet, smallest_null_penalty
from nbrelapse.models.penalised_logistic import penalised_logistic
from nbrelapse.models.risk_model import ModelState

_PATH_LENGTH = 6
"""Penalties tried, each stronger than the last, where the fit does not converge at the one asked for."""


class LogisticElasticNet(ElasticNet, BinaryModel):
    """Logistic regression with an elastic-net penalty (Zou 2005, 10.1111/j.1467-9868.2005.00503.x).

    See :class:`ElasticNet` for what becomes of missing values and for the parameters that it shares with Cox
    regression, and :class:`BinaryModel` for the calibration, which is part of ``coefficients_`` and ``intercept_``.

    Parameters
    ----------
    columns, penalty, l1_ratio, not_assayed
        As in :class:`ElasticNet`.
    calibration_folds : int, default 5
        Parts that the training patients are divided into for the calibration; 0 = none.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mycn__amplified": rng.integers(0, 2, 400).astype(float)})
    >>> y = (rng.random(400) < np.where(X["mycn__amplified"] == 1, 0.2, 0.6)).astype(np.int8)
    >>> model = LogisticElasticNet(penalty=0.01).fit(X, y)
    >>> model.predict_probability(pd.DataFrame({"mycn__amplified": [1.0, 0.0]})).round(1).tolist()
    [0.2, 0.6]
    """

    family: ClassVar[str] = "logistic"

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        penalty: float = 0.1,
        l1_ratio: float = 0.5,
        not_assayed: str = "mean",
        calibration_folds: int = 5,
    ) -> None:
        super().__init__(columns, penalty=penalty, l1_ratio=l1_ratio, not_assayed=not_assayed)
        self.calibration_folds = calibration_folds

    def _fit_raw(self, values: np.ndarray, y: np.ndarray) -> None:
        self.intercept_ = float(logit(y.mean()))
        self._fit_standardised(self._standardise(values), y)

    def _solve(self, Z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        smallest = smallest_null_penalty(Z, y - y.mean())
        start = max(1.0 / self.l1_ratio, self.penalty)
        for penalty in np.unique(np.geomspace(self.penalty, start, _PATH_LENGTH)):
            found = penalised_logistic(Z, y, penalty * smallest, self.l1_ratio)
            if found is not None:
                coefficients, self.intercept_ = found
                return coefficients, float(penalty)
        return np.zeros(Z.shape[1]), float(start)

    def _recalibrate(self, intercept: float, slope: float) -> None:
        self.intercept_ = intercept + slope * self.intercept_
        self.coefficients_ = slope * self.coefficients_
        self.missing_effects_ = slope * self.missing_effects_

    def state(self) -> ModelState:
        """Return the fitted model as JSON data."""
        return ModelState(
            self._document()
            | {"intercept": self.intercept_, "calibration": [float(value) for value in self.calibration_]}
        )

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model.intercept_ = float(state.document["intercept"])
        intercept, slope = state.document["calibration"]
        model.calibration_ = (float(intercept), float(slope))
        return model
