"""Brier score, integrated Brier score and index of prediction accuracy, by patient weights."""

from __future__ import annotations

import numpy as np

from nbrelapse.metrics.horizons import CensoringDistribution
from nbrelapse.metrics.incidence import weighted_incidence
from nbrelapse.metrics.resampling import weight_chunks


def brier_score(
    y: np.ndarray, incidence: np.ndarray, times: np.ndarray, weights: np.ndarray, censoring: CensoringDistribution
) -> np.ndarray:
    """Return the Brier score at each time for each column of patient weights; lower is better.

    The squared distance between the predicted cumulative incidence and what happened (1 after the event, 0 while
    free of it or after a competing event), averaged with inverse-probability-of-censoring weights [1]_ [2]_.
    Repeats are averaged. Without competing events it equals scikit-survival's ``brier_score``.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
    incidence : ndarray of shape (n_repeats, n, n_times)
        Cumulative incidence of the event.
    times : ndarray of shape (n_times,)
        Days, all before ``censoring.last_time``.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.
    censoring : CensoringDistribution

    Returns
    -------
    ndarray of shape (n_times, n_columns)

    References
    ----------
    .. [1] Graf 1999, Statistics in Medicine,
       10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5
    .. [2] Schoop 2011, Biometrical Journal, 10.1002/bimj.201000073

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> predicted = np.array([[[0.5, 1.0], [0.5, 0.0]]])
    >>> brier_score(y, predicted, np.array([5.0, 20.0]), np.ones((2, 1)), CensoringDistribution.fit(y)).tolist()
    [[0.25], [0.0]]
    """
    happened, inverse = known_status(y, times, censoring)
    squared = (((incidence - happened) ** 2).mean(axis=0) * inverse).T
    found = [squared @ weights[:, columns] for columns in weight_chunks(len(y), weights.shape[1])]
    return np.concatenate(found, axis=1) / weights.sum(axis=0, dtype=float)


def known_status(y: np.ndarray, times: np.ndarray, censoring: CensoringDistribution) -> tuple[np.ndarray, np.ndarray]:
    """Return who has had the event by each time, and the inverse-probability-of-censoring weights.

    Returns
    -------
    happened : ndarray of bool, shape (n, n_times)
    inverse : ndarray of shape (n, n_times)
        1 / G at the time, or at the event before; 0 of those censored before, of whom nothing is known.
    """
    past = y["time"][:, None] <= times
    known = ~past | (y["event"] != 0)[:, None]
    inverse = np.where(known, 1 / censoring.at(np.minimum(y["time"][:, None], times)), 0.0)
    return past & (y["event"] == 1)[:, None], inverse


def null_brier_score(
    y: np.ndarray, times: np.ndarray, weights: np.ndarray, censoring: CensoringDistribution
) -> np.ndarray:
    """Return the Brier score of the patients' own incidence, predicted for all of them alike.

    The index of prediction accuracy is ``1 - brier_score / null_brier_score``: 1 for a perfect model, 0 for one no
    better than knowing the average, below 0 for one that is worse [1]_. The incidence is the Aalen-Johansen
    estimate of each column's patients, as in :func:`weighted_incidence`.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
    times : ndarray of shape (n_times,)
        Days, all before ``censoring.last_time``.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.
    censoring : CensoringDistribution

    Returns
    -------
    ndarray of shape (n_times, n_columns)
        0 where no patient of a column has the event by then.

    References
    ----------
    .. [1] Kattan and Gerds 2018, Diagnostic and Prognostic Research, 10.1186/s41512-018-0029-2

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> null_brier_score(y, np.array([5.0, 20.0]), np.ones((2, 1)), CensoringDistribution.fit(y)).tolist()
    [[0.0], [0.25]]
    """
    happened, inverse = known_status(y, times, censoring)
    average = weighted_incidence(y, weights, times)
    found = np.empty_like(average)
    for columns in weight_chunks(len(y), weights.shape[1]):
        own, predicted = weights[:, columns].astype(float), average[:, columns]
        with_event = (inverse * happened).T @ own
        without = (inverse * ~happened).T @ own
        found[:, columns] = ((1 - predicted) ** 2 * with_event + predicted**2 * without) / own.sum(axis=0)
    return found


def integrated_brier(
    y: np.ndarray, incidence: np.ndarray, times: np.ndarray, weights: np.ndarray, censoring: CensoringDistribution
) -> np.ndarray:
    """Return the mean over time of :func:`brier_score` for each column of patient weights; lower is better.

    By the trapezoidal rule from the first time to the last. Without competing events it equals scikit-survival's
    ``integrated_brier_score``.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
    incidence : ndarray of shape (n_repeats, n, n_times)
        Cumulative incidence of the event.
    times : ndarray of shape (n_times,)
        Days, increasing, at least two, all before ``censoring.last_time``.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.
    censoring : CensoringDistribution

    Returns
    -------
    ndarray of shape (n_columns,)

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> flat = np.full((1, 2, 2), 0.5)
    >>> integrated_brier(y, flat, np.array([5.0, 20.0]), np.ones((2, 1)), CensoringDistribution.fit(y)).tolist()
    [0.25]
    """
    found = brier_score(y, incidence, times, weights, censoring)
    return np.trapezoid(found, times, axis=0) / (times[-1] - times[0])


def binary_brier(y: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the Brier score and the index of prediction accuracy for each column of patient weights.

    The Brier score [1]_ is the mean squared distance between the predicted probability and 1 or 0; lower is better.
    Repeats are averaged. The index of prediction accuracy [2]_ is 1 less its ratio to the score of a prediction that
    gives everybody the observed share; 0 is useless, below 0 is worse than that, 1 is perfect.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    probability : ndarray of shape (n_repeats, n)
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.

    Returns
    -------
    brier, ipa : ndarray of shape (n_columns,)
        The index is NaN where all weighted patients have the same outcome.

    References
    ----------
    .. [1] Brier 1950, Monthly Weather Review, 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
    .. [2] Kattan and Gerds 2018, Diagnostic and Prognostic Research, 10.1186/s41512-018-0029-2

    Examples
    --------
    >>> import numpy as np
    >>> brier, ipa = binary_brier(np.array([0, 1]), np.array([[0.2, 0.8]]), np.ones((2, 1)))
    >>> brier.round(3).tolist(), ipa.round(3).tolist()
    ([0.04], [0.84])
    """
    total = weights.sum(axis=0, dtype=float)
    brier = ((probability - y) ** 2).mean(axis=0) @ weights / total
    share = y @ weights / total
    with np.errstate(invalid="ignore", divide="ignore"):
        return brier, np.where((share > 0) & (share < 1), 1 - brier / (share * (1 - share)), np.nan)
