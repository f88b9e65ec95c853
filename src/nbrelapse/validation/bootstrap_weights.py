"""Patient weights that stand for bootstrap resamples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_CHUNK_VALUES = 1 << 17


def bootstrap_weights(n_patients: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """Return how often each patient occurs in the sample itself and in resamples of it.

    A metric of a resample is the metric of the patients with these weights, so nothing is ever resampled: every
    metric of this package takes the whole matrix and returns its value for each column.

    Parameters
    ----------
    n_patients, n_bootstrap : int
    seed : int

    Returns
    -------
    ndarray of float32, shape (n_patients, n_bootstrap + 1)
        Column 0 is all ones (the sample itself); the others are multinomial counts that sum to ``n_patients``.

    Examples
    --------
    >>> weights = bootstrap_weights(4, 2, seed=0)
    >>> weights[:, 0].tolist(), weights.sum(axis=0).tolist()
    ([1.0, 1.0, 1.0, 1.0], [4.0, 4.0, 4.0])
    """
    generator = np.random.default_rng(seed)
    weights = np.ones((n_patients, n_bootstrap + 1), dtype=np.float32)
    for columns in weight_chunks(n_patients, n_bootstrap, first=1):
        size = columns.stop - columns.start
        drawn = generator.integers(n_patients, size=(n_patients, size)) * size + np.arange(size)
        weights[:, columns] = np.bincount(drawn.ravel(), minlength=n_patients * size).reshape(n_patients, size)
    return weights


def weight_chunks(n_patients: int, n_columns: int, *, first: int = 0) -> Iterator[slice]:
    """Yield slices of weight columns, small enough that work on them stays in the processor's cache."""
    size = max(16, _CHUNK_VALUES // max(n_patients, 1))
    stop = first + n_columns
    for start in range(first, stop, size):
        yield slice(start, min(start + size, stop))
