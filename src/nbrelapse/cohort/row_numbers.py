"""Which rows of a file an error message speaks of."""

from __future__ import annotations

import numpy as np
import pandas as pd


def row_numbers(index: pd.Index, wrong: np.ndarray | pd.Series) -> list[int]:
    """Return the numbers of some rows, counted from 1 without header and comments.

    Parameters
    ----------
    index : Index
        Of the table: while a cohort is assembled, the place of each row in its file, also where rows were removed.
        An index of something else does not count.
    wrong : array of bool, shape (n,)

    Examples
    --------
    >>> row_numbers(pd.Index([0, 1, 5]), np.array([True, False, True]))
    [1, 6]
    """
    places = np.asarray(wrong, dtype=bool).nonzero()[0]
    if pd.api.types.is_integer_dtype(index.dtype):
        places = index.to_numpy()[places]
    return (places + 1).tolist()
