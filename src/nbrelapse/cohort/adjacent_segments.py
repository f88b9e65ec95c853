"""Which segments lie side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort.distinct_values import encode

CHROMOSOMES = 64
POSITIONS = 2**32


def adjacent_segments(segments: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Find the pairs of segments that follow each other on a chromosome of a sample.

    Parameters
    ----------
    segments : DataFrame
        ``sample_id``, ``chromosome``, ``start``; in any order, n rows.

    Returns
    -------
    first, second : ndarray of int, shape (pairs,)
        Places of the two segments in the table, ordered by start; of equal starts in the order of the table.

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": ["1", "2", "1"], "start": [51.0, 1.0, 1.0]})
    >>> [places.tolist() for places in adjacent_segments(segments)]
    [[2], [0]]
    """
    sample, chromosome = encode(segments["sample_id"])[0], encode(segments["chromosome"])[0]
    profile = sample.astype(np.int64) * CHROMOSOMES + chromosome
    key = profile * POSITIONS + segments["start"].to_numpy().clip(0, POSITIONS - 1).astype(np.int64)
    if (key[1:] >= key[:-1]).all():
        order = np.arange(len(key))
    else:
        order = np.argsort(key, kind="stable")
        profile = profile[order]
    same = np.flatnonzero(profile[1:] == profile[:-1])
    return order[same], order[same + 1]
