"""What the linear models share: standardising, missing values, attributions, saving."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.models.design import background_rows, read_columns
from nbrelapse.models.risk_model import Attribution, ModelState, RiskModel
from nbrelapse.models.standardise import Standardised, standardise

NOT_ASSAYED = ("mean", "indicator")


class LinearModel(RiskModel):
    """A log risk that is linear in standardised features.

    Features are standardised with the mean and standard deviation of the observed training values. A missing value
    stands at the mean, so that a feature that was not assayed contributes exactly 0 to the log risk: no evidence
    either way; and the fewer patients a feature is known in, the more the penalty holds its coefficient back. With
    ``not_assayed = "indicator"`` that a patient was not assayed may speak as well: features that are missing in the
    same training patients share one indicator, and each carries its part of its effect. It says who was examined, not
    what the tumour is, so it holds only where patients are chosen for an assay in the same way.

    Attributes
    ----------
    coefficients_ : ndarray of shape (n_features,)
        Change of the log risk per unit of the feature as given.
    intercept_ : float
        Log risk of the training mean; 0 in Cox regression.
    means_ : ndarray of shape (n_features,)
        Training means; NaN-free, 0 for a feature that was never observed.
    missing_effects_ : ndarray of shape (n_features,)
        What a missing value adds to the log risk, compared with a value at the mean; 0 without indicators.
    missing_rates_ : ndarray of shape (n_features,)
        Share of training patients without a value.
    unused_ : list of str
        Features in which fewer than three training patients differ from the most frequent value (constant and never
        observed ones among them); their coefficient is 0.
    """

    coefficients_: np.ndarray
    intercept_: float = 0.0
    means_: np.ndarray
    missing_effects_: np.ndarray
    missing_rates_: np.ndarray
    not_assayed: str

    def _standardise(self, values: np.ndarray) -> Standardised:
        if self.not_assayed not in NOT_ASSAYED:
            raise InputError(
                f"illegal not_assayed {self.not_assayed!r}", column="not_assayed", expected=" or ".join(NOT_ASSAYED)
            )
        found = standardise(values, indicators=self.not_assayed == "indicator")
        self.means_ = found.means
        self.missing_rates_ = np.isnan(values).mean(axis=0)
        self.unused_ = [str(name) for name in np.delete(self.feature_names_in_, found.used)]
        return found

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        """Log risk, shape (n_samples,)."""
        return np.asarray(self.intercept_ + self._contributions(X).sum(axis=1))

    def attribute(self, X: pd.DataFrame, background: pd.DataFrame | None = None) -> Attribution:
        """Exact SHAP values of a linear model: coefficient × (value − training mean), and 0 for a missing value.

        With indicators a missing value contributes its effect, less what it contributes on average. With a background
        all is relative to the mean contribution of its patients; see :meth:`RiskModel.attribute`.
        """
        terms, baseline = self._contributions(X), self.intercept_
        if background is not None:
            usual = self._contributions(background_rows(background)).mean(axis=0)
            terms, baseline = terms - usual, baseline + float(usual.sum())
        return Attribution(baseline, pd.DataFrame(terms, index=X.index, columns=self.feature_names_in_))

    def _contributions(self, X: pd.DataFrame) -> np.ndarray:
        return self._terms(read_columns(X, self.feature_names_in_))

    def _terms(self, values: np.ndarray) -> np.ndarray:
        missing = np.isnan(values)
        terms = np.where(missing, 0.0, values - self.means_) * self.coefficients_
        return terms + (missing - self.missing_rates_) * self.missing_effects_

    def _document(self) -> dict[str, Any]:
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name != "columns"}
        document = {
            "family": self.family,
            "parameters": parameters,
            "features": [str(name) for name in self.feature_names_in_],
            "coefficients": self.coefficients_.tolist(),
            "means": self.means_.tolist(),
            "unused": self.unused_,
        }
        if self.missing_effects_.any():
            document["missing"] = {
                "effects": self.missing_effects_.tolist(),
                "rates": self.missing_rates_.tolist(),
            }
        return document

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        document = state.document
        model = cls(document["features"], **document["parameters"])
        model.feature_names_in_ = np.asarray(document["features"], dtype=object)
        model.coefficients_ = np.asarray(document["coefficients"], dtype=float)
        model.means_ = np.asarray(document["means"], dtype=float)
        nothing = np.zeros(len(model.means_))
        missing = document.get("missing", {"effects": nothing, "rates": nothing})
        model.missing_effects_ = np.asarray(missing["effects"], dtype=float)
        model.missing_rates_ = np.asarray(missing["rates"], dtype=float)
        model.unused_ = list(document["unused"])
        return model
