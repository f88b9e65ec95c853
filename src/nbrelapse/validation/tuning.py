"""Hyperparameters, chosen by cross-validation within the training patients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import clone

from nbrelapse.models.log_likelihood import log_likelihood
from nbrelapse.models.partial_likelihood import partial_log_likelihood
from nbrelapse.outcome.event_of import is_survival
from nbrelapse.validation.splits import repeated_folds

if TYPE_CHECKING:
    from nbrelapse.models.risk_model import RiskModel


def tune(
    model: RiskModel,
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    n_trials: int,
    n_folds: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> RiskModel:
    """Choose a model's hyperparameters.

    Each trial refits the model in every fold and predicts the patients left out. The trial is judged by the
    partial likelihood of all these log risks together (cross-validated linear predictors [1]_). Unlike a
    concordance it sees how far apart the log risks are, so it is steadier with few events and does not prefer
    overconfident models: among the 249 training patients of SEQC (89 events, ten repeats of nested five-fold
    cross-validation, 25 trials of ``cox``) the parameters it chose had a higher Harrell C than those chosen by
    Harrell's C: 0.733 against 0.729, and 0.650 against 0.641 within the high-risk group. Models of a binary endpoint
    are judged by the likelihood of their log odds in the same way, before they are calibrated.

    Parameters
    ----------
    model : RiskModel
        Proposes its parameters in ``suggest``; one that proposes none comes back as it is.
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)
    n_trials, n_folds, seed : int
        The folds are the same in all trials.
    progress : callable, optional
        Called with the trials done and the trials in all.

    Returns
    -------
    RiskModel
        Not fitted, with the best parameters.

    Raises
    ------
    InputError
        There are too few events for the folds.

    References
    ----------
    .. [1] Dai and Breheny 2019, Cross validation approaches for penalized Cox regression, arXiv:1905.10432
    """
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    optuna.logging.set_verbosity(verbosity)
    splits = repeated_folds(y, n_repeats=1, n_folds=n_folds, seed=seed)
    best, best_value, failure = None, -np.inf, None
    for done in range(n_trials):
        trial = study.ask()
        candidate = clone(model).set_params(**model.suggest(trial))
        if not trial.params:
            return clone(model)
        try:
            value = _score(candidate, X, y, splits)
        except ArithmeticError as error:
            failure = error
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, value)
            if value > best_value:
                best, best_value = candidate, value
        if progress is not None:
            progress(done + 1, n_trials)
    if best is None:
        raise failure or ValueError("n_trials must be at least 1")
    return best


def _score(
    model: RiskModel, X: pd.DataFrame, y: np.ndarray, splits: list[tuple[int, int, np.ndarray, np.ndarray]]
) -> float:
    """Log-likelihood of the left-out log risks."""
    log_risk = np.empty(len(y))
    for _, _, train, test in splits:
        log_risk[test] = model.for_trial().fit(X.iloc[train], y[train]).predict_log_risk(X.iloc[test])
    return (partial_log_likelihood if is_survival(y) else log_likelihood)(y, log_risk)
