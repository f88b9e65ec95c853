"""How likely a patient is still under observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from sksurv.nonparametric import kaplan_meier_estimator

from nbrelapse.outcome.event_of import is_survival


@dataclass(frozen=True)
class CensoringDistribution:
    """Kaplan-Meier estimate of ``G(t) = P(censoring time > t)``, for inverse-probability-of-censoring weights.

    Competing events end the observation but are not censoring. At tied times events come before censoring, as
    in scikit-survival.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Distinct observed times, increasing.
    probability : ndarray of shape (n_times,)
        G at ``times``.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(0, 10.0), (1, 20.0), (0, 30.0), (2, 40.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> CensoringDistribution.fit(y).at([5, 10, 35, 50]).tolist()
    [1.0, 0.75, 0.375, nan]
    """

    times: np.ndarray
    probability: np.ndarray

    @classmethod
    def fit(cls, y: np.ndarray) -> Self:
        """Estimate from ``event`` 0/1/2 and ``time`` in days; with a binary ``y`` nobody is censored."""
        if not is_survival(y):
            return cls(np.array([np.inf]), np.ones(1))
        return cls(*kaplan_meier_estimator(y["event"] != 0, y["time"], reverse=True))

    @property
    def last_time(self) -> float:
        """Longest observed time; G is positive before it and unknown after it."""
        return float(self.times[-1])

    def at(self, times: np.ndarray) -> np.ndarray:
        """Return G at any times; NaN after ``last_time``."""
        times = np.asarray(times, dtype=float)
        steps = np.concatenate([[1.0], self.probability])
        found = steps[np.searchsorted(self.times, times, side="right")]
        return np.where(times <= self.last_time, found, np.nan)
