"""Brier score and index of prediction accuracy of a binary outcome, of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np


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
