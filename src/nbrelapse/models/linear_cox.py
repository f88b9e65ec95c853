"""What the linear Cox models share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from nbrelapse.models.design import read_columns, training_matrix
from nbrelapse.models.linear_model import LinearModel
from nbrelapse.models.risk_model import ModelState
from nbrelapse.models.standardise import Standardised
from nbrelapse.models.survival_model import SurvivalModel


class LinearCox(LinearModel, SurvivalModel):
    """Cox regression on standardised features; the coefficients are log hazard ratios."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit the coefficients and the hazards.

        Raises
        ------
        InputError
            A column cannot be read, fewer than two patients had the event, or a parameter is out of its range.
        """
        self.feature_names_in_, values, y = training_matrix(X, y, self.columns)
        self._fit_standardised(self._standardise(values), y)
        self._fit_hazards(values, y, self._terms(values).sum(axis=1))
        return self

    @abstractmethod
    def _fit_standardised(self, found: Standardised, y: np.ndarray) -> None:
        """Set ``coefficients_`` and ``missing_effects_``."""

    def trial_fold(self, X: pd.DataFrame, y: np.ndarray, unseen: pd.DataFrame) -> Callable[[Self], np.ndarray]:
        """Standardise the features once for all trials; see :meth:`RiskModel.trial_fold`."""
        fold = clone(self)
        fold.feature_names_in_, values, y = training_matrix(X, y, self.columns)
        found, others = fold._standardise(values), read_columns(unseen, fold.feature_names_in_)

        def log_risk(trial: Self) -> np.ndarray:
            fold.set_params(**trial.get_params(deep=False))._fit_standardised(found, y)
            return np.asarray(fold.intercept_ + fold._terms(others).sum(axis=1))

        return log_risk

    def _document(self) -> dict[str, Any]:
        return super()._document() | self._hazards()

    def state(self) -> ModelState:
        """Return the fitted model as JSON data."""
        return ModelState(self._document())

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model._read_hazards(state.document)
        return model
