"""Observed cumulative incidence of a group of patients over the years."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.horizons import LONGEST_YEARS, YEAR
from nbrelapse.validation.observed_incidence import observed_incidence


def observed_course(y: np.ndarray, steps_per_year: int = 4) -> dict[str, list[float]]:
    """Return the Aalen-Johansen incidence of a group on a grid, up to five years or as far as it was followed.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    steps_per_year : int

    Returns
    -------
    dict of str to list of float
        ``days``, ``incidence``, ``low`` and ``high``, see :func:`observed_incidence`.

    Examples
    --------
    >>> y = np.array([(1, 200.0), (0, 400.0), (0, 400.0), (0, 400.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> observed_course(y, steps_per_year=1)["incidence"]
    [0.25]
    """
    days = np.arange(1, LONGEST_YEARS * steps_per_year + 1) * (YEAR / steps_per_year)
    found = np.column_stack([days, [observed_incidence(y, day) for day in days]])
    kept = found[np.isfinite(found).all(axis=1)]
    return dict(zip(("days", "incidence", "low", "high"), kept.T.tolist(), strict=True))
