"""What every time-to-event model offers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.models.baseline_hazard import BaselineHazard
from nbrelapse.models.risk_model import RiskModel


class SurvivalModel(RiskModel):
    """Base of the models of a time to an event.

    ``y`` is structured: ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days. Fitting sets
    ``baseline_`` as well. The log risk is centred: its mean over the training patients is 0.
    """

    baseline_: BaselineHazard

    def predict_risk(self, X: pd.DataFrame, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log relative hazard, and cumulative incidence of the event; see :meth:`RiskModel.predict_risk`."""
        log_risk = self.predict_log_risk(X)
        return log_risk, self.baseline_.cumulative_incidence(log_risk, np.asarray(times, dtype=float))[:, 1]

    def predict_survival(self, X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        """Probability of having had neither the event nor a competing one, shape (n_samples, n_times)."""
        return self.predict_cumulative_incidence(X, times)[:, 0, :]

    def predict_cumulative_incidence(self, X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        """Probability of each state at each time.

        Returns
        -------
        ndarray of shape (n_samples, n_causes + 1, n_times)
            Index 0 is event-free, 1 the event, 2 (where training saw one) the competing event; sums to 1.
        """
        return self.baseline_.cumulative_incidence(self.predict_log_risk(X), np.asarray(times, dtype=float))
