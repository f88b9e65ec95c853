"""A model that notices when it is asked for patients that it was fitted with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.models.base import Attribution, ModelState
from nbrelapse.models.hazards import _BaselineHazard
from nbrelapse.models.survival import SurvivalModel


class SlopeModel(SurvivalModel):
    """The log risk is ``slope`` times the column ``x``: nothing is learned but the mean and the baseline."""

    family = "slope"

    def __init__(self, slope: float = 1.0, *, tunable: bool = True) -> None:
        self.slope = slope
        self.tunable = tunable

    def suggest(self, trial: Any) -> dict[str, Any]:
        return {"slope": trial.suggest_float("slope", -4, 4)} if self.tunable else {}

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> SlopeModel:
        if self.slope < -3:
            raise FloatingPointError("diverged")
        self.patients_ = X.index
        self.mean_ = float(X["x"].mean())
        self.baseline_ = _BaselineHazard.fit(y, self.predict_log_risk(X))
        return self

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        assert len(self.patients_.intersection(X.index)) == 0 or X.index.equals(self.patients_)
        return self.slope * (X["x"].to_numpy() - self.mean_)

    def attribute(self, X: pd.DataFrame) -> Attribution:
        return Attribution(0.0, self.slope * (X[["x"]] - self.mean_))

    def state(self) -> ModelState:
        return ModelState({"slope": self.slope})

    @classmethod
    def from_state(cls, state: ModelState) -> SlopeModel:
        return cls(**state.document)


@pytest.fixture
def slope_model() -> type[SlopeModel]:
    """A model that refuses to predict a patient it was fitted with among others it was not."""
    return SlopeModel
