"""Segments that cannot be a log2 ratio profile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.adjacent_segments import adjacent_segments
from nbrelapse.cohort.row_numbers import row_numbers
from nbrelapse.errors import InputError

ENOUGH_BASES = 1_000_000_000
"""A third of a genome: less may be amplicons only, which have no negative ratio."""
MOSTLY_NEGATIVE = 0.001
RATIO, COPIES = 0.5, 1.5


def check_segments(segments: pd.DataFrame, file: str | Path) -> None:
    """Refuse overlapping segments, and copy numbers or ratios that are no logarithms.

    Segments may share their boundary base. Log2 ratios lie around 0: noise and losses put a good part of every genome
    below. Where at least a third of a genome is covered, less than a thousandth of it lies below 0 and the
    length-weighted median is 0.5 or more, the values are no log2 ratios: copy numbers from 1.5 on, ratios below.
    Compressing or shifting log2 ratios as platforms do leaves them far from that.

    Parameters
    ----------
    segments : DataFrame
        The ``segments`` table.
    file : path
        For the error message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": "1", "start": [1, 40], "end": [50, 90],
    ...     "log2_ratio": [0.0, -0.4]})
    >>> check_segments(segments, "cohort.seg")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: segments of a sample overlap by up to 11 bases
      file: cohort.seg
      column: start, end
      rows: 2
      expected: each base of a sample in one segment; neighbours may share a boundary
      mend: keep one profile a sample, and cut segments where the next one starts
    """
    first, second = adjacent_segments(segments)
    start, end = segments["start"].to_numpy(), segments["end"].to_numpy()
    overlap = end[first] - start[second]
    if (overlap > 0).any():
        wrong = np.zeros(len(segments), dtype=bool)
        wrong[second[overlap > 0]] = True
        raise InputError(
            f"segments of a sample overlap by up to {overlap.max() + 1:.0f} bases",
            file=file,
            column="start, end",
            rows=row_numbers(segments.index, wrong),
            expected="each base of a sample in one segment; neighbours may share a boundary",
            mend="keep one profile a sample, and cut segments where the next one starts",
        )
    _check_scale(segments["log2_ratio"].to_numpy(), end - start, file)


def _check_scale(ratio: np.ndarray, length: np.ndarray, file: str | Path) -> None:
    total = length.sum()
    if total < ENOUGH_BASES or length[ratio < 0].sum() >= MOSTLY_NEGATIVE * total:
        return
    order = np.argsort(ratio, kind="stable")
    median = ratio[order][np.searchsorted(np.cumsum(length[order]), total / 2)]
    if median < RATIO:
        return
    copies = median >= COPIES
    raise InputError(
        f"the segment values look like {'copy numbers' if copies else 'ratios'}, not log2 ratios: "
        f"their median is {median:.2f} and none to speak of is below 0",
        file=file,
        column="log2_ratio",
        expected="log2 ratios to a normal genome, which lie around 0",
        mend="give log2(copies / 2)" if copies else "give log2(ratio), so that two copies are 0",
    )
