"""Observed cumulative incidence with competing events: of groups, of similar patients, as pseudo-observations."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binomtest
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

from nbrelapse.metrics.horizons import LONGEST_YEARS
from nbrelapse.metrics.resampling import _weight_chunks
from nbrelapse.outcome import HORIZON_YEARS, YEAR, event_of, kind_of

_TAIL = 0.025


def observed_incidence(y: np.ndarray, horizon: float) -> tuple[float, float, float]:
    """Return the observed cumulative incidence of the event at a horizon and its 95% interval.

    The Aalen-Johansen estimate with the log-log interval, as in scikit-survival; without competing events,
    Kaplan-Meier's. Where nobody has the event by the horizon the upper limit is the exact binomial one [1]_ for the
    patients whose state is known then, and where everybody has it the lower one.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Structured, ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days; or binary, whose incidence is
        the share of the patients with its exact binomial interval.
    horizon : float
        Days; not read of a binary outcome.

    Returns
    -------
    incidence, low, high : float
        NaN where the follow-up ends earlier, or there are no patients.

    References
    ----------
    .. [1] Clopper and Pearson 1934, Biometrika, 10.1093/biomet/26.4.404

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(0, 30.0), (0, 40.0), (0, 10.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> np.round(observed_incidence(y, 20.0), 3).tolist()
    [0.0, 0.0, 0.842]
    """
    if not kind_of(y).has_time:
        return _share(y)
    event, time = y["event"].astype(int), y["time"]
    if not len(y) or (time.max() < horizon and (event[time == time.max()] == 0).any()):
        return np.nan, np.nan, np.nan
    known = int(((time >= horizon) | (event > 0)).sum())
    if not (event[time <= horizon] == 1).any():
        return 0.0, 0.0, 1 - _TAIL ** (1 / known)
    with np.errstate(divide="ignore", invalid="ignore"):
        if (event == 2).any():
            times, incidence, band = cumulative_incidence_competing_risks(event, time, conf_type="log-log")
            incidence, band = incidence[1], band[1]
        else:
            times, survival, survival_band = kaplan_meier_estimator(event == 1, time, conf_type="log-log")
            incidence, band = 1 - survival, 1 - survival_band
    last = int(np.searchsorted(times, horizon, side="right")) - 1
    if incidence[last] >= 1:
        return 1.0, _TAIL ** (1 / known), 1.0
    low, high = np.sort(band[:, last])
    return float(incidence[last]), float(low), float(high)


def _share(y: np.ndarray) -> tuple[float, float, float]:
    if not len(y):
        return np.nan, np.nan, np.nan
    events = int((event_of(y) == 1).sum())
    interval = binomtest(events, len(y)).proportion_ci(method="exact")
    return events / len(y), float(interval.low), float(interval.high)


def weighted_incidence(y: np.ndarray, weights: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the Aalen-Johansen estimate of the event's cumulative incidence for each column of patient weights.

    Without competing events it is one minus the Kaplan-Meier estimate.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Structured, ``event`` 0/1/2 and ``time``; or binary, of which the incidence at infinity is the share.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.
    times : ndarray of shape (n_times,)
        Days.

    Returns
    -------
    ndarray of shape (n_times, n_columns)
        Beyond a column's last patient, what it was then.

    References
    ----------
    .. [1] Aalen and Johansen 1978, Scandinavian Journal of Statistics 5:141-150

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 1.0), (2, 2.0), (0, 3.0), (1, 4.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> weighted_incidence(y, np.ones((4, 1)), np.array([0.5, 2.5, 4.0])).ravel().tolist()
    [0.0, 0.25, 0.75]
    """
    y = kind_of(y).with_times(y)
    order = np.argsort(y["time"], kind="stable")
    event, time = y["event"][order], y["time"][order]
    steps = np.unique(time[event != 0])
    found = np.zeros((len(times), weights.shape[1]))
    if not len(steps):
        return found
    first, last = np.searchsorted(time, steps), np.searchsorted(time, steps, side="right")
    reached = np.searchsorted(steps, times, side="right")
    for columns in _weight_chunks(len(y), weights.shape[1]):
        own = weights[order, columns].astype(float)
        ended, had_event = (_between(own * kind[:, None], first, last) for kind in (event != 0, event == 1))
        at_risk = own.sum(axis=0) - _before(own)[first]
        at_risk[at_risk <= 0] = np.inf
        free = np.cumprod(1 - ended / at_risk, axis=0)
        rise = had_event / at_risk
        rise[1:] *= free[:-1]
        found[:, columns] = _before(rise)[reached]
    return found


def _before(values: np.ndarray) -> np.ndarray:
    """Return the sums of the rows before each, and of all at the end."""
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=sums[1:])
    return sums


