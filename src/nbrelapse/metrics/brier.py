"""Brier score, integrated Brier score and index of prediction accuracy, by patient weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbrelapse.metrics.horizons import CensoringDistribution
from nbrelapse.metrics.incidence import weighted_incidence
from nbrelapse.metrics.resampling import _as_columns, _as_given, _as_incidence, _Value, _weight_chunks
from nbrelapse.outcome import SURVIVAL, kind_of, values_of

if TYPE_CHECKING:
    from nbrelapse.outcome import Outcome


def brier_score(
    y: np.ndarray | Outcome,
    prediction: np.ndarray,
    times: _Value = np.inf,
    *,
    weights: np.ndarray | None = None,
    censoring: CensoringDistribution | None = None,
) -> _Value:
    """Return the Brier score; lower is better.

    The squared distance between the predicted probability and what happened, averaged over patients [1]_. Of a time
    to an event: between the cumulative incidence and 1 after the event, 0 while free of it or after a competing event,
    with inverse-probability-of-censoring weights [2]_ [3]_; without competing events it equals scikit-survival's
    ``brier_score``. Repeats are averaged.

    Parameters
    ----------
    y : ndarray of shape (n,) or Outcome
        Structured, ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days; or 0 and 1.
    prediction : ndarray of shape (n, n_times) or (n_repeats, n, n_times)
        Cumulative incidence of the event at ``times``. Where these are a number, or of a binary outcome, of shape (n,)
        or (n_repeats, n).
    times : float or ndarray of shape (n_times,)
        Days, all before ``censoring.last_time``; not for a binary outcome.
    weights : ndarray of shape (n,) or (n, n_columns), optional
        How often each patient counts; by default once.
    censoring : CensoringDistribution, optional
        By default that of ``y``.

    Returns
    -------
    float, or ndarray of shape (n_times,), (n_columns,) or (n_times, n_columns)
        An axis where the times are an array, and one where the weights have columns.

    Raises
    ------
    ValueError
        The shapes do not agree.

    References
    ----------
    .. [1] Brier 1950, Monthly Weather Review, 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
    .. [2] Graf 1999, Statistics in Medicine,
       10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5
    .. [3] Schoop 2011, Biometrical Journal, 10.1002/bimj.201000073

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> brier_score(y, np.array([[0.5, 1.0], [0.5, 0.0]]), np.array([5.0, 20.0])).tolist()
    [0.25, 0.0]
    >>> round(brier_score(np.array([0, 1]), np.array([0.2, 0.8])), 3)
    0.04
    """
    y = values_of(y)
    columns_of = _as_columns(weights, len(y))
    predicted = _as_incidence(prediction, times, len(y))
    if not kind_of(y).has_time:
        squared = ((predicted[:, :, 0] - y) ** 2).mean(axis=0)
        return _as_given((squared @ columns_of / columns_of.sum(axis=0, dtype=float))[None], weights, times)
    happened, inverse = _known_status(y, np.atleast_1d(times), censoring)
    squared = (((predicted - happened) ** 2).mean(axis=0) * inverse).T
    found = [squared @ columns_of[:, columns] for columns in _weight_chunks(len(y), columns_of.shape[1])]
    return _as_given(np.concatenate(found, axis=1) / columns_of.sum(axis=0, dtype=float), weights, times)


def null_brier_score(
    y: np.ndarray | Outcome,
    times: _Value = np.inf,
    *,
    weights: np.ndarray | None = None,
    censoring: CensoringDistribution | None = None,
) -> _Value:
    """Return the Brier score of the patients' own incidence, predicted for all of them alike.

    Of a time to an event the incidence is the Aalen-Johansen estimate of each column's patients, as in
    :func:`weighted_incidence`; of a binary outcome it is their share with the event.

    Parameters
    ----------
    y, times, weights, censoring
        As in :func:`brier_score`.

    Returns
    -------
    float, or ndarray of shape (n_times,), (n_columns,) or (n_times, n_columns)
        As in :func:`brier_score`; 0 where no patient of a column has the event by then.

    Raises
    ------
    ValueError
        There are not as many weights as patients.

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> null_brier_score(y, np.array([5.0, 20.0])).tolist(), null_brier_score(np.array([0, 0, 0, 1]))
    ([0.0, 0.25], 0.1875)
    """
    y = values_of(y)
    columns_of = _as_columns(weights, len(y))
    if not kind_of(y).has_time:
        share = y @ columns_of / columns_of.sum(axis=0, dtype=float)
        return _as_given((share * (1 - share))[None], weights, times)
    at = np.atleast_1d(times)
    happened, inverse = _known_status(y, at, censoring)
    average = weighted_incidence(y, columns_of, at)
    found = np.empty_like(average)
    for columns in _weight_chunks(len(y), columns_of.shape[1]):
        own, predicted = columns_of[:, columns].astype(float), average[:, columns]
        with_event = (inverse * happened).T @ own
        without = (inverse * ~happened).T @ own
        found[:, columns] = ((1 - predicted) ** 2 * with_event + predicted**2 * without) / own.sum(axis=0)
    return _as_given(found, weights, times)


def ipa(
    y: np.ndarray | Outcome,
    prediction: np.ndarray,
    times: _Value = np.inf,
    *,
    weights: np.ndarray | None = None,
    censoring: CensoringDistribution | None = None,
) -> _Value:
    """Return the index of prediction accuracy: :func:`_prediction_accuracy` of the two Brier scores.

    Parameters
    ----------
    y, prediction, times, weights, censoring
        As in :func:`brier_score`.

    Returns
    -------
    float, or ndarray of shape (n_times,), (n_columns,) or (n_times, n_columns)
        As in :func:`brier_score`; NaN where nobody has the event by then, or everybody.

    Raises
    ------
    ValueError
        The shapes do not agree.

    Examples
    --------
    >>> round(ipa(np.array([0, 0, 0, 1]), np.array([0.1, 0.1, 0.1, 0.7])), 3)
    0.84
    """
    found = brier_score(y, prediction, times, weights=weights, censoring=censoring)
    return _prediction_accuracy(found, null_brier_score(y, times, weights=weights, censoring=censoring))


def _prediction_accuracy(brier: _Value, null_brier: _Value) -> _Value:
    """Return the index of prediction accuracy, 1 less the ratio of two Brier scores [1]_.

    1 is perfect, 0 no better than knowing the average, below 0 is worse.

    Parameters
    ----------
    brier : float or ndarray
        Of a model, from :func:`brier_score`.
    null_brier : float or ndarray of the same shape
        Of the same patients, from :func:`null_brier_score`.

    Returns
    -------
    float or ndarray
        NaN where the patients' own incidence is 0 or 1.

    References
    ----------
    .. [1] Kattan and Gerds 2018, Diagnostic and Prognostic Research, 10.1186/s41512-018-0029-2

    Examples
    --------
    >>> _prediction_accuracy(0.0625, 0.25), _prediction_accuracy(0.01, 0.0)
    (0.75, nan)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(null_brier > np.finfo(float).eps, 1 - np.divide(brier, null_brier), np.nan)
    return float(found) if found.ndim == 0 else found


