"""One number for the groups that a patient can still have."""

from __future__ import annotations

import numpy as np


def mean_reachable(reachable: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean value of the groups that each patient can still have.

    Parameters
    ----------
    reachable : ndarray of bool, shape (n_patients, n_groups)
    values : ndarray of shape (n_groups,)

    Returns
    -------
    ndarray of float64, shape (n_patients,)
        NaN where every group is reachable, or none, and where the mean is the value of a group that the patient
        cannot have.

    Examples
    --------
    >>> import numpy as np
    >>> mean_reachable(np.array([[True, False, True], [True, True, True]]), np.array([0, 1, 3]))
    array([1.5, nan])
    >>> mean_reachable(np.array([[True, False, True, False]]), np.arange(4))
    array([nan])
    """
    count = reachable.sum(axis=1)
    mean = reachable @ np.asarray(values, dtype=np.float64) / np.maximum(count, 1)
    misleading = ((mean[:, None] == np.asarray(values)) & ~reachable).any(axis=1)
    return np.where((count > 0) & (count < reachable.shape[1]) & ~misleading, mean, np.nan)
