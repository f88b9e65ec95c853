"""Random outcomes with everything that is awkward: ties, censoring, competing events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.models.baseline_hazard import BaselineHazard
from nbrelapse.models.risk_model import Attribution, ModelState
from nbrelapse.models.survival_model import SurvivalModel
from nbrelapse.outcome.outcome import SURVIVAL_DTYPE


def random_outcome(n: int, seed: int, *, competing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return ``y`` and log risks that predict it; times and risks have ties."""
    generator = np.random.default_rng(seed)
    risk = generator.normal(size=n).round(1)
    times = np.stack(
        [
            generator.exponential(900 * np.exp(-0.8 * risk)),
            generator.exponential(4000, size=n) if competing else np.full(n, np.inf),
            generator.uniform(100, 2600, size=n),
        ]
    )
    y = np.empty(n, dtype=SURVIVAL_DTYPE)
    y["event"] = np.array([1, 2, 0])[times.argmin(axis=0)]
    y["time"] = np.ceil(times.min(axis=0) / 50) * 50
    return y, risk


def boolean_outcome(y: np.ndarray) -> np.ndarray:
    """Return ``y`` as scikit-survival wants it, with competing events censored."""
    found = np.empty(len(y), dtype=[("event", bool), ("time", float)])
    found["event"], found["time"] = y["event"] == 1, y["time"]
    return found


@pytest.fixture
def outcome() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return random_outcome


@pytest.fixture
def as_boolean() -> Callable[[np.ndarray], np.ndarray]:
    return boolean_outcome


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
        self.baseline_ = BaselineHazard.fit(y, self.predict_log_risk(X))
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
