"""Brier score of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.bootstrap_weights import weight_chunks
from nbrelapse.validation.censoring import CensoringDistribution


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
