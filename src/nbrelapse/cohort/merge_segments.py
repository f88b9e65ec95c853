"""Copy-number segments in genome order, without breaks that change nothing."""

from __future__ import annotations

import pandas as pd

KEYS = ["sample_id", "chromosome"]


def merge_segments(segments: pd.DataFrame) -> pd.DataFrame:
    """Sort segments and join neighbours of one ratio, so that a profile has one form however it was written.

    Parameters
    ----------
    segments : DataFrame
        ``sample_id``, ``chromosome``, ``start``, ``end`` (bases), ``log2_ratio``; in any order.

    Returns
    -------
    DataFrame
        The same columns, positions as int64, sorted by sample, chromosome and start; consecutive segments of a
        chromosome with equal ratios are one.

    Examples
    --------
    >>> halves = pd.DataFrame({"sample_id": "s", "chromosome": "1", "start": [51, 1], "end": [90, 50],
    ...     "log2_ratio": [0.1, 0.1]})
    >>> merge_segments(halves)[["start", "end"]].to_numpy().tolist()
    [[1, 90]]
    """
    table = segments[[*KEYS, "start", "end", "log2_ratio"]].astype({"start": "int64", "end": "int64"})
    table = table.sort_values([*KEYS, "start", "end", "log2_ratio"], ignore_index=True)
    before = table.shift()
    continues = table["log2_ratio"].eq(before["log2_ratio"])
    for key in KEYS:
        continues &= table[key].eq(before[key])
    run = (~continues).cumsum()
    merged = table.groupby(run, sort=False)
    return merged.agg(
        sample_id=("sample_id", "first"),
        chromosome=("chromosome", "first"),
        start=("start", "min"),
        end=("end", "max"),
        log2_ratio=("log2_ratio", "first"),
    ).reset_index(drop=True)
