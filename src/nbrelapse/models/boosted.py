"""Gradient-boosted Cox regression with monotone constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from nbrelapse.models.boosted_model import BoostedModel
from nbrelapse.models.design import read_columns, training_matrix
from nbrelapse.models.risk_model import ModelState
from nbrelapse.models.survival_model import SurvivalModel

OBJECTIVE = {"objective": "survival:cox", "base_score": 1.0}


class BoostedCox(BoostedModel, SurvivalModel):
    """XGBoost trees on the Cox partial likelihood, monotone where the catalogue expects a direction.

    See :class:`BoostedModel` for the parameters, the other attributes and what becomes of missing values.

    Attributes
    ----------
    offset_ : float
        Mean training margin; log risks are relative to it.
    baseline_, competing_
        See :class:`SurvivalModel`.
    """

    family: ClassVar[str] = "boosted"

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Grow the trees and estimate the hazards.

        Raises
        ------
        InputError
            A column cannot be read, or fewer than two patients had the event.
        """
        self.feature_names_in_, values, y = training_matrix(X, y, self.columns)
        margin = self._grow(values, self._label(y), OBJECTIVE)
        self.offset_ = float(margin.mean())
        self._fit_hazards(values, y, margin - self.offset_)
        return self

    def trial_fold(self, X: pd.DataFrame, y: np.ndarray, unseen: pd.DataFrame) -> Callable[[Self], np.ndarray]:
        """Bin the features once for all trials; see :meth:`RiskModel.trial_fold`."""
        import xgboost

        fold = clone(self)
        fold.feature_names_in_, values, y = training_matrix(X, y, self.columns)
        data = fold._training_data(values, fold._label(y))
        others = xgboost.DMatrix(fold._filled(read_columns(unseen, fold.feature_names_in_)), nthread=1)

        def log_risk(trial: Self) -> np.ndarray:
            booster = fold.set_params(**trial.get_params(deep=False))._boost(data, OBJECTIVE)
            margins = [booster.predict(part, output_margin=True).astype(float) for part in (data, others)]
            return np.asarray(margins[1] - float(margins[0].mean()))

        return log_risk

    def _label(self, y: np.ndarray) -> np.ndarray:
        """Return ranks of the times, negative where the event was not seen, as survival:cox wants them.

        At equal times XGBoost's gradient depends on the order of the rows and drops patients from risk sets that they
        belong to. The partial likelihood reads ranks only, so ties are broken here: events before censorings, events
        among themselves by lot.
        """
        lot = np.random.default_rng(self.seed).random(len(y))
        rank = np.empty(len(y))
        rank[np.lexsort((lot, y["event"] != 1, y["time"]))] = np.arange(1, len(y) + 1)
        return np.where(y["event"] == 1, rank, -rank)

    def state(self) -> ModelState:
        """Return the fitted model: JSON data, and the trees as UBJSON."""
        return ModelState(self._document() | {"offset": self.offset_} | self._hazards(), self._blobs())

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model.offset_ = float(state.document["offset"])
        model._read_hazards(state.document)
        return model
