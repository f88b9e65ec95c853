"""Breslow's baseline hazard, with a competing event where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from nbrelapse.errors import InputError

_CHUNK = 50_000
"""Cells (patients × steps) worked on at once: they stay in the processor's cache."""

_LARGEST_LOG_RISK = 300.0
"""Beyond it exp() leaves the range in which hazards can be added and divided; probabilities are 0 or 1 long before."""


@dataclass(frozen=True, eq=False)
class BaselineHazard:
    """Baseline hazard steps of the event, and of the competing event.

    With log risk r the hazard of the event makes the step ``exp(r) * event_step`` at each of ``times``
    (Breslow 1972, discussion of Cox, 10.1111/j.2517-6161.1972.tb00899.x); that of a competing event makes
    ``competing_step`` (Nelson–Aalen), the same for every patient until there are cause-specific models. Event-free
    survival is the exponential of minus the summed hazards, not the product limit of ``1 - step``: a patient of high
    risk can have a step above 1 late in follow-up, where few are left. At log risk 0 the
    incidence differs from that of Aalen and Johansen by the order of one over the number at risk.

    Parameters
    ----------
    times : ndarray of shape (n_steps,)
        Distinct event times in days, ascending.
    event_step, competing_step : ndarray of shape (n_steps,)
        ``competing_step`` is all 0 where training saw no competing event.
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
        time, event, risk = y["time"][order], y["event"][order], _relative_hazard(log_risk[order])
        at_risk, number_at_risk = np.cumsum(risk), np.arange(1, len(time) + 1)
        times = np.unique(time[event > 0])
        last_with_time = np.searchsorted(-time, -times, side="right") - 1
        events = _count(time[event == 1], times)
        competing = _count(time[event == 2], times)
        return cls(
            times,
            events / at_risk[last_with_time],
            competing / number_at_risk[last_with_time],
            float(time[0]),
            bool(competing.any()),
        )

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
        step = np.searchsorted(self.times, times, side="right")
        risk = _relative_hazard(np.asarray(log_risk, dtype=float))
        if not self.competes:
            hazard = np.concatenate([[0.0], np.cumsum(self.event_step)])[step]
            exponent = -risk[:, None] * hazard
            return np.stack([np.exp(exponent), -np.expm1(exponent)], axis=1)
        result = np.empty((len(risk), 3, len(times)))
        rows = max(1, _CHUNK // max(1, len(self.times)))
        for start in range(0, len(risk), rows):
            result[start : start + rows] = self._states(risk[start : start + rows], step)
        return result

    def _states(self, risk: np.ndarray, step: np.ndarray) -> np.ndarray:
        event = risk[:, None] * self.event_step
        total = event + self.competing_step
        survival = np.exp(-np.cumsum(total, axis=1))
        survival = np.concatenate([np.ones((len(risk), 1)), survival], axis=1)
        lost = -np.diff(survival, axis=1)
        of_event = np.cumsum(lost * event / total, axis=1)
        of_event = np.concatenate([np.zeros((len(risk), 1)), of_event], axis=1)
        free, first = survival[:, step], of_event[:, step]
        return np.stack([free, first, np.maximum(0.0, 1.0 - free - first)], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "times": self.times.tolist(),
            "event_step": self.event_step.tolist(),
            "competing_step": self.competing_step.tolist(),
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
            last_time=float(document["last_time"]),
            competes=bool(document["competes"]),
        )


def _relative_hazard(log_risk: np.ndarray) -> np.ndarray:
    return np.exp(np.clip(log_risk, -_LARGEST_LOG_RISK, _LARGEST_LOG_RISK))


def _count(observed: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(times, observed), minlength=len(times)).astype(float)
