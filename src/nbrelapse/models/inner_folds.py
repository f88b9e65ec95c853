"""Folds within the patients that a model is fitted on."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold


def inner_folds(patients: pd.Index, event: np.ndarray, n_folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split training patients for what a model learns from log risks that it did not fit.

    Parameters
    ----------
    patients : Index of shape (n_samples,)
        One who stands in it more than once (a bootstrap sample) is kept on one side.
    event : ndarray of shape (n_samples,)
        0 or 1; its share is much the same in each fold. A resample may hold too few distinct patients with the event
        for every fold to have one: the caller looks.
    n_folds : int

    Returns
    -------
    list of (train, test)
        Positions; the same for the same arguments.

    Examples
    --------
    >>> folds = inner_folds(pd.Index(["a", "b", "c", "a"]), np.array([1, 0, 0, 1]), 2)
    >>> [test.tolist() for _, test in folds]
    [[0, 1, 3], [2]]
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        if patients.is_unique:
            return list(StratifiedKFold(n_folds, shuffle=True, random_state=0).split(event, event))
        groups = pd.factorize(patients)[0]
        return list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(event, event, groups))
