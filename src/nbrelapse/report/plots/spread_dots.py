"""Dots beside each other where they would hide each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

_BINS = 90
_FEWEST = 12
"""Dots of one bin that fill the room; fewer stay closer together."""


def spread_dots(position: np.ndarray, room: float = 0.72) -> np.ndarray:
    """Return offsets across that show how many dots share a position; nothing random in them.

    Parameters
    ----------
    position : ndarray of shape (n_dots,)
        Along the axis of interest.
    room : float
        Within which the dots are spread: offsets lie within half of it to either side.

    Returns
    -------
    ndarray of shape (n_dots,)

    Examples
    --------
    >>> spread_dots(np.array([0.0, 0.0, 0.0, 5.0]), room=12.0).tolist()
    [0.0, -1.0, 1.0, 0.0]
    """
    if not len(position):
        return np.zeros(0)
    width = float(np.ptp(position)) or 1.0
    bins = np.floor((position - position.min()) / width * (_BINS - 1)).astype(int)
    rank = pd.Series(bins).groupby(bins).cumcount().to_numpy()
    side = np.where(rank % 2 == 0, 1, -1) * ((rank + 1) // 2)
    return np.asarray(room * side / max(int(np.bincount(bins).max()), _FEWEST))
