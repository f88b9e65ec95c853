"""Likelihood of given log odds."""

from __future__ import annotations

import numpy as np


def log_likelihood(y: np.ndarray, log_odds: np.ndarray) -> float:
    """Return the mean log likelihood per patient of a binary outcome; minus the log loss.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    log_odds : ndarray of shape (n,)

    Returns
    -------
    float
        Higher is better; 0 where every outcome was certain.

    Examples
    --------
    >>> import numpy as np
    >>> round(log_likelihood(np.array([0, 1]), np.zeros(2)), 4)
    -0.6931
    """
    return float(np.mean(y * log_odds - np.logaddexp(0.0, log_odds)))
