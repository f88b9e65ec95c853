"""Cox's partial likelihood of given log risks."""

from __future__ import annotations

import numpy as np


def partial_log_likelihood(y: np.ndarray, log_risk: np.ndarray) -> float:
    """Return the mean log partial likelihood per event, after Breslow at tied times.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
        Competing events are censored: the hazard is cause-specific.
    log_risk : ndarray of shape (n,)

    Returns
    -------
    float
        Higher is better; 0 where every event was certain. NaN without events.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 1.0), (0, 2.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> round(partial_log_likelihood(y, np.zeros(2)), 4)
    -0.6931
    """
    order = np.argsort(-y["time"], kind="stable")
    time, event, risk = -y["time"][order], y["event"][order] == 1, log_risk[order]
    if not event.any():
        return float("nan")
    at_risk = np.searchsorted(time, time[event], side="right") - 1
    return float(np.mean(risk[event] - np.logaddexp.accumulate(risk)[at_risk]))
