"""Breakpoints that lie closer together than the rest of a tumour's."""

from __future__ import annotations

import numpy as np

GENOME_LENGTH = 3.1e9
"""In bases, for both builds, so that the same event gives the same answer."""
LONGEST_CHROMOSOME = 2**28


def clustered_breakpoints(
    sample: np.ndarray, chromosome: np.ndarray, position: np.ndarray, *, size: int = 10, density: float = 10.0
) -> np.ndarray:
    """Tell the breakpoints that belong to a cluster.

    A cluster is `size` breakpoints or more that follow each other on a chromosome at a mean distance of at most
    1 / `density` of the tumour's own mean, which is the length of the genome over the number of its breakpoints.

    Parameters
    ----------
    sample, chromosome : ndarray of int, shape (n,)
        Numbers from 0.
    position : ndarray of float or int, shape (n,)
        In bases.
    size : int
    density : float

    Returns
    -------
    ndarray of bool, shape (n,)

    References
    ----------
    Ten breakpoints, ten times as dense: Nik-Zainal et al. 2016, 10.1038/nature17676. Clusters of breakpoints are the
    first criterion of chromothripsis: Korbel and Campbell 2013, 10.1016/j.cell.2013.02.023.

    Examples
    --------
    >>> position = np.array([1, 2, 3, 200_000_000])
    >>> zero = np.zeros(4, dtype=int)
    >>> clustered_breakpoints(zero, zero, position, size=3).tolist()
    [True, True, True, False]
    """
    clustered = np.zeros(len(position), dtype=bool)
    if len(position) < size:
        return clustered
    place = sample.astype(np.int64) * (int(chromosome.max()) + 1) + chromosome
    key = place * LONGEST_CHROMOSOME + position.astype(np.int64)
    order = np.argsort(key, kind="stable")
    starts, ends = order[: len(order) - size + 1], order[size - 1 :]
    allowed = (size - 1) * GENOME_LENGTH / np.bincount(sample)[sample[starts]] / density
    dense = (place[starts] == place[ends]) & (key[ends] - key[starts] <= allowed)
    # Each dense run opens at its first breakpoint and closes after its last.
    change = np.zeros(len(order) + 1, dtype=np.int64)
    change[: len(dense)] += dense
    change[size : size + len(dense)] -= dense
    clustered[order] = np.cumsum(change[:-1]) > 0
    return clustered
