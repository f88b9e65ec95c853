"""Observed and predicted incidence of groups of predicted risk."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.validation.observed_incidence import observed_incidence


def observed_by_group(probability: np.ndarray, y: np.ndarray, horizon: float, groups: int) -> pd.DataFrame:
    """Mean predicted and observed cumulative incidence at a horizon, by group of predicted probability.

    Parameters
    ----------
    probability : ndarray of shape (n_patients,)
    y : structured ndarray of shape (n_patients,)
    horizon : float
        Days.
    groups : int
        Groups of equal size; fewer where the predictions are tied.

    Returns
    -------
    DataFrame
        ``predicted``, ``observed``, ``low``, ``high`` and ``n``, a row a group in rising order of prediction; see
        :func:`observed_incidence` for the interval. NaN where the follow-up of the group ends earlier.

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 30.0), (1, 10.0), (1, 15.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> observed_by_group(np.array([0.1, 0.1, 0.9, 0.9]), y, 20.0, 2)[["predicted", "observed", "n"]]
       predicted  observed  n
    0        0.1       0.5  2
    1        0.9       1.0  2
    """
    label = pd.qcut(probability, groups, labels=False, duplicates="drop")
    label = np.where(pd.isna(label), 0, label)
    rows = []
    for group in np.unique(label):
        own = label == group
        rows.append((probability[own].mean(), *observed_incidence(y[own], horizon), int(own.sum())))
    return pd.DataFrame(rows, columns=["predicted", "observed", "low", "high", "n"])
