"""Integrated Brier score of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.censoring import CensoringDistribution


def integrated_brier(
    y: np.ndarray, incidence: np.ndarray, times: np.ndarray, weights: np.ndarray, censoring: CensoringDistribution
) -> np.ndarray:
    """Return the integrated Brier score for each column of patient weights; lower is better.

    At each time the squared distance between the predicted cumulative incidence and what happened (1 after the
    event, 0 while free of it or after a competing event) is averaged with inverse-probability-of-censoring
    weights [1]_ [2]_, then over time by the trapezoidal rule. Repeats are averaged. Without competing events it
    equals scikit-survival's ``integrated_brier_score``.

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

    References
    ----------
    .. [1] Graf 1999, Statistics in Medicine,
       10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5
    .. [2] Schoop 2011, Biometrical Journal, 10.1002/bimj.201000073

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> flat = np.full((1, 2, 2), 0.5)
    >>> integrated_brier(y, flat, np.array([5.0, 20.0]), np.ones((2, 1)), CensoringDistribution.fit(y)).tolist()
    [0.25]
    """
    past = y["time"][:, None] <= times
    happened = past & (y["event"] == 1)[:, None]
    known = ~past | (y["event"] != 0)[:, None]
    observed_until = np.minimum(y["time"][:, None], times)
    inverse = np.where(known, 1 / censoring.at(observed_until), 0.0)
    squared = ((incidence - happened) ** 2).mean(axis=0) * inverse
    per_patient = np.trapezoid(squared, times, axis=1) / (times[-1] - times[0])
    return per_patient @ weights / weights.sum(axis=0, dtype=float)
