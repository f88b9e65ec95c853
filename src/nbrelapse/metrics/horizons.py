"""The times that predictions are made for and judged at, and how far the follow-up supports them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from nbrelapse.outcome import (
    FEWEST_AT_RISK,
    FEWEST_EVENTS_BY,
    HORIZON_YEARS,
    LONGEST_YEARS,
    YEAR,
    carried_days,
    kind_of,
    values_of,
)

__all__ = ["HORIZON_YEARS", "LONGEST_YEARS", "YEAR", "prediction_times", "reached_years"]


def prediction_times(y: np.ndarray) -> np.ndarray:
    """Return the grid of times for cumulative incidence: every quarter year up to five years.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Of the training patients: structured, ``event`` and ``time`` in days, or binary. The grid ends where fewer
        than ten patients are at risk, because no model knows more; it has two times at least, so that patients who are
        followed very briefly can still be ranked.

    Returns
    -------
    ndarray of shape (n_times,)
        Days; 1, 2, 3 and 5 years are among them as far as the grid reaches. For a binary outcome one time,
        infinity: the probability that the event comes, whenever.

    Raises
    ------
    InputError
        Nobody was followed for more than half a year.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 100.0)] + [(0, 400.0)] * 10 + [(0, 3000.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> prediction_times(y).round(1).tolist()
    [91.3, 182.6, 273.9, 365.2]
    """
    return kind_of(y).prediction_times(values_of(y))


@dataclass(frozen=True)
class HorizonSupport:
    """How many patients carry the figures at one horizon.

    A figure at a horizon needs 10 patients at risk then (``FEWEST_AT_RISK``; they are free of any event) and 5 events
    by then (``FEWEST_EVENTS_BY``): chosen by simulation, see ``docs/decisions/042-horizons-carried-by-patients.md``.

    Parameters
    ----------
    at_risk : int
        Patients observed for longer than the horizon, free of any event.
    events_by : int
        Patients with the event by the horizon.

    Examples
    --------
    >>> y = np.array([(1, 100.0)] * 6 + [(0, 400.0)] * 3, dtype=[("event", "i1"), ("time", "f8")])
    >>> found = HorizonSupport.of(y, 365.25)
    >>> found, found.enough, found.reason
    (HorizonSupport(at_risk=3, events_by=6), False, '3 patients are at risk then, 10 are needed')
    """

    at_risk: int
    events_by: int

    @classmethod
    def of(cls, y: np.ndarray, horizon: float) -> Self:
        """Count the patients of an outcome (``event`` and ``time`` in days) at a horizon in days."""
        past = y["time"] <= horizon
        return cls(int((~past).sum()), int((past & (y["event"] == 1)).sum()))

    @property
    def enough(self) -> bool:
        """Whether they are enough for figures at this horizon."""
        return self.at_risk >= FEWEST_AT_RISK and self.events_by >= FEWEST_EVENTS_BY

    @property
    def fewest(self) -> int:
        """What there is less of, patients at risk or events: how far resamples can be trusted."""
        return min(self.at_risk, self.events_by)

    @property
    def reason(self) -> str:
        """What there is too little of, as a clause; empty where there is enough."""
        short = []
        if self.at_risk < FEWEST_AT_RISK:
            short.append(f"{_counted(self.at_risk, 'patient')} at risk then, {FEWEST_AT_RISK} are needed")
        if self.events_by < FEWEST_EVENTS_BY:
            short.append(f"{_counted(self.events_by, 'event')} known by then, {FEWEST_EVENTS_BY} are needed")
        return "; ".join(short)


def _counted(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count} {what}s are"


def reached_years(times: np.ndarray, y: np.ndarray, years: Sequence[int]) -> list[int]:
    """Return the horizons that the predictions reach and enough patients carry.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Of the predictions, in days.
    y : structured ndarray of shape (n,)
    years : sequence of int

    Returns
    -------
    list of int
        See :class:`HorizonSupport`.

    Examples
    --------
    >>> y = np.array([(1, 100.0)] * 5 + [(0, 1200.0)] * 10, dtype=[("event", "i1"), ("time", "f8")])
    >>> reached_years(np.array([365.25, 1095.75, 1826.25]), y, (3, 5))
    [3]
    """
    return [year for year in years if year * YEAR <= times[-1] and HorizonSupport.of(y, year * YEAR).enough]


def longest_horizon(followed_days: float | None) -> float | None:
    """Return the longest of 1, 2, 3 and 5 years that a follow-up reaches, in days; its end where it reaches none.

    Parameters
    ----------
    followed_days : float or None
        None or infinity for a binary endpoint, which knows no time.

    Returns
    -------
    float or None

    Examples
    --------
    >>> longest_horizon(1400.0), longest_horizon(200.0), longest_horizon(None)
    (1095.75, 200.0, None)
    """
    if followed_days is None or math.isinf(followed_days):
        return None
    return max((years * YEAR for years in HORIZON_YEARS if years * YEAR <= followed_days), default=followed_days)


@dataclass(frozen=True)
class _SupportedHorizons:
    """Horizons that enough patients carry, and what was given up for want of them.

    Parameters
    ----------
    at : mapping of int to HorizonSupport
        The years at which metrics are defined, see :class:`HorizonSupport`.
    incidence_at : mapping of int to int
        Of these, the years at which incidence was predicted, and their positions among the predictions' times.
    tau : float
        Days up to which Uno's C counts events: five years, or as far as 10 patients are at risk.
    n_times : int
        How many of the predictions' times the Brier score is integrated over; below 2 it is undefined.
    notes : tuple of str
        What was left out or shortened, and why.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 200.0)] * 5 + [(0, 600.0)] * 10, dtype=[("event", "i1"), ("time", "f8")])
    >>> found = _SupportedHorizons.of(y, np.array([182.6, 365.2, 547.9]))
    >>> list(found.at), found.tau, found.n_times, found.notes[0]
    ([1], 600.0, 3, 'figures at 2 years are left out: 0 patients are at risk then, 10 are needed')
    """

    at: Mapping[int, HorizonSupport]
    incidence_at: Mapping[int, int]
    tau: float
    n_times: int
    notes: tuple[str, ...]

    @classmethod
    def of(cls, y: np.ndarray, times: np.ndarray) -> Self:
        """Return what the patients judged support.

        Parameters
        ----------
        y : structured ndarray of shape (n,)
        times : ndarray of shape (n_times,)
            Of the predicted incidence, in days.
        """
        support = {years: HorizonSupport.of(y, years * YEAR) for years in HORIZON_YEARS}
        notes = [
            f"figures at {_years(years)} are left out: {found.reason}"
            for years, found in support.items()
            if not found.enough
        ]
        supported = {years: found for years, found in support.items() if found.enough}
        column = {years: np.flatnonzero(np.isclose(times, years * YEAR)) for years in supported}
        incidence_at = {years: int(found[0]) for years, found in column.items() if len(found)}
        notes += [
            f"figures of the incidence at {_years(years)} are left out: it was not predicted then"
            for years in supported
            if years not in incidence_at
        ]
        longest, end = LONGEST_YEARS * YEAR, carried_days(y)
        tau = min(longest, end)
        n_times = int(np.sum((times <= longest) & (times < end)))
        notes += _shortened(times, tau, n_times)
        return cls(supported, incidence_at, tau, n_times, tuple(notes))


def _years(years: int) -> str:
    return f"{years} year{'s' if years > 1 else ''}"


def _shortened(times: np.ndarray, tau: float, n_times: int) -> list[str]:
    """Say how far Uno's C and the integrated Brier score go, where that is less than was asked."""
    beyond = f"beyond {tau / YEAR:.2g} years fewer than {FEWEST_AT_RISK} patients are at risk"
    notes = []
    if tau < LONGEST_YEARS * YEAR:
        notes.append(f"Uno C counts events up to {tau / YEAR:.2g} years only, {beyond}")
    if n_times < 2:
        notes.append(f"the integrated Brier score is left out, it needs two times within {tau / YEAR:.2g} years")
    elif n_times < np.sum(times <= LONGEST_YEARS * YEAR):
        last, asked = (f"{times[i] / YEAR:.2g}" for i in (n_times - 1, -1))
        notes.append(f"the integrated Brier score ends at {last} of {asked} years, {beyond}")
    return notes


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
        """Estimate from ``event`` 0/1/2 and ``time`` in days."""
        from sksurv.nonparametric import kaplan_meier_estimator

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
