"""Positions that the declared genome build does not have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.distinct_values import encode
from nbrelapse.cohort.genome_builds import genome_landmarks
from nbrelapse.cohort.row_numbers import row_numbers
from nbrelapse.errors import InputError

SLACK = 1_000_000
"""Bases beyond the end that are let pass: segment files round, and pad their last segment."""


def check_positions(table: pd.DataFrame, chromosome: str, position: str, build: str | None, file: str | Path) -> None:
    """Refuse positions far beyond the end of their chromosome: a wrong build, or a wrong column.

    Parameters
    ----------
    table : DataFrame
        ``segments`` or ``rearrangements``.
    chromosome, position : str
        Names of two of its columns.
    build : str or None
        What the assay says; nothing is checked where it is not known.
    file : path
        For the error message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> segments = pd.DataFrame({"chromosome": ["17", "17"], "end": [83_257_441.0, 80_000_000.0]})
    >>> check_positions(segments, "chromosome", "end", "hg38", "cohort.seg")
    >>> check_positions(segments, "chromosome", "end", "hg19", "cohort.seg")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: a position is beyond the end of its chromosome in hg19
      file: cohort.seg
      column: end
      rows: 1
      expected: positions in hg19
      mend: correct the genome build or the positions
    """
    lengths = genome_landmarks()["lengths"].get(build, {})
    codes, names = encode(table[chromosome])
    limit = np.append(names.map(lengths).to_numpy(dtype=np.float64, na_value=np.nan), np.nan)[codes]
    beyond = table[position].to_numpy(dtype=np.float64) > limit + SLACK
    if beyond.any():
        raise InputError(
            f"a position is beyond the end of its chromosome in {build}",
            file=file,
            column=position,
            rows=row_numbers(table.index, beyond),
            expected=f"positions in {build}",
            mend="correct the genome build or the positions",
        )
