"""What the models made of trees share: missing values, saving."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from nbrelapse.models.design import background_rows, read_columns
from nbrelapse.models.risk_model import ModelState, RiskModel

if TYPE_CHECKING:
    import xgboost


class TreeModel(RiskModel):
    """Base of the models whose trees are an XGBoost model.

    Missing values are split on natively: a patient who was not assayed follows the branch that training found best
    for such patients. Where training saw no missing value of a feature no branch was ever chosen for one, and such a
    patient stands at the training median.

    Attributes
    ----------
    booster_ : xgboost.Booster
    medians_ : ndarray of shape (n_features,)
        Training medians of the features without a missing value in training; NaN for the others.
    """

    booster_: xgboost.Booster
    medians_: np.ndarray

    def _matrix(self, values: np.ndarray) -> xgboost.DMatrix:
        import xgboost

        return xgboost.DMatrix(self._filled(values), feature_names=self._names(), nthread=1)

    def _names(self) -> list[str]:
        return [str(name) for name in self.feature_names_in_]

    def _filled(self, values: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(values), self.medians_, values)

    def _read(self, X: pd.DataFrame) -> xgboost.DMatrix:
        return self._matrix(read_columns(X, self.feature_names_in_))

    def _margin(self, data: xgboost.DMatrix) -> np.ndarray:
        return self.booster_.predict(data, output_margin=True).astype(float)

    def _margin_contributions(self, X: pd.DataFrame, background: pd.DataFrame | None) -> tuple[float, np.ndarray]:
        """Return the expected margin and exact SHAP values of the margin, shape (n_samples, n_features).

        Path-dependent by XGBoost, interventional by shap (Lundberg 2020, 10.1038/s42256-019-0138-9).
        """
        values = self._filled(read_columns(X, self.feature_names_in_))
        if background is None:
            # A patient's contributions do not depend on the threads; training keeps to one.
            self.booster_.set_param({"nthread": 0})
            # Without a patient there is nothing to predict, but there still is an expected margin.
            data = self._matrix(values if len(values) else np.zeros((1, len(self.feature_names_in_))))
            found = self.booster_.predict(data, pred_contribs=True)
            self.booster_.set_param({"nthread": 1})
            return float(found[0, -1]), found[: len(values), :-1].astype(float)
        with warnings.catch_warnings():
            # shap's own pictures use what matplotlib will deprecate.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            import shap

        usual = self._filled(read_columns(background_rows(background), self.feature_names_in_)).astype(np.float32)
        explainer = shap.TreeExplainer(self.booster_, shap.maskers.Independent(usual, max_samples=len(usual)))
        found = explainer.shap_values(values.astype(np.float32)) if len(values) else values
        return float(explainer.expected_value), np.asarray(found, dtype=float)

    def _document(self) -> dict[str, Any]:
        parameters = {
            name: value for name, value in self.get_params(deep=False).items() if name not in ("columns", "directions")
        }
        return {
            "family": self.family,
            "parameters": parameters,
            "features": self._names(),
            "medians": [None if np.isnan(median) else float(median) for median in self.medians_],
        }

    def _blobs(self) -> dict[str, bytes]:
        return {"model.ubj": bytes(self.booster_.save_raw("ubj"))}

    @classmethod
    def _unfitted(cls, document: Mapping[str, Any]) -> Self:
        return cls(document["features"], **document["parameters"])

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        import xgboost

        document = state.document
        model = cls._unfitted(document)
        model.feature_names_in_ = np.asarray(document["features"], dtype=object)
        model.booster_ = xgboost.Booster({"nthread": 1})
        model.booster_.load_model(bytearray(state.blobs["model.ubj"]))
        model.medians_ = np.asarray(document["medians"], dtype=float)
        return model
