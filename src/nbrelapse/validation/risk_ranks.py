"""Ranks of log risks within their folds."""

from __future__ import annotations

import numpy as np

_TIED = 1e-8


def risk_ranks(log_risk: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Rank patients by fold and, within it, by log risk.

    Parameters
    ----------
    log_risk : ndarray of shape (n,)
        Neighbours no further apart than 1e-8 are tied, as in scikit-survival.
    fold : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int, shape (n,)
        Dense ranks from 0; tied patients of one fold share a rank.

    Examples
    --------
    >>> import numpy as np
    >>> risk_ranks(np.array([0.3, 0.1, 0.3, -1.0]), np.array([0, 0, 0, 1])).tolist()
    [1, 0, 1, 2]
    """
    order = np.lexsort((log_risk, fold))
    step = (np.diff(log_risk[order]) > _TIED) | (np.diff(fold[order]) != 0)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(step)])
    return ranks
