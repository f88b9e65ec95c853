"""Single features that tell the outcome too well."""

from __future__ import annotations

from math import comb, factorial

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from nbrelapse.outcome.event_of import event_of, is_survival
from nbrelapse.validation.discrimination import discrimination
from nbrelapse.validation.predictions import Predictions

_FEWEST = 5
"""Patients of either kind; with fewer, near-perfect figures are common by chance."""

_EXACT = np.array([0.995, 1.0, 1.0])
"""Of the concordance, the AUC and the AUC of being missing. An event and a censoring on one day are a pair to compare
but have one time, so that the concordance of the time itself may fall a little short of 1."""

_ACCIDENT = 1e-3
"""An exact match is called one if the chance of any among all features is below. A choice."""


def label_leakage(X: pd.DataFrame, y: np.ndarray) -> pd.DataFrame:
    """Measure how well each feature alone tells the outcome, by its values and by being missing.

    Parameters
    ----------
    X : DataFrame of shape (n, n_features)
        NaN = not assayed.
    y : ndarray of shape (n,)
        Structured, ``event`` and ``time``; or 0 and 1.

    Returns
    -------
    DataFrame
        By feature: ``concordance``, Harrell's C; ``auc`` of the event against no event; ``missing_auc``, the same of a
        missing value. All are turned the way that is 0.5 or more, and count the patients in whom the feature is known;
        NaN with fewer than five of them with or without the event. ``exact`` says that one of them is 1
        (the concordance: 0.995, for ties) and that it is no accident (below 1 in 1,000 for all features together).

    Examples
    --------
    >>> y = np.repeat([0, 1], [12, 12])
    >>> X = pd.DataFrame({"label": y, "noise": np.tile([0.0, 1.0], 12), "half": np.where(y == 1, np.nan, 1.0)})
    >>> label_leakage(X, y)[["auc", "missing_auc", "exact"]].values.tolist()
    [[1.0, nan, True], [0.5, nan, False], [nan, 1.0, True]]
    """
    event = event_of(y) == 1
    values = X.to_numpy(dtype=float)
    known = ~np.isnan(values)
    auc, by_lot = _auc(values, known, event)
    missing, missing_by_lot = _auc((~known).astype(float), np.ones_like(known), event)
    missing[np.minimum(known.sum(axis=0), (~known).sum(axis=0)) < _FEWEST] = np.nan
    found = pd.DataFrame({"concordance": auc, "auc": auc, "missing_auc": missing}, index=X.columns)
    order_by_lot = np.ones(len(found))
    if is_survival(y):
        found["concordance"] = [_concordance(column, y) for column in values.T]
        order_by_lot = np.array(
            [1 / factorial(count) for count in np.minimum((known & event[:, None]).sum(axis=0), 100)]
        )
    chances = np.column_stack([order_by_lot, by_lot, missing_by_lot])
    certain = 2 * len(found) * chances < _ACCIDENT
    exact = np.any((found.to_numpy() >= _EXACT) & certain, axis=1)
    return found.assign(exact=np.asarray(exact))


def _auc(values: np.ndarray, known: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUC of each column, at least 0.5, and the chance that lots would separate its patients as well as can be."""
    had = (known & event[:, None]).sum(axis=0)
    others = known.sum(axis=0) - had
    ranks = rankdata(values, axis=0, nan_policy="omit")
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (np.nansum(np.where(event[:, None], ranks, 0), axis=0) - had * (had + 1) / 2) / (had * others)
    auc[np.minimum(had, others) < _FEWEST] = np.nan
    by_lot = np.array([1 / comb(int(a + b), int(a)) for a, b in zip(had, others, strict=True)])
    return np.maximum(auc, 1 - auc), by_lot


def _concordance(column: np.ndarray, y: np.ndarray) -> float:
    known = ~np.isnan(column)
    if (event_of(y)[known] == 1).sum() < _FEWEST:
        return float("nan")
    risk = column[known][np.newaxis]
    zeros = np.zeros(risk.shape, dtype=int)
    c = discrimination(y[known], Predictions("feature", risk, zeros, np.zeros((*risk.shape, 1)), np.ones(1)))
    return max(c, 1 - c)
