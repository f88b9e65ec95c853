"""Breslow's baseline hazard, with a competing event where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from nbrelapse.errors import InputError

_ROWS = 400
"""Patients worked on at once: their steps stay in the processor's cache."""

_LARGEST_LOG_RISK = 300.0
"""Beyond it exp() leaves the range in which hazards can be added and divided; probabilities are 0 or 1 long before."""


@dataclass(frozen=True, eq=False)
class BaselineHazard:
    """Baseline hazard steps of the event, and of the competing event.

    With log risk r the hazard of the event makes the step ``exp(r) * event_step`` at each of ``times``
    (Breslow 1972, discussion of Cox, 10.1111/j.2517-6161.1972.tb00899.x); that of a competing event makes
    ``exp(c) * competing_step``, with c the log risk of the competing event. The incidence comes from both
    cause-specific hazards (Putter 2007, 10.1002/sim.2712). Event-free survival is the exponential of minus the summed
    hazards, not the product limit of ``1 - step``: a patient of high risk can have a step above 1 late in follow-up,
    where few are left. At log risk 0 the incidence differs from that of Aalen and Johansen by the order of one over
    the number at risk.

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
    competing_slope : float
        Log risk of the competing event per unit of the event's, in models of before 0.3.0, which had no model of the
        competing event; 0 in later ones.

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
    competing_slope: float = 0.0

    @classmethod
    def fit(cls, y: np.ndarray, log_risk: np.ndarray, competing_log_risk: np.ndarray | None = None) -> Self:
        """Estimate the steps from training outcomes and log risks.

        Parameters
        ----------
        y : structured ndarray of shape (n_samples,)
            ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
        log_risk : ndarray of shape (n_samples,)
        competing_log_risk : ndarray of shape (n_samples,), optional
            0, the same competing hazard for everybody, by default.
        """
        if competing_log_risk is None:
            competing_log_risk = np.zeros(len(y))
        order = np.argsort(-y["time"], kind="stable")
        time, event = y["time"][order], y["event"][order]
        times = np.unique(time[event > 0])
        last_with_time = np.searchsorted(-time, -times, side="right") - 1
        steps = [
            _count(time[event == code], times) / np.cumsum(_relative_hazard(risk[order]))[last_with_time]
            for code, risk in ((1, log_risk), (2, competing_log_risk))
        ]
        return cls(times, steps[0], steps[1], float(time[0]), bool((event == 2).any()))

    def cumulative_incidence(
        self, log_risk: np.ndarray, times: np.ndarray, competing_log_risk: np.ndarray | None = None
    ) -> np.ndarray:
        """Probability of each state at each time.

        Parameters
        ----------
        log_risk : ndarray of shape (n_samples,)
        times : ndarray of shape (n_times,)
            Days, in any order; beyond ``last_time`` the last value is carried forward.
        competing_log_risk : ndarray of shape (n_samples,), optional
            ``competing_slope * log_risk`` by default.

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
        if competing_log_risk is None:
            competing_log_risk = self.competing_slope * log_risk
        event, competing = _relative_hazard(log_risk), _relative_hazard(competing_log_risk)
        if not self.competes:
            step = np.searchsorted(self.times, times, side="right")
            exponent = -event[:, None] * _cumulative(self.event_step)[step]
            return np.stack([np.exp(exponent), -np.expm1(exponent)], axis=1)
        result = np.empty((len(log_risk), 3, len(times)))
        for start in range(0, len(log_risk), _ROWS):
            rows = slice(start, start + _ROWS)
            result[rows] = self._states(event[rows, None], competing[rows, None], times)
        return result

    def incidence_gradient(
        self, log_risk: np.ndarray, time: float, competing_log_risk: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """How the cumulative incidence of the event by one time changes with both log risks.

        Parameters
        ----------
        log_risk, competing_log_risk : ndarray of shape (n_samples,)
        time : float
            Days.

        Returns
        -------
        tuple of ndarray of shape (n_samples,)
            Derivatives by the log risk of the event and by that of the competing event.

        Examples
        --------
        >>> y = np.array([(1, 100.0), (2, 200.0), (0, 300.0)], dtype=[("event", np.int8), ("time", float)])
        >>> hazard = BaselineHazard.fit(y, log_risk=np.zeros(3))
        >>> own, competing = hazard.incidence_gradient(np.zeros(1), 250.0, np.zeros(1))
        >>> own.round(3), competing.round(3)
        (array([0.239]), array([0.]))
        """
        event, competing = _relative_hazard(log_risk), _relative_hazard(competing_log_risk)
        kept = self.times <= time
        result = np.empty((2, len(event)))
        for start in range(0, len(event), _ROWS):
            rows = slice(start, start + _ROWS)
            result[:, rows] = self._gradient(event[rows, None], competing[rows, None], kept)
        return result[0], result[1]

    def _gradient(self, event: np.ndarray, competing: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        event_step, competing_step = event * self.event_step[kept], competing * self.competing_step[kept]
        event_sum, competing_sum = (
            event * _cumulative(self.event_step[kept]),
            competing * _cumulative(self.competing_step[kept]),
        )
        survival = np.exp(-event_sum - competing_sum)
        hazard = event_step + competing_step
        share = np.divide(event_step, hazard, out=np.zeros_like(hazard), where=hazard > 0)
        shift = (share * (1 - share) * -np.diff(survival, axis=1)).sum(axis=1)
        by_event = shift + (share * np.diff(survival * event_sum, axis=1)).sum(axis=1)
        by_competing = (share * np.diff(survival * competing_sum, axis=1)).sum(axis=1) - shift
        return by_event, by_competing

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
        document = {
            "times": self.times.tolist(),
            "event_step": self.event_step.tolist(),
            "competing_step": self.competing_step.tolist(),
            "last_time": self.last_time,
            "competes": self.competes,
        }
        # Versions before 0.3.0 refuse a document without a slope, rather than leave out the competing event's model.
        return document | ({"competing_slope": self.competing_slope} if self.competing_slope else {})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return the hazard written by :meth:`to_dict`, equal to the last bit."""
        return cls(
            times=np.asarray(document["times"], dtype=float),
            event_step=np.asarray(document["event_step"], dtype=float),
            competing_step=np.asarray(document["competing_step"], dtype=float),
            last_time=float(document["last_time"]),
            competes=bool(document["competes"]),
            competing_slope=float(document.get("competing_slope", 0.0)),
        )


def _relative_hazard(log_risk: np.ndarray) -> np.ndarray:
    return np.exp(np.clip(log_risk, -_LARGEST_LOG_RISK, _LARGEST_LOG_RISK))


def _cumulative(steps: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(steps)])


def _count(observed: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(times, observed), minlength=len(times)).astype(float)
