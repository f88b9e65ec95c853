"""Cumulative incidence of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.bootstrap_weights import weight_chunks


def weighted_incidence(y: np.ndarray, weights: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the Aalen-Johansen estimate of the event's cumulative incidence for each column of patient weights.

    Without competing events it is one minus the Kaplan-Meier estimate.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
        ``event`` 0/1/2 and ``time``.
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
    order = np.argsort(y["time"], kind="stable")
    event, time = y["event"][order], y["time"][order]
    steps = np.unique(time[event != 0])
    found = np.zeros((len(times), weights.shape[1]))
    if not len(steps):
        return found
    first, last = np.searchsorted(time, steps), np.searchsorted(time, steps, side="right")
    reached = np.searchsorted(steps, times, side="right")
    for columns in weight_chunks(len(y), weights.shape[1]):
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
