"""The times that predictions are made for and judged at."""

from __future__ import annotations

import numpy as np

from nbrelapse.errors import InputError
from nbrelapse.outcome.event_of import is_survival

YEAR = 365.25
"""Days."""

HORIZON_YEARS = (1, 2, 3, 5)
"""Horizons of the metrics at one time: AUC, Brier score, index of prediction accuracy."""

LONGEST_YEARS = 5
"""Nothing is judged beyond: first events are rare later, and few patients are followed so long."""

_STEPS_PER_YEAR = 4


def prediction_times(y: np.ndarray) -> np.ndarray:
    """Return the grid of times for cumulative incidence: every quarter year up to five years.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Of the training patients: structured, ``event`` and ``time`` in days, or binary. The grid ends before the
        longest time, because no model knows more.

    Returns
    -------
    ndarray of shape (n_times,)
        Days; 1, 2, 3 and 5 years are among them as far as the grid reaches. For a binary outcome one time,
        infinity: the probability that the event comes, whenever.

    Raises
    ------
    InputError
        Nobody was followed for more than half a year.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 100.0), (0, 400.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> prediction_times(y).round(1).tolist()
    [91.3, 182.6, 273.9, 365.2]
    """
    if not is_survival(y):
        return np.array([np.inf])
    grid = np.arange(1, LONGEST_YEARS * _STEPS_PER_YEAR + 1) * (YEAR / _STEPS_PER_YEAR)
    longest = float(np.max(y["time"], initial=0.0))
    grid = grid[grid < longest]
    if len(grid) < 2:
        raise InputError(
            f"the longest follow-up is {longest:g} days",
            column="time",
            expected="times in days, some of them longer than half a year",
            mend="check the unit of the times (months or years read as days?)",
        )
    return grid
