"""The times that predictions are made for and judged at, and how far the follow-up supports them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from sksurv.nonparametric import kaplan_meier_estimator

from nbrelapse.outcome import HORIZON_YEARS, LONGEST_YEARS, YEAR, kind_of, values_of

__all__ = ["HORIZON_YEARS", "LONGEST_YEARS", "YEAR", "prediction_times", "reached_years"]


def prediction_times(y: np.ndarray) -> np.ndarray:
    """Return the grid of times for cumulative incidence: every quarter year up to five years.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Of the training patients: structured, ``event`` and ``time`` in days, or binary. The grid ends before the
        longest time, because no model knows more.

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
    >>> y = np.array([(1, 100.0), (0, 400.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> prediction_times(y).round(1).tolist()
    [91.3, 182.6, 273.9, 365.2]
    """
    return kind_of(y).prediction_times(values_of(y))


def reached_years(times: np.ndarray, y: np.ndarray, years: Sequence[int]) -> list[int]:
    """Return the horizons that both the predictions and the follow-up reach.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Of the predictions, in days.
    y : structured ndarray of shape (n,)
    years : sequence of int

    Returns
    -------
    list of int

    Examples
    --------
    >>> y = np.array([(1, 100.0), (0, 1200.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> reached_years(np.array([365.25, 1095.75]), y, (3, 5))
    [3]
    """
    end = min(np.nextafter(y["time"].max(), 0.0), times[-1])
    return [year for year in years if year * YEAR <= end]


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
    """Horizons that some patients were still followed beyond, and what was given up for want of follow-up.

    Parameters
    ----------
    auc_years : tuple of int
        Years at which metrics are defined: an event before, patients under observation after.
    incidence_at : mapping of int to int
        Of these, the years at which incidence was predicted, and their positions among the predictions' times.
    tau : float
        Days up to which Uno's C counts events: five years, or the end of the follow-up.
    n_times : int
        How many of the predictions' times the Brier score is integrated over; below 2 it is undefined.
    notes : tuple of str
        What was left out or shortened, and why.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 200.0), (0, 600.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> found = _SupportedHorizons.of(y, CensoringDistribution.fit(y), np.array([182.6, 365.2, 547.9]))
    >>> found.auc_years, found.tau, found.n_times, found.notes[0]
    ((1,), 600.0, 3, 'metrics at 2 y are left out, the follow-up ends after 1.6 years')
    """

    auc_years: tuple[int, ...]
    incidence_at: Mapping[int, int]
    tau: float
    n_times: int
    notes: tuple[str, ...]

    @classmethod
    def of(cls, y: np.ndarray, censoring: CensoringDistribution, times: np.ndarray) -> Self:
        """Return what the patients judged (``y``) and the censoring distribution support.

        Parameters
        ----------
        y : structured ndarray of shape (n,)
        censoring : CensoringDistribution
        times : ndarray of shape (n_times,)
            Of the predicted incidence, in days.
        """
        end = min(censoring.last_time, float(y["time"].max()))
        longest = LONGEST_YEARS * YEAR
        tau = min(longest, end)
        followed = f"the follow-up ends after {end / YEAR:.2g} years"
        notes = []
        auc_years = []
        first_event = y["time"][y["event"] == 1].min(initial=np.inf)
        for years in HORIZON_YEARS:
            if years * YEAR >= end:
                notes.append(f"metrics at {years} y are left out, {followed}")
            elif years * YEAR < first_event:
                notes.append(f"metrics at {years} y are left out, there is no event before")
            else:
                auc_years.append(years)
        at = {years: np.flatnonzero(np.isclose(times, years * YEAR)) for years in auc_years}
        incidence_at = {years: int(found[0]) for years, found in at.items() if len(found)}
        notes += [
            f"metrics of the incidence at {years} y are left out, it was not predicted then"
            for years in auc_years
            if years not in incidence_at
        ]
        if end < longest:
            notes.append(f"uno_c counts events up to {tau / YEAR:.2g} years only, {followed}")
        n_times = int(np.sum((times <= longest) & (times < end)))
        if n_times < 2:
            notes.append(f"integrated_brier is left out, it needs two times within {tau / YEAR:.2g} years")
        elif n_times < np.sum(times <= longest):
            last, asked = (f"{times[i] / YEAR:.2g}" for i in (n_times - 1, -1))
            notes.append(f"integrated_brier ends at {last} of {asked} years, {followed}")
        return cls(tuple(auc_years), incidence_at, tau, n_times, tuple(notes))


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
