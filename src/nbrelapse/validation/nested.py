"""Nested cross-validation, and predictions of a hold-out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.predict_splits import predict_splits
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.splits import repeated_folds

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
    cache: FoldCache | None = None,
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
    cache : FoldCache, optional
        Where predictions of folds are looked up and kept.
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
    found = predict_splits(
        models,
        X,
        y,
        splits,
        n_inner_folds=n_inner_folds,
        n_trials=n_trials,
        seed=seed,
        n_jobs=n_jobs,
        times=times,
        cache=cache,
        progress=progress,
    )
    return {name: Predictions(name, *values, times) for name, values in found.items()}


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
