"""What is certain about a raw segment table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort.adjacent_segments import adjacent_segments


def repair_segments(segments: pd.DataFrame, repairs: list[str]) -> pd.DataFrame:
    """Remove segments that are there twice and count positions from 1.

    A start of 0 does not exist where positions count from 1. Where neighbours share a position, as half-open intervals
    do (an end is the next start), the whole table counts from 0 and every start is raised by one; where neighbours
    are one base apart, only the zeros are.

    Parameters
    ----------
    segments : DataFrame
        Normalised, with known positions.
    repairs : list of str
        What was changed is appended.

    Returns
    -------
    DataFrame
        The same columns; the index still tells the rows of the file.

    Examples
    --------
    >>> repairs = []
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": "1", "start": [0.0, 50.0], "end": [50.0, 90.0],
    ...     "n_probes": [5.0, 4.0], "log2_ratio": [0.0, -0.4]})
    >>> repair_segments(segments, repairs)[["start", "end"]].to_numpy().tolist(), repairs
    ([[1.0, 50.0], [51.0, 90.0]], ['segments: starts count from 0, all 2 raised by one'])
    """
    if segments[["start", "end"]].isna().to_numpy().any():
        return segments
    first, second = adjacent_segments(segments)
    twice = np.ones(len(first), dtype=bool)
    for column in ("start", "end", "log2_ratio", "n_probes"):
        values = segments[column].to_numpy()
        before, after = values[first], values[second]
        twice &= (before == after) | (np.isnan(before) & np.isnan(after))
    zeros = segments["start"] == 0
    if zeros.any():
        segments = segments.assign(start=_from_one(segments, zeros, first, second, repairs))
    if twice.any():
        repairs.append(f"segments: {int(twice.sum())} rows that repeat another removed")
        keep = np.ones(len(segments), dtype=bool)
        keep[second[twice]] = False
        segments = segments[keep]
    return segments


def _from_one(
    segments: pd.DataFrame, zeros: pd.Series, first: np.ndarray, second: np.ndarray, repairs: list[str]
) -> pd.Series:
    start, end = segments["start"], segments["end"].to_numpy()
    gap = start.to_numpy()[second] - end[first]
    if (gap == 1).sum() > (gap == 0).sum():
        repairs.append(f"segments: {int(zeros.sum())} starts of 0 read as 1, positions count from 1")
        return start.mask(zeros, 1.0)
    repairs.append(f"segments: starts count from 0, all {len(segments)} raised by one")
    return start + 1