def integrated_brier(
    y: np.ndarray | Outcome,
    incidence: np.ndarray,
    times: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    censoring: CensoringDistribution | None = None,
) -> _Value:
    """Return the mean over time of :func:`brier_score`; lower is better.

    By the trapezoidal rule from the first time to the last. Without competing events it equals scikit-survival's
    ``integrated_brier_score``.

    Parameters
    ----------
    y : structured ndarray of shape (n,) or Outcome
    incidence : ndarray of shape (n, n_times) or (n_repeats, n, n_times)
        Cumulative incidence of the event.
    times : ndarray of shape (n_times,)
        Days, increasing, at least two, all before ``censoring.last_time``.
    weights, censoring
        As in :func:`brier_score`.

    Returns
    -------
    float, or ndarray of shape (n_columns,) where the weights have columns

    Raises
    ------
    ValueError
        The outcome is binary, or the shapes do not agree.

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> integrated_brier(y, np.full((2, 2), 0.5), np.array([5.0, 20.0]))
    0.25
    """
    y = values_of(y, SURVIVAL)
    found = brier_score(y, incidence, times, weights=_as_columns(weights, len(y)), censoring=censoring)
    return _as_given(np.trapezoid(found, times, axis=0) / (times[-1] - times[0]), weights)


def _known_status(
    y: np.ndarray, times: np.ndarray, censoring: CensoringDistribution | None
) -> tuple[np.ndarray, np.ndarray]:
    """Who has had the event by each time, and the censoring weights: 1 / G then, or at the event; 0 if unknown."""
    censoring = CensoringDistribution.fit(y) if censoring is None else censoring
    past = y["time"][:, None] <= times
    known = ~past | (y["event"] != 0)[:, None]
    inverse = np.where(known, 1 / censoring.at(np.minimum(y["time"][:, None], times)), 0.0)
    return past & (y["event"] == 1)[:, None], inverse
