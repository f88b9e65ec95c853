"""Restricted mean event-free time: how many days, up to a horizon, patients live without any event."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd

from nbrelapse.metrics.horizons import YEAR, HorizonSupport
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import (
    _as_columns,
    _as_given,
    _Value,
    _weight_chunks,
    bootstrap_interval,
    bootstrap_weights,
    few_events_stretch,
)
from nbrelapse.outcome import (
    FEWEST_AT_RISK,
    FEWEST_EVENTS_BY,
    HORIZON_YEARS,
    SURVIVAL,
    SURVIVAL_DTYPE,
    Outcome,
    values_of,
)

_THIRDS = ("lowest", "middle", "highest")
PREDICTED_THIRD = "predicted_third"
"""What the table of :func:`event_free_time` calls the thirds of predicted risk."""


def restricted_mean_time(y: np.ndarray | Outcome, horizon: float, *, weights: np.ndarray | None = None) -> _Value:
    """Return the mean time that patients live without any event, of the days up to a horizon.

    The area under the Kaplan-Meier curve of event-free survival [1]_. A competing event ends the event-free time as
    the event itself does: of relapse, a patient is event-free who neither relapsed nor died; of ``os``, who is alive.

    Parameters
    ----------
    y : Outcome or structured ndarray of shape (n,)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    horizon : float
        Days.
    weights : ndarray of shape (n,) or (n, n_columns), optional
        Of the patients; a column per resample.

    Returns
    -------
    float or ndarray of shape (n_columns,)
        Days. NaN where nobody is followed to the horizon and some were still event-free.

    References
    ----------
    .. [1] Royston and Parmar 2013, BMC Medical Research Methodology, 10.1186/1471-2288-13-152

    Examples
    --------
    >>> y = np.array([(1, 100.0), (2, 200.0), (0, 400.0), (0, 400.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> restricted_mean_time(y, 300.0)
    225.0
    >>> restricted_mean_time(y, 500.0)
    nan
    """
    y = values_of(y, SURVIVAL)
    columns = _as_columns(weights, len(y))
    order = np.argsort(y["time"], kind="stable")
    ended, time = y["event"][order] != 0, y["time"][order]
    steps = np.unique(time[ended & (time < horizon)])
    first, last = np.searchsorted(time, steps), np.searchsorted(time, steps, side="right")
    widths = np.diff(np.concatenate([[0.0], steps, [horizon]]))[:, None]
    found = np.empty(columns.shape[1])
    for chunk in _weight_chunks(len(y), columns.shape[1]):
        own = columns[order, chunk].astype(float)
        before = _sums(own)
        events = _sums(own * ended[:, None])
        at_risk = before[-1] - before[first]
        happened = events[last] - events[first]
        free = np.ones((len(steps) + 1, own.shape[1]))
        np.cumprod(1 - happened / np.where(at_risk > 0, at_risk, np.inf), axis=0, out=free[1:])
        followed = before[-1] - before[np.searchsorted(time, horizon)] > 0
        found[chunk] = np.where(followed | (np.abs(free[-1]) < 1e-12), (free * widths).sum(axis=0), np.nan)
    return _as_given(found, weights)


def _sums(values: np.ndarray) -> np.ndarray:
    """Return the sums of the rows before each, and of all at the end."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])


def event_free_time(
    predictions: Predictions,
    groups: Mapping[str, np.ndarray],
    y: np.ndarray,
    *,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> tuple[pd.DataFrame, list[str]]:
    """Tabulate the restricted mean event-free time by clinical group and by third of predicted risk.

    Parameters
    ----------
    predictions : Predictions
        Repeats are averaged; the thirds are those of the incidence at the horizon in question.
    groups : mapping of str to ndarray of shape (n,)
        Clinical groupings as numbers, higher is worse, NaN where it is not known.
    y : structured ndarray of shape (n,)
    n_bootstrap, seed : int
        Of the intervals; the groups stay.

    Returns
    -------
    table : DataFrame
        ``grouping`` (``all``, the clinical ones, ``predicted_third``), ``group`` (rank from 0, lowest risk first) of
        how many ``groups``, ``years``, ``n``, ``at_risk``, ``events`` (of any kind, by the horizon), and in days
        ``event_free``, ``low`` and ``high``. Of groups with the same patients the first stands for all. Groups that
        too few patients carry to a horizon are left out (:class:`HorizonSupport`, an event of any kind being an event).
    notes : list of str
        How many groups and horizons were left out, if any.

    Examples
    --------
    >>> y = np.array([(1, 30.0 * day) for day in range(1, 11)] + [(0, 800.0)] * 20, "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> incidence, year = np.full((1, 30, 1), 0.3), np.array([365.25])
    >>> model = Predictions("m", np.zeros((1, 30)), np.zeros((1, 30), int), incidence, year)
    >>> table, notes = event_free_time(model, {}, y, n_bootstrap=100)
    >>> table[["grouping", "years", "n", "at_risk", "events", "event_free"]].round(1)
      grouping  years   n  at_risk  events  event_free
    0      all      1  30       20      10       298.5
    1      all      2  30       20      10       542.0
    """
    any_event = np.empty(len(y), dtype=SURVIVAL_DTYPE)
    any_event["event"], any_event["time"] = y["event"] != 0, y["time"]
    weights = bootstrap_weights(len(y), n_bootstrap, seed)
    rows, left_out = [], 0
    for years in HORIZON_YEARS:
        days = years * YEAR
        for group, own in _populations(_levels(predictions, groups, days)).items():
            support = HorizonSupport.of(any_event[own], days)
            if not support.enough:
                left_out += 1
                continue
            found = np.asarray(restricted_mean_time(any_event[own], days, weights=weights[own]))
            low, high = bootstrap_interval(float(found[0]), found[1:], stretch=few_events_stretch(support.fewest))
            counts = (int(own.sum()), support.at_risk, support.events_by)
            rows.append((*group, years, *counts, float(found[0]), max(low, 0.0), min(high, days)))
    columns = ["grouping", "group", "groups", "years", "n", "at_risk", "events", "event_free", "low", "high"]
    notes = [
        f"event-free time is left out where fewer than {FEWEST_AT_RISK} patients of a group are at risk at a horizon"
        f" or fewer than {FEWEST_EVENTS_BY} had an event by then: {left_out} of {left_out + len(rows)} groups and "
        "horizons"
    ]
    return pd.DataFrame(rows, columns=columns), notes if left_out else []


def _populations(levels: Mapping[str, np.ndarray]) -> dict[tuple[str, int, int], np.ndarray]:
    """Return the patients of each group, by its grouping, its rank and how many groups the grouping has."""
    values = {name: np.unique(level[~np.isnan(level)]) for name, level in levels.items()}
    return _distinct(
        {
            (name, rank, len(values[name])): level == value
            for name, level in levels.items()
            for rank, value in enumerate(values[name])
        }
    )


_Name = TypeVar("_Name", bound=Hashable)


def _distinct(patients: Mapping[_Name, np.ndarray]) -> dict[_Name, np.ndarray]:
    """Return the first of the groups that are the same patients.

    Examples
    --------
    >>> high = np.array([False, True])
    >>> list(_distinct({"high_risk": high, "recorded": high.copy(), "all": np.array([True, True])}))
    ['high_risk', 'all']
    """
    first: dict[bytes, _Name] = {}
    for name, mask in patients.items():
        first.setdefault(mask.tobytes(), name)
    return {name: patients[name] for name in first.values()}


def _levels(predictions: Predictions, groups: Mapping[str, np.ndarray], days: float) -> dict[str, np.ndarray]:
    """Return everybody, the clinical groupings and the thirds of predicted risk, as numbers."""
    found = {"all": np.zeros(predictions.incidence.shape[1])}
    found |= {name: np.asarray(level, dtype=float) for name, level in groups.items()}
    if np.isclose(predictions.times, days).any():
        risk = predictions.incidence_at(days).mean(axis=0)
        thirds = pd.qcut(risk, len(_THIRDS), labels=False, duplicates="drop")
        if len(np.unique(thirds[~np.isnan(thirds)])) == len(_THIRDS):  # tied predictions make no thirds
            found[PREDICTED_THIRD] = np.asarray(thirds, dtype=float)
    return found
