"""Ranks of the genes within each sample."""

from __future__ import annotations

import numpy as np


def within_sample_ranks(values: np.ndarray) -> np.ndarray:
    """Rank each row.

    Parameters
    ----------
    values : ndarray of float64 (n_samples, n_genes)
        NaN = not measured.

    Returns
    -------
    ndarray of float64 (n_samples, n_genes)
        1 = lowest; equal values share their mean rank; NaN where the value is NaN.

    Examples
    --------
    >>> within_sample_ranks(np.array([[7.0, 2.0, np.nan, 7.0]])).tolist()
    [[2.5, 1.0, nan, 2.5]]
    """
    genes = values.shape[1]
    order = np.argsort(values, axis=1) + np.arange(len(values))[:, np.newaxis] * genes
    in_order = values.ravel().take(order.ravel())
    opens = np.ones(values.size, dtype=bool)
    np.not_equal(in_order[1:], in_order[:-1], out=opens[1:])
    opens[:: max(genes, 1)] = True
    starts = np.flatnonzero(opens)
    ends = np.append(starts[1:], opens.size)
    # Places are counted through all rows. NaN is sorted last, so it moves no rank before it.
    shared = (starts + ends + 1) / 2 - starts // max(genes, 1) * genes
    ranks = np.empty(values.size)
    ranks[order.ravel()] = np.repeat(shared, ends - starts)
    ranks[np.isnan(values).ravel()] = np.nan
    return ranks.reshape(values.shape)
