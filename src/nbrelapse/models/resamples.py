"""Bootstrap and fold refits of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed
from sklearn.base import clone

from nbrelapse.models.base import RiskModel, _inner_folds
from nbrelapse.models.processes import in_processes
from nbrelapse.outcome import event_of


def bootstrap_refits(
    model: RiskModel, X: pd.DataFrame, y: np.ndarray, *, n_refits: int, seed: int, n_jobs: int = 1
) -> list[RiskModel]:
    """Refit a model, its parameters fixed, on bootstrap samples stratified by event.

    Parameters
    ----------
    model : RiskModel
        Its parameters are used, not its fit.
    X, y
        As in ``fit``.
    n_refits : int
    seed : int
        The refits do not depend on ``n_jobs``.

    Returns
    -------
    list of RiskModel
    """
    return _refits(model, X, y, bootstrap_rows(y, n_refits, seed), n_jobs)


def refit(model: RiskModel, X: pd.DataFrame, y: np.ndarray, rows: np.ndarray | slice = slice(None)) -> RiskModel:
    """Fit a copy of a model on some patients of a table whose outcomes are known to be coded as ours.

    ``fit`` refuses codes of 1 and 2 alone, which may be R's; among some patients of a cohort it may be that nobody
    was censored.

    Parameters
    ----------
    model : RiskModel
        Its parameters are used, not its fit.
    X : DataFrame of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        As :class:`nbrelapse.outcome.Outcome` holds it.
    rows : ndarray of int or slice
        The patients, by position; one may be there more than once. All by default.

    Returns
    -------
    RiskModel

    Examples
    --------
    >>> from nbrelapse.models import Logistic
    >>> X, y = pd.DataFrame({"x": [0.0, 1.0] * 10}), np.array([0, 1, 1, 0] * 5, dtype=np.int8)
    >>> refit(Logistic(), X, y, np.arange(12)).n_features_in_
    1
    """
    return clone(model)._fit_part(X.iloc[rows], y[rows])


def fold_refits(model: RiskModel, X: pd.DataFrame, y: np.ndarray, *, n_folds: int, n_jobs: int = 1) -> list[RiskModel]:
    """Refit a model, its parameters fixed, without each fold in turn.

    Parameters
    ----------
    model : RiskModel
        Its parameters are used, not its fit.
    X, y
        As in ``fit``. The folds have much the same share of events, and a patient who stands in ``X`` more than once
        is left out as a whole, see :func:`nbrelapse.models.base._inner_folds`.
    n_folds : int

    Returns
    -------
    list of RiskModel
    """
    folds = _inner_folds(X.index, (event_of(y) == 1).astype(int), n_folds)
    return _refits(model, X, y, [train for train, _ in folds], n_jobs)


def bootstrap_rows(y: np.ndarray, n_resamples: int, seed: int) -> list[np.ndarray]:
    """Return the patients of bootstrap samples stratified by event: those of :func:`bootstrap_refits`.

    Examples
    --------
    >>> y = np.array([0, 0, 1])
    >>> [sorted(set(rows)) for rows in bootstrap_rows(y, 2, seed=1)][0][-1]
    np.int64(2)
    """
    event_codes = event_of(y)
    strata = [np.flatnonzero(event_codes == event) for event in np.unique(event_codes)]
    draws = []
    for child in np.random.SeedSequence(seed).spawn(n_resamples):
        rng = np.random.default_rng(child)
        draws.append(np.concatenate([rng.choice(stratum, len(stratum)) for stratum in strata]))
    return draws


def _refits(
    model: RiskModel, X: pd.DataFrame, y: np.ndarray, samples: Sequence[np.ndarray], n_jobs: int
) -> list[RiskModel]:
    return list(in_processes([delayed(refit)(model, X, y, rows) for rows in samples], n_jobs))