def _between(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    sums = _before(values)
    return sums[last] - sums[first]


def pseudo_observations(y: np.ndarray, horizon: float) -> np.ndarray:
    r"""Return the jackknife pseudo-observations of the cumulative incidence of the event at a horizon.

    :math:`n \hat F(t) - (n - 1) \hat F_{-i}(t)` with the estimator of Aalen and Johansen, exactly, from one pass
    over the sorted times [1]_ [2]_. A pseudo-observation stands in for what is not known of a censored patient: its
    expectation given the covariates is the patient's incidence, so it can be regressed on a prediction as if
    nobody were censored. Without censoring it is 1 after the event and 0 otherwise. Censoring must not depend on
    the covariates.

    Parameters
    ----------
    y : structured ndarray of shape (n,) or (n_samples, n)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days; samples are independent of each other.
    horizon : float
        Days, before the end of the follow-up.

    Returns
    -------
    ndarray of the same shape
        Below 0 or above 1 for some.

    References
    ----------
    .. [1] Andersen 2003, Biometrika, 10.1093/biomet/90.1.15
    .. [2] Graw 2009, Lifetime Data Analysis, 10.1007/s10985-008-9107-z

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (0, 20.0), (1, 30.0), (0, 40.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> pseudo_observations(y, 35.0).round(3).tolist()
    [1.0, 0.5, 1.5, -0.5]
    """
    n = y.shape[-1]
    order = np.argsort(y["time"], axis=-1, kind="stable")
    time, event = (np.take_along_axis(y[name], order, axis=-1) for name in ("time", "event"))
    first, last = _ties(time)
    early = time <= horizon
    own_event, own_competing = early & (event == 1), early & (event == 2)
    events, competing = (_among_tied(own, first, last) for own in (own_event, own_competing))
    at_risk = n - first
    free, incidence = _aalen_johansen(events, competing, at_risk, last)
    whole = incidence[..., -1:]

    # Until a patient's own time there is one fewer at risk without the patient; nobody else's time is his last.
    fewer = np.maximum(at_risk - 1, 1)
    free_before, before = (
        np.take_along_axis(np.concatenate([np.full_like(whole, start), values], axis=-1), first, axis=-1)
        for start, values in zip((1.0, 0.0), _aalen_johansen(events, competing, fewer, last), strict=True)
    )
    # After it everything is as it was, from a different share still free.
    after = np.divide(whole - incidence, free, out=np.zeros(time.shape), where=free > 0)
    left_events = (events - own_event) / fewer
    left = left_events + (competing - own_competing) / fewer
    without = before + free_before * (left_events + (1 - left) * after)
    found = np.empty(time.shape)
    np.put_along_axis(found, order, n * whole - (n - 1) * without, axis=-1)
    return found


def _ties(time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the first and last of equal times, of times sorted along the last axis."""
    position = np.broadcast_to(np.arange(time.shape[-1]), time.shape)
    change = time[..., 1:] != time[..., :-1]
    edge = np.ones((*time.shape[:-1], 1), dtype=bool)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, change], axis=-1), position, 0), axis=-1)
    ends = np.where(np.concatenate([change, edge], axis=-1), position, time.shape[-1])
    return first, np.minimum.accumulate(ends[..., ::-1], axis=-1)[..., ::-1]


def _among_tied(own: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return how many of those with an equal time are marked."""
    sums = np.cumsum(own, axis=-1)
    return np.asarray(np.take_along_axis(sums, last, -1) - np.take_along_axis(sums - own, first, -1))


def _aalen_johansen(
    events: np.ndarray, competing: np.ndarray, at_risk: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share still free and the incidence after each time; tied times step once, at the last of them."""
    steps = last == np.arange(last.shape[-1])
    free = np.cumprod(np.where(steps, 1 - (events + competing) / at_risk, 1.0), axis=-1)
    before = np.concatenate([np.ones((*free.shape[:-1], 1)), free[..., :-1]], axis=-1)
    incidence = np.cumsum(np.where(steps, before * events / at_risk, 0.0), axis=-1)
    return np.take_along_axis(free, last, -1), np.take_along_axis(incidence, last, -1)


def observed_course(y: np.ndarray, steps_per_year: int = 4) -> dict[str, list[float]]:
    """Return the Aalen-Johansen incidence of a group on a grid, up to five years or as far as it was followed.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    steps_per_year : int

    Returns
    -------
    dict of str to list of float
        ``days``, ``incidence``, ``low`` and ``high``, see :func:`observed_incidence`.

    Examples
    --------
    >>> y = np.array([(1, 200.0), (0, 400.0), (0, 400.0), (0, 400.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> observed_course(y, steps_per_year=1)["incidence"]
    [0.25]
    """
    days = np.arange(1, LONGEST_YEARS * steps_per_year + 1) * (YEAR / steps_per_year)
    found = np.column_stack([days, [observed_incidence(y, day) for day in days]])
    kept = found[np.isfinite(found).all(axis=1)]
    return dict(zip(("days", "incidence", "low", "high"), kept.T.tolist(), strict=True))


_NEIGHBOURS = 50
_LEAST_NEIGHBOURS = 20
"""With a quarter of the patients below this nothing is said. Choices: an interval over 20 patients is wide already."""

_POINTS = 41


def similar_outcomes(probability: np.ndarray, y: np.ndarray) -> list[dict[str, Any]]:
    """Return the outcomes of the patients with the nearest predictions, on a grid of predicted probability.

    Parameters
    ----------
    probability : ndarray of shape (n_patients,)
        Of the event, predicted without the patient.
    y : ndarray of shape (n_patients,)
        Structured, ``event`` and ``time`` in days, or binary.

    Returns
    -------
    list of dict
        JSON data, no identifiers; a point of the grid each, rising, at the quantiles of ``probability``:
        ``probability``; of the 50 nearest patients, or a quarter of all where that is fewer, ``low`` and ``high``, the
        range of their predictions, ``patients`` and ``events``; and ``observed``, a list of ``years`` (1, 2, 3 and 5 as
        far as they were followed; None for a binary endpoint), ``incidence``, ``low`` and ``high``, the 95% interval
        of :func:`observed_incidence` or the exact binomial one. Empty where a quarter is fewer than 20 patients.

    Examples
    --------
    >>> point = similar_outcomes(np.linspace(0, 1, 200), np.repeat([0, 1], 100))[0]
    >>> point["patients"], point["events"], round(point["observed"][0]["high"], 3)
    (50, 0, 0.071)
    """
    count = min(_NEIGHBOURS, len(y) // 4)
    if count < _LEAST_NEIGHBOURS:
        return []
    grid = np.unique(np.quantile(probability, np.linspace(0, 1, _POINTS)))
    points = []
    for centre in grid:
        nearest = np.argsort(np.abs(probability - centre), kind="stable")[:count]
        own = y[nearest]
        points.append(
            {
                "probability": float(centre),
                "low": float(probability[nearest].min()),
                "high": float(probability[nearest].max()),
                "patients": count,
                "events": int((event_of(own) == 1).sum()),
                "observed": _by_years(own) if kind_of(own).has_time else [_once(own)],
            }
        )
    return points


def _by_years(y: np.ndarray) -> list[dict[str, Any]]:
    found = [(years, observed_incidence(y, years * YEAR)) for years in HORIZON_YEARS]
    return [
        {"years": years, "incidence": value, "low": low, "high": high}
        for years, (value, low, high) in found
        if np.isfinite([value, low, high]).all()
    ]


def _once(y: np.ndarray) -> dict[str, Any]:
    return dict(zip(("years", "incidence", "low", "high"), (None, *_share(y)), strict=True))
