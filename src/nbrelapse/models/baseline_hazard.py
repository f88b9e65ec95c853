"""Breslow's baseline hazard, with a competing event where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize_scalar

from nbrelapse.errors import InputError

_ROWS = 400
"""Patients worked on at once: their steps stay in the processor's cache."""

_SLOPES = (-3.0, 3.0)
"""Three standard deviations of the prior of the competing slope."""

_LARGEST_LOG_RISK = 300.0
"""Beyond it exp() leaves the range in which hazards can be added and divided; probabilities are 0 or 1 long before."""


@dataclass(frozen=True, eq=False)
class BaselineHazard:
    """Baseline hazard steps of the event, and of the competing event.

    With log risk r the hazard of the event makes the step ``exp(r) * event_step`` at each of ``times``
    (Breslow 1972, discussion of Cox, 10.1111/j.2517-6161.1972.tb00899.x); that of a competing event makes
    ``exp(competing_slope * r) * competing_step``. One slope on the log risk of the event is a stopgap until there are
    cause-specific models: without it, high-risk patients, who die of other causes more often too, would be given too
    high an incidence of relapse. Event-free survival is the exponential of minus the summed hazards, not the product
    limit of ``1 - step``: a patient of high risk can have a step above 1 late in follow-up, where few are left. At log
    risk 0 the incidence differs from that of Aalen and Johansen by the order of one over the number at risk.

    Parameters
    ----------
    times : ndarray of shape (n_steps,)
        Distinct event times in days, ascending.
    event_step, competing_step : ndarray of shape (n_steps,)
        ``competing_step`` is all 0 where training saw no competing event.
    competing_slope : float
        Log hazard ratio of the competing event per unit of the event's log risk: Cox regression with a standard
        normal prior, so that few competing events give a slope near 0.
    last_time : float
        Longest observed time in days; predictions beyond it are carried forward.
    competes : bool
        Whether training saw a competing event.

    Examples
    --------
    Three patients of equal risk: a relapse on day 100, a death on day 200, one still followed on day 300.

    >>> y = np.array([(1, 100.0), (2, 200.0), (0, 300.0)], dtype=[("event", np.int8), ("time", float)])
    >>> hazard = BaselineHazard.fit(y, log_risk=np.zeros(3))
    >>> hazard.event_step.round(3), hazard.competing_step.round(3)
    (array([0.333, 0.   ]), array([0. , 0.5]))
    >>> hazard.cumulative_incidence(np.zeros(1), np.array([50.0, 250.0])).round(3)
    array([[[1.   , 0.435],
            [0.   , 0.283],
            [0.   , 0.282]]])
    """

    times: np.ndarray
    event_step: np.ndarray
    competing_step: np.ndarray
    competing_slope: float
    last_time: float
    competes: bool

    @classmethod
    def fit(cls, y: np.ndarray, log_risk: np.ndarray) -> Self:
        """Estimate the steps from training outcomes and log risks.

        Parameters
        ----------
        y : structured ndarray of shape (n_samples,)
            ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
        log_risk : ndarray of shape (n_samples,)
        """
        order = np.argsort(-y["time"], kind="stable")
        time, event = y["time"][order], y["event"][order]
        times = np.unique(time[event > 0])
        last_with_time = np.searchsorted(-time, -times, side="right") - 1
        slope = _competing_slope(time, event, log_risk[order])
        steps = [
            _count(time[event == code], times) / np.cumsum(_relative_hazard(weight * log_risk[order]))[last_with_time]
            for code, weight in ((1, 1.0), (2, slope))
        ]
        return cls(times, steps[0], steps[1], slope, float(time[0]), bool((event == 2).any()))

    def cumulative_incidence(self, log_risk: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Probability of each state at each time.

        Parameters
        ----------
        log_risk : ndarray of shape (n_samples,)
        times : ndarray of shape (n_times,)
            Days, in any order; beyond ``last_time`` the last value is carried forward.

        Returns
        -------
        ndarray of shape (n_samples, n_causes + 1, n_times)
            Index 0 event-free, 1 the event, 2 the competing event where training saw one. Each step's loss of
            survival is shared between the causes in proportion to their hazards, so the states sum to 1.

        Raises
        ------
        InputError
            A time is not a number.
        """
        if np.isnan(times).any():
            raise InputError("a prediction time is not a number", column="times", expected="days from diagnosis")
        log_risk = np.asarray(log_risk, dtype=float)
        event, competing = _relative_hazard(log_risk), _relative_hazard(self.competing_slope * log_risk)
        if not self.competes:
            step = np.searchsorted(self.times, times, side="right")
            exponent = -event[:, None] * _cumulative(self.event_step)[step]
            return np.stack([np.exp(exponent), -np.expm1(exponent)], axis=1)
        result = np.empty((len(log_risk), 3, len(times)))
        for start in range(0, len(log_risk), _ROWS):
            rows = slice(start, start + _ROWS)
            result[rows] = self._states(event[rows, None], competing[rows, None], times)
        return result

    def _states(self, event: np.ndarray, competing: np.ndarray, times: np.ndarray) -> np.ndarray:
        kept = self.times <= np.max(times, initial=0.0)
        event_step, competing_step = self.event_step[kept], self.competing_step[kept]
        survival = np.exp(-(event * _cumulative(event_step) + competing * _cumulative(competing_step)))
        lost = survival[:, :-1] - survival[:, 1:]
        passed = (self.times[kept][:, None] <= times).astype(float)
        # Only where both causes have a step is the loss of survival to be shared.
        alone, tied = competing_step == 0, (competing_step > 0) & (event_step > 0)
        share = event * event_step[tied] / (event * event_step[tied] + competing * competing_step[tied])
        first = lost[:, alone] @ passed[alone] + (lost[:, tied] * share) @ passed[tied]
        free = survival[:, np.searchsorted(self.times[kept], times, side="right")]
        return np.stack([free, first, np.maximum(0.0, 1.0 - free - first)], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "times": self.times.tolist(),
            "event_step": self.event_step.tolist(),
            "competing_step": self.competing_step.tolist(),
            "competing_slope": self.competing_slope,
            "last_time": self.last_time,
            "competes": self.competes,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return the hazard written by :meth:`to_dict`, equal to the last bit."""
        return cls(
            times=np.asarray(document["times"], dtype=float),
            event_step=np.asarray(document["event_step"], dtype=float),
            competing_step=np.asarray(document["competing_step"], dtype=float),
            competing_slope=float(document["competing_slope"]),
            last_time=float(document["last_time"]),
            competes=bool(document["competes"]),
        )


def _relative_hazard(log_risk: np.ndarray) -> np.ndarray:
    return np.exp(np.clip(log_risk, -_LARGEST_LOG_RISK, _LARGEST_LOG_RISK))


def _cumulative(steps: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(steps)])


def _competing_slope(time: np.ndarray, event: np.ndarray, log_risk: np.ndarray) -> float:
    """Maximise the penalised partial likelihood; ``time`` descends."""
    competing = event == 2
    if not competing.any() or np.ptp(log_risk) == 0:
        return 0.0
    last = np.searchsorted(-time, -time[competing], side="right") - 1

    def minus_log_posterior(slope: float) -> float:
        linear = slope * log_risk
        largest = linear.max()
        at_risk = np.log(np.cumsum(np.exp(linear - largest)))[last] + largest
        return float(slope**2 / 2 - (linear[competing] - at_risk).sum())

    return float(minimize_scalar(minus_log_posterior, bounds=_SLOPES, method="bounded").x)


def _count(observed: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(times, observed), minlength=len(times)).astype(float)
