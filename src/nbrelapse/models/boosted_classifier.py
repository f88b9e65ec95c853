"""Gradient-boosted logistic regression with monotone constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np

from nbrelapse.models.binary_model import BinaryModel
from nbrelapse.models.boosted_model import BoostedModel
from nbrelapse.models.risk_model import ModelState


class BoostedClassifier(BoostedModel, BinaryModel):
    """XGBoost trees on the logistic likelihood, monotone where the catalogue expects a direction.

    See :class:`BoostedModel` for the parameters that it shares with Cox regression and what becomes of missing values,
    and :class:`BinaryModel` for the calibration, which is ``offset_`` and ``slope_``.

    Parameters
    ----------
    columns, directions
        As in :class:`BoostedModel`.
    calibration_folds : int, default 5
        Parts that the training patients are divided into for the calibration; 0 = none.
    n_estimators, learning_rate, max_depth, min_child_weight, subsample, colsample_bytree, reg_lambda, seed
        As in :class:`BoostedModel`.
    """

    family: ClassVar[str] = "boosted_classifier"

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        directions: Mapping[str, int] | None = None,
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.05,
        max_depth: int = 2,
        min_child_weight: float = 3.0,
        subsample: float = 0.7,
        colsample_bytree: float = 0.5,
        reg_lambda: float = 3.0,
        calibration_folds: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__(
            columns,
            directions,
            n_estimators=n_estimators,
            learning_rate=learning_rate,
            max_depth=max_depth,
            min_child_weight=min_child_weight,
            subsample=subsample,
            colsample_bytree=colsample_bytree,
            reg_lambda=reg_lambda,
            seed=seed,
        )
        self.calibration_folds = calibration_folds

    def _fit_raw(self, values: np.ndarray, y: np.ndarray) -> None:
        self.offset_, self.slope_ = 0.0, 1.0
        self._grow(values, y, {"objective": "binary:logistic", "base_score": float(y.mean())})

    def _recalibrate(self, intercept: float, slope: float) -> None:
        self.offset_, self.slope_ = -intercept, slope

    def state(self) -> ModelState:
        """Return the fitted model: JSON data, and the trees as UBJSON."""
        calibration = {"calibration": [float(value) for value in self.calibration_]}
        return ModelState(self._document() | calibration, self._blobs())

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        intercept, slope = state.document["calibration"]
        model.calibration_ = (float(intercept), float(slope))
        model._recalibrate(*model.calibration_)
        return model
