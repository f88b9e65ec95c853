"""Calibration slope of every bootstrap resample at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbrelapse.validation.bootstrap_weights import weight_chunks

_ITERATIONS = 30
_LARGEST_STEP = 2.0
_LARGEST_SLOPE = 50.0
_TOLERANCE = 1e-7


def calibration_slope(y: np.ndarray, log_risk: np.ndarray, fold: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the slope of the log risk in a Cox model of the outcome, for each column of patient weights.

    1 means that predicted log hazard ratios are as large as the observed ones; below 1 they are too extreme, as
    those of an overfitted model [1]_. The Cox model has the log risk as its only covariate and a baseline hazard
    of its own in each fold, because fold models differ; repeats share the slope. Competing events are censored
    (the hazard is cause-specific). Tied times follow Breslow: then the slope of a resample is the slope of the
    patients with their multiplicities as weights.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
    log_risk, fold : ndarray of shape (n_repeats, n)
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`; column 0 is where the search for the others starts.

    Returns
    -------
    ndarray of shape (n_columns,)
        NaN where there is no finite slope: the same log risk for all, no events, or events that the log risk
        separates completely.

    References
    ----------
    .. [1] van Houwelingen 2000, Statistics in Medicine,
       10.1002/1097-0258(20001230)19:24<3401::AID-SIM554>3.0.CO;2-2

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 3.0), (1, 1.0), (1, 2.0), (0, 4.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> risk, fold = np.array([[1.0, 0.5, 0.0, -1.0]]), np.zeros((1, 4), int)
    >>> calibration_slope(y, risk, fold, np.ones((4, 1))).round(3).tolist()
    [0.708]
    """
    strata, scale = _strata(y, log_risk, fold)
    if not strata:
        return np.full(weights.shape[1], np.nan)
    start = _solve(strata, weights[:, :1], 0.0)
    if np.isnan(start[0]):
        return np.full(weights.shape[1], np.nan)
    rest = [
        _solve(strata, weights[:, columns], start[0])
        for columns in weight_chunks(len(y), weights.shape[1] - 1, first=1)
    ]
    return np.concatenate([start, *rest]) / scale


@dataclass(frozen=True)
class _Stratum:
    """Patients of one fold, the latest first; ``at_risk`` ends the risk set of each event."""

    patients: np.ndarray
    x: np.ndarray
    events: np.ndarray
    at_risk: np.ndarray


def _strata(y: np.ndarray, log_risk: np.ndarray, fold: np.ndarray) -> tuple[list[_Stratum], float]:
    """Return the folds in which the log risk varies, centred and scaled, and the scale."""
    found = []
    for risk, folds in zip(log_risk, fold, strict=True):
        for name in np.unique(folds):
            members = np.flatnonzero(folds == name)
            members = members[np.argsort(-y["time"][members], kind="stable")]
            events = np.flatnonzero(y["event"][members] == 1)
            x = risk[members] - risk[members].mean()
            if len(events) and np.ptp(x) > 0:
                time = -y["time"][members]
                at_risk = np.searchsorted(time, time[events], side="right") - 1
                found.append(_Stratum(members, x[:, None], events, at_risk))
    if not found:
        return [], 1.0
    scale = float(np.std(np.concatenate([stratum.x for stratum in found])))
    return [_Stratum(s.patients, s.x / scale, s.events, s.at_risk) for s in found], scale


def _solve(strata: list[_Stratum], weights: np.ndarray, start: float) -> np.ndarray:
    """Maximise the weighted partial likelihoods by Newton's method."""
    weights = weights.astype(float)
    slope = np.full(weights.shape[1], start)
    step = np.full(weights.shape[1], np.inf)
    for _ in range(_ITERATIONS):
        score, information = _derivatives(strata, weights, slope)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.clip(score / information, -_LARGEST_STEP, _LARGEST_STEP)
        slope = slope + step
        if not (np.abs(step) > _TOLERANCE).any():
            break
        slope[np.abs(slope) > _LARGEST_SLOPE] = np.nan
    return np.where(np.abs(step) <= _TOLERANCE, slope, np.nan)


def _derivatives(strata: list[_Stratum], weights: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First derivative and negative second derivative of the log partial likelihood."""
    score = np.zeros(len(slope))
    information = np.zeros(len(slope))
    for stratum in strata:
        x, own = stratum.x, weights[stratum.patients]
        # An overflow ends as NaN: a slope that extreme is not finite.
        with np.errstate(over="ignore"):
            hazard = np.exp(x * slope) * own
        events = own[stratum.events]
        total = np.cumsum(hazard, axis=0)[stratum.at_risk]
        hazard *= x
        first = np.cumsum(hazard, axis=0)[stratum.at_risk]
        hazard *= x
        second = np.cumsum(hazard, axis=0)[stratum.at_risk]
        # A patient who is not in the resample may have nobody at risk beside him.
        total[total == 0] = 1.0
        first /= total
        second /= total
        score += (events * (x[stratum.events] - first)).sum(axis=0)
        information += (events * (second - first**2)).sum(axis=0)
    return score, information
