"""What every time-to-event model offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from nbrelapse.models.baseline_hazard import BaselineHazard
from nbrelapse.models.competing_risk import CompetingRisk
from nbrelapse.models.design import read_columns
from nbrelapse.models.risk_model import RiskModel


class SurvivalModel(RiskModel):
    """Base of the models of a time to an event.

    ``y`` is structured: ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days. The log risk is centred:
    its mean over the training patients is 0. A family ends its fit with :meth:`_fit_hazards`, which learns the hazards
    of the event and of the competing event from the log risk and the features.

    Attributes
    ----------
    baseline_ : BaselineHazard
    competing_ : CompetingRisk or None
        The cause-specific model of the competing event; None where training saw too few of them, and in models of
        before 0.3.0: the competing hazard is then that of the baseline.
    """

    baseline_: BaselineHazard
    competing_: CompetingRisk | None = None
    _log_risk_alone: bool = False

    def for_trial(self) -> Self:
        """Return an unfitted copy that leaves out the competing event: a trial is judged by log risks."""
        copy: Self = clone(self)
        copy._log_risk_alone = True
        return copy

    def _fit_hazards(self, values: np.ndarray, y: np.ndarray, log_risk: np.ndarray) -> None:
        """Learn both hazards from features, outcomes and centred log risks of the training patients."""
        self.competing_ = None if self._log_risk_alone else CompetingRisk.fit(values, y, log_risk)
        competing = None if self.competing_ is None else self.competing_.log_risk(values, log_risk)
        self.baseline_ = BaselineHazard.fit(y, log_risk, competing)

    def _hazards(self) -> dict[str, Any]:
        """Return what :meth:`_fit_hazards` learned, as JSON data."""
        competing = None if self.competing_ is None else self.competing_.to_dict()
        return {"baseline": self.baseline_.to_dict(), "competing": competing}

    def _read_hazards(self, document: Mapping[str, Any]) -> None:
        """Take back what :meth:`_hazards` wrote."""
        competing = document.get("competing")
        self.competing_ = None if competing is None else CompetingRisk.from_dict(competing)
        self.baseline_ = BaselineHazard.from_dict(document["baseline"])

    def predict_risk(self, X: pd.DataFrame, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log relative hazard, and cumulative incidence of the event; see :meth:`RiskModel.predict_risk`."""
        log_risk = self.predict_log_risk(X)
        return log_risk, self._states(X, log_risk, times)[:, 1]

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
        return self._states(X, self.predict_log_risk(X), times)

    def _states(self, X: pd.DataFrame, log_risk: np.ndarray, times: np.ndarray) -> np.ndarray:
        competing = None
        if self.competing_ is not None:
            competing = self.competing_.log_risk(read_columns(X, self.feature_names_in_), log_risk)
        return self.baseline_.cumulative_incidence(log_risk, np.asarray(times, dtype=float), competing)
