"""Patient weights that leave patients out in turn."""

from __future__ import annotations

import numpy as np

_MOST_COLUMNS = 1000


def jackknife_weights(n_patients: int, seed: int) -> np.ndarray:
    """Return weights of 0 for the patients who are left out and 1 for the others, for the BCa interval.

    Parameters
    ----------
    n_patients : int
    seed : int
        Of the grouping.

    Returns
    -------
    ndarray of float32, shape (n_patients, min(n_patients, 1000))
        Each patient is left out once: alone up to 1,000 patients, beyond that in one of 1,000 random groups, because
        the acceleration is a ratio of moments that grouping leaves the same on average.

    Examples
    --------
    >>> jackknife_weights(3, seed=0).tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    group = np.arange(n_patients)
    if n_patients > _MOST_COLUMNS:
        group = np.random.default_rng(seed).permutation(n_patients) % _MOST_COLUMNS
    weights = np.ones((n_patients, min(n_patients, _MOST_COLUMNS)), dtype=np.float32)
    weights[np.arange(n_patients), group] = 0
    return weights
