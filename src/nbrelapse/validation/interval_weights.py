"""Patient weights behind the intervals of a metric."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.jackknife_weights import jackknife_weights

IntervalKind = Literal["percentile", "bca"]


def interval_weights(n_patients: int, n_bootstrap: int, seed: int, kind: IntervalKind) -> np.ndarray:
    """Return :func:`bootstrap_weights`, followed for BCa intervals by :func:`jackknife_weights`.

    Parameters
    ----------
    n_patients, n_bootstrap, seed : int
    kind : {"percentile", "bca"}

    Returns
    -------
    ndarray of float32, shape (n_patients, n_columns)

    Raises
    ------
    ValueError
        There is no such interval.

    Examples
    --------
    >>> interval_weights(3, 5, seed=0, kind="percentile").shape, interval_weights(3, 5, seed=0, kind="bca").shape
    ((3, 6), (3, 9))
    """
    if kind not in get_args(IntervalKind):
        raise ValueError(f"interval {kind!r} is none of {', '.join(get_args(IntervalKind))}")
    weights = bootstrap_weights(n_patients, n_bootstrap, seed)
    return weights if kind == "percentile" else np.hstack([weights, jackknife_weights(n_patients, seed)])
