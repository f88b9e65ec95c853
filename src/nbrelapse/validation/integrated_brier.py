"""Integrated Brier score of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.brier_score import brier_score
from nbrelapse.validation.censoring import CensoringDistribution


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
