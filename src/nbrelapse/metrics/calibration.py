"""Calibration of log risks, incidences and probabilities: slope, intercept, ICI and smooth curves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from scipy.special import expit

from nbrelapse.metrics.decisions import observed_by_group
from nbrelapse.metrics.incidence import pseudo_observations, weighted_incidence
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import (
    _as_columns,
    _as_given,
    _as_incidence,
    _as_log_risks,
    _Value,
    _weight_chunks,
    bootstrap_weights,
)
from nbrelapse.models.binary import weighted_logistic
from nbrelapse.outcome import BINARY, SURVIVAL, kind_of, values_of

if TYPE_CHECKING:
    from nbrelapse.outcome import Outcome

_ITERATIONS = 30
_LARGEST_STEP = 2.0
_LARGEST_SLOPE = 50.0
_TOLERANCE = 1e-7


def calibration_slope(
    y: np.ndarray | Outcome, log_risk: np.ndarray, *, fold: np.ndarray | None = None, weights: np.ndarray | None = None
) -> _Value:
    """Return the slope of the log risk in a Cox model of the outcome, or of the log odds in a logistic regression.

    1 means that predicted log hazard ratios are as large as the observed ones; below 1 they are too extreme, as
    those of an overfitted model [1]_. The Cox model has the log risk as its only covariate and a baseline hazard
    of its own in each fold, because fold models differ; repeats share the slope. Competing events are censored
    (the hazard is cause-specific). Tied times follow Breslow: then the slope of a resample is the slope of the
    patients with their multiplicities as weights. Log odds of calibrated models have one scale: folds and repeats are
    pooled [2]_.

    Parameters
    ----------
    y : ndarray of shape (n,) or Outcome
        Structured, ``event`` and ``time``; or 0 and 1.
    log_risk : ndarray of shape (n,) or (n_repeats, n)
    fold : ndarray of int of the same shape, optional
        By default one model predicted all.
    weights : ndarray of shape (n,) or (n, n_columns), optional
        How often each patient counts; by default once. Column 0 is where the search for the other slopes starts.

    Returns
    -------
    float, or ndarray of shape (n_columns,) where the weights have columns
        NaN where there is no finite slope: the same log risk for all of each fold, no events (of a binary outcome, one
        class only), or events that the log risk separates completely.

    Raises
    ------
    ValueError
        The shapes do not agree.

    References
    ----------
    .. [1] van Houwelingen 2000, Statistics in Medicine,
       10.1002/1097-0258(20001230)19:24<3401::AID-SIM554>3.0.CO;2-2
    .. [2] Cox 1958, Biometrika, 10.1093/biomet/45.3-4.562; Van Calster 2019, BMC Medicine, 10.1186/s12916-019-1466-7

    Examples
    --------
    >>> y = np.array([(1, 3.0), (1, 1.0), (1, 2.0), (0, 4.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> round(calibration_slope(y, np.array([1.0, 0.5, 0.0, -1.0])), 3)
    0.708
    """
    y = values_of(y)
    log_risk, fold = _as_log_risks(log_risk, fold, len(y))
    slope = {SURVIVAL: _cox_slope, BINARY: _logistic_slope}[kind_of(y)]
    return _as_given(slope(y, log_risk, fold, _as_columns(weights, len(y))), weights)


def _cox_slope(y: np.ndarray, log_risk: np.ndarray, fold: np.ndarray, weights: np.ndarray) -> np.ndarray:
    strata, scale = _strata(y, log_risk, fold)
    if not strata:
        return np.full(weights.shape[1], np.nan)
    start = _solve(strata, weights[:, :1], 0.0)
    if np.isnan(start[0]):
        return np.full(weights.shape[1], np.nan)
    rest = [
        _solve(strata, weights[:, columns], start[0])
        for columns in _weight_chunks(len(y), weights.shape[1] - 1, first=1)
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


_KNOTS = (0.1, 0.5, 0.9)
"""Quantiles of the predictions at which three knots are customary (Harrell 2015, 10.1007/978-3-319-19425-7)."""

_SMALLEST = 0.01
"""A choice: no cohort of some hundred patients tells smaller probabilities, or ones closer to 1, apart, and on the
complementary log-log scale they would lie far from all others and bend the curve."""

_NEGLIGIBLE = 1e-8


@dataclass(frozen=True)
class _SmoothCalibration:
    """Least-squares curve of observed against predicted incidence at one horizon.

    Pseudo-observations are regressed on the predicted incidence and on a natural cubic spline (three knots) of its
    complementary log-log [1]_ [2]_: four coefficients. The prediction itself is among the terms because it makes
    the curve of a perfectly calibrated model one that the regression can have. Least squares has a solution in
    every resample, also where predictions take two or three values only.

    Parameters
    ----------
    basis : ndarray of shape (4, n_terms)
        Makes uncorrelated terms of the raw ones; fewer than 4 where predictions are tied.
    knots : ndarray of shape (3,)
        On the complementary log-log scale.
    coefficients : ndarray of shape (n_terms, n_columns)
        A column of patient weights each.

    References
    ----------
    .. [1] Austin 2020, Statistics in Medicine, 10.1002/sim.8570
    .. [2] van Geloven 2022, BMJ, 10.1136/bmj-2021-069249

    Examples
    --------
    >>> import numpy as np
    >>> predicted = np.array([[0.2, 0.2, 0.2, 0.2, 0.6, 0.6]])
    >>> happened = np.array([0, 0, 0, 1.0, 1.0, 1.0])
    >>> curve = _SmoothCalibration.fit(predicted, happened, np.ones((6, 1)))
    >>> curve.at(np.array([0.2, 0.6])).round(3).tolist()
    [[0.25], [1.0]]
    """

    basis: np.ndarray
    knots: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def fit(cls, predicted: np.ndarray, pseudo: np.ndarray, weights: np.ndarray) -> Self:
        """Fit the curve for each column of patient weights.

        Parameters
        ----------
        predicted : ndarray of shape (n_repeats, n)
            Cumulative incidence at the horizon; repeats share one curve.
        pseudo : ndarray of shape (n,) or (n, n_columns)
            See :func:`pseudo_observations`. They are those of the sample in every resample: to first order a
            resample's own are the same. Of other outcomes of the same patients a column each.
        weights : ndarray of shape (n, n_columns)
            See :func:`bootstrap_weights`.
        """
        knots = np.quantile(_cloglog(predicted), _KNOTS)
        raw = _terms(predicted, knots).reshape(-1, 4)
        _, length, right = np.linalg.svd(raw, full_matrices=False)
        kept = length > _NEGLIGIBLE * length[0]
        basis = right[kept].T * (np.sqrt(len(raw)) / length[kept])
        terms = (raw @ basis).reshape(*predicted.shape, -1)
        products = np.einsum("rnp,rnq->npq", terms, terms).reshape(len(pseudo), -1)
        counts = weights.T.astype(float)
        observed = terms.sum(axis=0).T @ (weights * pseudo.reshape(len(pseudo), -1))
        normal = (counts @ products).reshape(len(counts), terms.shape[2], terms.shape[2])
        inverse = np.linalg.pinv(normal, rcond=_NEGLIGIBLE, hermitian=True)
        return cls(basis, knots, np.einsum("cpq,qc->pc", inverse, observed))

    def at(self, predicted: np.ndarray, columns: slice = slice(None)) -> np.ndarray:
        """Return the observed incidence at predicted ones, between 0 and 1; a new last axis holds the columns."""
        return np.clip(_terms(predicted, self.knots) @ (self.basis @ self.coefficients[:, columns]), 0.0, 1.0)


def _integrated_calibration_index(predicted: np.ndarray, pseudo: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean distance between smooth observed and predicted incidence, for each column of patient weights.

    0 is perfect. As a mean of distances it is never negative and is larger by chance in few patients; in resamples,
    which add to the chance, it is larger again [1]_.

    Parameters
    ----------
    predicted : ndarray of shape (n_repeats, n)
        Cumulative incidence at the horizon; the distance is averaged over repeats.
    pseudo : ndarray of shape (n,) or (n, n_columns)
        See :func:`pseudo_observations`; other outcomes of the same patients have a column each.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.

    Returns
    -------
    ndarray of shape (n_columns,)

    References
    ----------
    .. [1] Austin 2019, Statistics in Medicine, 10.1002/sim.8281

    Examples
    --------
    >>> import numpy as np
    >>> predicted = np.array([[0.2, 0.2, 0.2, 0.2, 0.6, 0.6]])
    >>> happened = np.array([0, 0, 0, 1.0, 1.0, 1.0])
    >>> _integrated_calibration_index(predicted, happened, np.ones((6, 1))).round(3).tolist()
    [0.167]
    """
    curve = _SmoothCalibration.fit(predicted, pseudo, weights)
    found = np.empty(weights.shape[1])
    for columns in _weight_chunks(predicted.size, weights.shape[1]):
        distance = np.abs(curve.at(predicted, columns) - predicted[:, :, None]).mean(axis=0)
        own = weights[:, columns]
        found[columns] = (own * distance).sum(axis=0) / own.sum(axis=0, dtype=float)
    return found


def _cloglog(probability: np.ndarray) -> np.ndarray:
    return np.log(-np.log1p(-np.clip(probability, _SMALLEST, 1 - _SMALLEST)))


def _terms(predicted: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Constant, prediction, its complementary log-log, and the cubic term of the natural spline, on a new last axis."""
    x = _cloglog(predicted)
    low, middle, high = knots
    if low < middle < high:
        share = (high - low) / (high - middle)
        bend = np.maximum(x - low, 0) ** 3 - share * np.maximum(x - middle, 0) ** 3
        bend = (bend + (share - 1) * np.maximum(x - high, 0) ** 3) / (high - low) ** 2
    else:
        bend = np.zeros_like(x)
    return np.stack([np.ones_like(x), predicted, x, bend], axis=-1)


_CONSTANT = 1e-8


def _logistic_slope(y: np.ndarray, log_odds: np.ndarray, fold: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the slope of the log odds in a logistic regression, for each column of patient weights.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    log_odds, fold : ndarray of shape (n_repeats, n)
    weights : ndarray of shape (n, n_columns)

    Returns
    -------
    ndarray of shape (n_columns,)
        See :func:`nbrelapse.metrics.calibration.calibration_slope`.

    Examples
    --------
    Log odds twice as extreme as what happens, 1 of 4 and 3 of 4:

    >>> y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    >>> log_odds = np.repeat([[-2.0, 2.0]], 4, axis=1) * np.log(3)
    >>> _logistic_slope(y, log_odds, np.zeros((1, 8), int), np.ones((8, 1))).round(3).tolist()
    [0.5]
    """
    found = np.full(weights.shape[1], np.nan)
    if _varies(log_odds, fold):
        flat, target = log_odds.ravel(), np.tile(y.astype(float), len(log_odds))
        terms = _spline_terms(flat)
        for columns, own in _pooled(weights, len(log_odds)):
            found[columns] = weighted_logistic(terms[:, :2], target, own)[1] / np.std(flat)
    return found


def _logistic_intercept(y: np.ndarray, log_odds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return calibration in the large: the intercept of that regression with the slope held at 1.

    Above 0 the event is commoner than predicted.

    Parameters
    ----------
    y, log_odds, weights
        As in :func:`_logistic_slope`.

    Returns
    -------
    ndarray of shape (n_columns,)
        NaN where all weighted patients have the same outcome.

    Examples
    --------
    >>> y, log_odds = np.array([0, 1, 1, 1]), np.zeros((1, 4))
    >>> _logistic_intercept(y, log_odds, np.ones((4, 1))).round(3).tolist()  # log(3)
    [1.099]
    """
    flat, target = log_odds.ravel(), np.tile(y.astype(float), len(log_odds))
    terms = _spline_terms(flat)
    found = np.full(weights.shape[1], np.nan)
    for columns, own in _pooled(weights, len(log_odds)):
        found[columns] = weighted_logistic(terms[:, :1], target, own, offset=flat)[0]
    return found


def _logistic_calibration_index(
    y: np.ndarray, log_odds: np.ndarray, fold: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the mean absolute distance between the predicted probability and a smooth curve of the observed one.

    The curve [1]_ is a logistic regression on a restricted cubic spline of the log odds with knots at their deciles 1,
    5 and 9; a straight line where too few log odds differ for a curve, as with two clinical groups.

    Parameters
    ----------
    y, log_odds, fold, weights
        As in :func:`_logistic_slope`.

    Returns
    -------
    ndarray of shape (n_columns,)
        NaN where there is no curve: one class only, an outcome that the log odds separate, or the same log odds for all
        patients of each fold.

    References
    ----------
    .. [1] Austin and Steyerberg 2019, Statistics in Medicine, 10.1002/sim.8281

    Examples
    --------
    >>> y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    >>> log_odds = np.repeat([[-2.0, 2.0]], 4, axis=1) * np.log(3)
    >>> _logistic_calibration_index(y, log_odds, np.zeros((1, 8), int), np.ones((8, 1))).round(3).tolist()
    [0.15]
    """
    found = np.full(weights.shape[1], np.nan)
    if _varies(log_odds, fold):
        flat, target = log_odds.ravel(), np.tile(y.astype(float), len(log_odds))
        terms = _spline_terms(flat)
        for columns, own in _pooled(weights, len(log_odds)):
            observed = expit(terms @ weighted_logistic(terms, target, own))
            distance = np.abs(observed - expit(flat)[:, None])
            found[columns] = (own * distance).sum(axis=0) / own.sum(axis=0, dtype=float)
    return found


def _varies(log_odds: np.ndarray, fold: np.ndarray) -> bool:
    """Whether the patients of some fold have different log odds."""
    return any(
        np.ptp(risk[folds == name]) > _CONSTANT
        for risk, folds in zip(log_odds, fold, strict=True)
        for name in np.unique(folds)
    )


def _pooled(weights: np.ndarray, n_repeats: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield chunks of weight columns, repeated for each repeat."""
    for columns in _weight_chunks(n_repeats * len(weights), weights.shape[1]):
        yield columns, np.tile(weights[:, columns], (n_repeats, 1))


def _spline_terms(log_odds: np.ndarray) -> np.ndarray:
    """Return a constant, the standardised log odds, and the curved term of their restricted cubic spline."""
    spread = float(np.std(log_odds))
    x = (log_odds - log_odds.mean()) / (spread if spread > 0 else 1.0)
    terms = [np.ones(len(x)), x]
    first, middle, last = np.quantile(x, _KNOTS)
    if first < middle < last:
        cubes = [np.maximum(x - knot, 0) ** 3 for knot in (first, middle, last)]
        rising, falling = (last - first) / (last - middle), (middle - first) / (last - middle)
        terms.append((cubes[0] - rising * cubes[1] + falling * cubes[2]) / (last - first) ** 2)
    return np.column_stack(terms if np.linalg.matrix_rank(np.column_stack(terms)) == len(terms) else terms[:2])


_ROUNDING = 1e-9


def calibration_intercept(
    y: np.ndarray | Outcome, prediction: np.ndarray, times: _Value = np.inf, *, weights: np.ndarray | None = None
) -> _Value:
    """Return calibration in the large; 0 is perfect.

    Of a time to an event it is the log of the observed over the expected cumulative hazard at a horizon: complementary
    log-log of the observed incidence (Aalen-Johansen) less that of the mean prediction [1]_. Of a binary outcome it is
    the intercept of a logistic regression with the log odds as offset [2]_. Above 0 the event is commoner than
    predicted, below it is rarer.

    Parameters
    ----------
    y : ndarray of shape (n,) or Outcome
        Structured, ``event`` and ``time`` in days; or 0 and 1.
    prediction : ndarray of shape (n, n_times) or (n_repeats, n, n_times)
        Cumulative incidence at ``times``; repeats are averaged. Where the times are a number, of shape (n,) or
        (n_repeats, n). Of a binary outcome the log odds, of shape (n,) or (n_repeats, n).
    times : float or ndarray of shape (n_times,)
        Horizons in days; not for a binary outcome.
    weights : ndarray of shape (n,) or (n, n_columns), optional
        How often each patient counts; by default once.

    Returns
    -------
    float, or ndarray of shape (n_times,), (n_columns,) or (n_times, n_columns)
        An axis where the times are an array, and one where the weights have columns. NaN where nobody has the event by
        the horizon, or everybody.

    Raises
    ------
    ValueError
        The shapes do not agree.

    References
    ----------
    .. [1] van Geloven 2022, BMJ, 10.1136/bmj-2021-069249, who shift single predictions on the same scale
    .. [2] Van Calster 2019, BMC Medicine, 10.1186/s12916-019-1466-7

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> calibration_intercept(y, np.array([0.3, 0.7]), 20.0)
    0.0
    """
    y = values_of(y)
    columns = _as_columns(weights, len(y))
    if not kind_of(y).has_time:
        log_odds, _ = _as_log_risks(prediction, None, len(y))
        return _as_given(_logistic_intercept(y, log_odds, columns), weights)
    incidence = _as_incidence(prediction, times, len(y))
    found = [
        _intercept_at(y, incidence[:, :, number], horizon, columns)
        for number, horizon in enumerate(np.atleast_1d(times))
    ]
    return _as_given(np.stack(found), weights, times)


def ici(
    y: np.ndarray | Outcome,
    prediction: np.ndarray,
    times: _Value = np.inf,
    *,
    fold: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> _Value:
    """Return the integrated calibration index: the mean distance between smooth observed and predicted probability.

    0 is perfect. As a mean of distances it is never negative and is larger by chance in few patients; in resamples,
    which add to the chance, it is larger again.

    Parameters
    ----------
    y, prediction, times, weights
        As in :func:`calibration_intercept`. The horizons are before the end of the follow-up.
    fold : ndarray of int of the shape of ``prediction``, optional
        Of a binary outcome: there is no curve where log odds do not vary within any fold.

    Returns
    -------
    float, or ndarray of shape (n_times,), (n_columns,) or (n_times, n_columns)
        As in :func:`calibration_intercept`; see :func:`_integrated_calibration_index` and, of a binary outcome,
        :func:`_logistic_calibration_index`.

    Raises
    ------
    ValueError
        The shapes do not agree.

    Examples
    --------
    >>> y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    >>> round(ici(y, np.repeat([-2.0, 2.0], 4) * np.log(3)), 3)
    0.15
    """
    y = values_of(y)
    columns = _as_columns(weights, len(y))
    if not kind_of(y).has_time:
        log_odds, fold = _as_log_risks(prediction, fold, len(y))
        return _as_given(_logistic_calibration_index(y, log_odds, fold, columns), weights)
    incidence = _as_incidence(prediction, times, len(y))
    found = [
        _integrated_calibration_index(incidence[:, :, number], pseudo_observations(y, horizon), columns)
        for number, horizon in enumerate(np.atleast_1d(times))
    ]
    return _as_given(np.stack(found), weights, times)


def _intercept_at(y: np.ndarray, predicted: np.ndarray, horizon: float, weights: np.ndarray) -> np.ndarray:
    observed = weighted_incidence(y, weights, np.array([horizon]))[0]
    observed[observed > 1 - _ROUNDING] = 1.0
    expected = predicted.mean(axis=0) @ weights / weights.sum(axis=0, dtype=float)
    with np.errstate(divide="ignore"):
        found = np.log(-np.log1p(-observed)) - np.log(-np.log1p(-expected))
    return np.where(np.isfinite(found), found, np.nan)


_POINTS = 101
_DRAWN = (0.01, 0.99)
"""Quantiles of the predictions between which the curve is given: beyond, a handful of patients would make it."""


@dataclass(frozen=True)
class CalibrationCurve:
    """How observed and predicted incidence agree at one horizon.

    Parameters
    ----------
    horizon_days : float
    curve : DataFrame
        ``predicted``, ``observed``, ``low``, ``high``: the smooth curve between the 1st and the 99th percentile of the
        predictions, with its pointwise 95 % bootstrap band.
    groups : DataFrame
        ``predicted``, ``observed``, ``low``, ``high``, ``n``, see :func:`observed_by_group`.
    ici, e50, e90 : float
        Mean, median and 90th percentile of the distance between curve and prediction over the patients (Austin
        2019, 10.1002/sim.8281).
    """

    horizon_days: float
    curve: pd.DataFrame
    groups: pd.DataFrame
    ici: float
    e50: float
    e90: float


def calibration_curve(
    predictions: Predictions,
    y: np.ndarray,
    horizon_days: float,
    *,
    groups: int = 5,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> CalibrationCurve:
    """Compare observed and predicted incidence at a horizon, with competing events as such.

    Parameters
    ----------
    predictions : Predictions
        Repeats share the curve, see :class:`_SmoothCalibration`; in groups they are averaged.
    y : structured ndarray of shape (n,)
        ``event`` and ``time`` of these patients.
    horizon_days : float
        One of the predictions' times, before the end of the follow-up.
    groups : int
        Groups of equal size, by predicted incidence.
    n_bootstrap, seed : int
        Of the band.

    Returns
    -------
    CalibrationCurve

    Raises
    ------
    ValueError
        Nothing was predicted for the horizon, or the follow-up ends before.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> hazard = np.exp(rng.normal(size=200)) / 1000
    >>> y = np.array([(t < 900, min(t, 900)) for t in rng.exponential(1 / hazard)], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> incidence = (1 - np.exp(-hazard * 365.25)).reshape(1, 200, 1)
    >>> predictions = Predictions("true", np.log(hazard)[None], np.zeros((1, 200), int), incidence, np.array([365.25]))
    >>> found = calibration_curve(predictions, y, 365.25, groups=3)
    >>> found.groups[["predicted", "observed", "n"]].round(2).values.tolist()
    [[0.13, 0.12, 67.0], [0.32, 0.32, 66.0], [0.65, 0.54, 67.0]]
    >>> round(found.ici, 3)
    0.051
    """
    if y["time"].max() <= horizon_days:
        raise ValueError(f"the follow-up ends after {y['time'].max():g} days, before {horizon_days:g}")
    predicted = predictions.incidence_at(horizon_days)
    weights = bootstrap_weights(len(y), n_bootstrap, seed)
    smooth = _SmoothCalibration.fit(predicted, pseudo_observations(y, horizon_days), weights)
    first, last = np.quantile(predicted, _DRAWN)
    grid = np.linspace(first, last, _POINTS)
    observed = smooth.at(grid)
    low, high = np.quantile(observed[:, 1:], [0.025, 0.975], axis=1)
    curve = pd.DataFrame({"predicted": grid, "observed": observed[:, 0], "low": low, "high": high})
    distance = np.abs(smooth.at(predicted, slice(1))[:, :, 0] - predicted)
    e50, e90 = np.quantile(distance, [0.5, 0.9])
    by_group = observed_by_group(predicted.mean(axis=0), y, horizon_days, groups)
    return CalibrationCurve(horizon_days, curve, by_group, float(distance.mean()), float(e50), float(e90))
