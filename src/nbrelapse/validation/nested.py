"""Nested cross-validation, and predictions of a hold-out."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.splits import repeated_folds
from nbrelapse.validation.tuning import tune

if TYPE_CHECKING:
    from nbrelapse.models.risk_model import RiskModel


def nested_cross_validation(
    models: Mapping[str, RiskModel],
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    n_repeats: int,
    n_folds: int,
    n_inner_folds: int,
    n_trials: int,
    seed: int,
    n_jobs: int = 1,
    times: np.ndarray,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Predictions]:
    """Predict every patient by models that were tuned and fitted without him.

    All models see the same outer folds. Everything learned, hyperparameters included, is learned inside the
    training part of an outer fold.

    Parameters
    ----------
    models : mapping of str to RiskModel
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)
        As in :class:`nbrelapse.outcome.Outcome`: a time to an event, or binary.
    n_repeats, n_folds : int
        Of the outer cross-validation.
    n_inner_folds, n_trials : int
        Of the tuning; see :func:`tune`.
    seed : int
        Each model in each fold derives its own from it, so results depend neither on ``n_jobs`` nor on which
        other models there are.
    n_jobs : int
        Processes, each with one thread.
    times : ndarray of shape (n_times,)
        Days to predict the probability of the event at, see :func:`prediction_times`.
    progress : callable, optional
        Called with the fits done and the fits in all.

    Returns
    -------
    dict of str to Predictions

    Raises
    ------
    InputError
        There are too few events for the outer or inner folds.
    """
    splits = repeated_folds(y, n_repeats=n_repeats, n_folds=n_folds, seed=seed)
    for _, _, train, _ in splits:
        repeated_folds(y[train], n_repeats=1, n_folds=n_inner_folds, seed=seed)
    shape = (n_repeats, len(y))
    fold_of = np.empty(shape, dtype=np.int64)
    for repeat, fold, _, test in splits:
        fold_of[repeat, test] = fold
    log_risk = {name: np.empty(shape) for name in models}
    incidence = {name: np.empty((*shape, len(times))) for name in models}

    tasks = [(name, split) for split in splits for name in models]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        results = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
            delayed(_predict_fold)(
                name, models[name], X, y, split, n_inner_folds, n_trials, _derived_seed(seed, name, split), times
            )
            for name, split in tasks
        )
        for done, (name, repeat, test, risk, predicted) in enumerate(results, start=1):
            log_risk[name][repeat, test] = risk
            incidence[name][repeat, test] = predicted
            if progress is not None:
                progress(done, len(tasks))
    return {name: Predictions(name, log_risk[name], fold_of, incidence[name], times) for name in models}


def holdout_predictions(models: Mapping[str, RiskModel], X: pd.DataFrame, times: np.ndarray) -> dict[str, Predictions]:
    """Predict patients that the fitted models have not seen.

    Parameters
    ----------
    models : mapping of str to RiskModel
        Fitted.
    X : DataFrame of shape (n, n_features)
    times : ndarray of shape (n_times,)
        Days.

    Returns
    -------
    dict of str to Predictions
        With one repeat and one fold.
    """
    fold = np.zeros((1, len(X)), dtype=np.int64)
    predicted = {name: model.predict_risk(X, times) for name, model in models.items()}
    return {
        name: Predictions(
            name,
            log_risk[np.newaxis],
            fold,
            probability[np.newaxis],
            times,
        )
        for name, (log_risk, probability) in predicted.items()
    }


def _predict_fold(
    name: str,
    model: RiskModel,
    X: pd.DataFrame,
    y: np.ndarray,
    split: tuple[int, int, np.ndarray, np.ndarray],
    n_inner_folds: int,
    n_trials: int,
    seed: int,
    times: np.ndarray,
) -> tuple[str, int, np.ndarray, np.ndarray, np.ndarray]:
    repeat, _, train, test = split
    with threadpool_limits(1):
        tuned = tune(model, X.iloc[train], y[train], n_trials=n_trials, n_folds=n_inner_folds, seed=seed)
        fitted = clone(tuned).fit(X.iloc[train], y[train])
        log_risk, probability = fitted.predict_risk(X.iloc[test], times)
        return name, repeat, test, log_risk, probability


def _derived_seed(seed: int, name: str, split: tuple[int, int, np.ndarray, np.ndarray]) -> int:
    entropy = [seed, split[0], split[1], zlib.crc32(name.encode())]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
