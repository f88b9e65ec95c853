"""Brier score of a model that predicts the same for everybody."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.bootstrap_weights import weight_chunks
from nbrelapse.validation.brier_score import known_status
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.weighted_incidence import weighted_incidence


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
