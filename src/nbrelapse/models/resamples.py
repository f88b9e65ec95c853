"""Bootstrap and fold refits of a model, and the intervals they give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone

from nbrelapse.errors import InputError
from nbrelapse.models.base import RiskModel, _inner_folds
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
        is left out as a whole, see :func:`nbrelapse.models.base.inner_folds`.
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
    # As in the cross-validation, so that its workers are used again.
    with parallel_config(backend="loky", inner_max_num_threads=1):
        return Parallel(n_jobs=n_jobs)(delayed(refit)(model, X, y, rows) for rows in samples)


def prediction_interval(
    refits: Sequence[RiskModel], X: pd.DataFrame, times: np.ndarray, level: float = 0.95
) -> dict[str, np.ndarray]:
    """Percentile intervals of the log risk and of the probability of the event over the refits.

    They hold the uncertainty of estimation from a cohort of this size, not that of tuning, and not whether the
    patient comes from the population that was sampled.

    Parameters
    ----------
    refits : sequence of RiskModel
    X : DataFrame of shape (n_samples, n_features)
    times : ndarray of shape (n_times,)
        Days; infinity alone for a binary endpoint.
    level : float
        Coverage, 0 to 1.

    Returns
    -------
    dict of str to ndarray
        ``log_risk_low``, ``log_risk_high`` of shape (n_samples,); ``incidence_low``, ``incidence_high`` of shape
        (n_samples, n_times).

    Raises
    ------
    InputError
        There are no refits, or the level is not between 0 and 1.
    """
    if not refits:
        raise InputError("no interval without bootstrap refits", column="refits", expected="at least one")
    if not 0 < level < 1:
        raise InputError(f"illegal level {level!r}", column="level", expected="above 0, below 1")
    tails = [(1 - level) / 2, (1 + level) / 2]
    predicted = [refit.predict_risk(X, times) for refit in refits]
    log_risk = np.stack([risk for risk, _ in predicted])
    incidence = np.stack([probability for _, probability in predicted])
    risk_low, risk_high = np.quantile(log_risk, tails, axis=0)
    low, high = np.quantile(incidence, tails, axis=0)
    return {"log_risk_low": risk_low, "log_risk_high": risk_high, "incidence_low": low, "incidence_high": high}
