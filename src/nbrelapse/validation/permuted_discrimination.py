"""How models rank patients whose outcomes were permuted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config

from nbrelapse.errors import InputError
from nbrelapse.validation.discrimination import discrimination
from nbrelapse.validation.horizons import prediction_times
from nbrelapse.validation.nested import nested_cross_validation

if TYPE_CHECKING:
    from nbrelapse.models.risk_model import RiskModel

_FEWEST = 5


def permuted_discrimination(
    models: Mapping[str, RiskModel],
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    n_permutations: int,
    n_folds: int,
    n_inner_folds: int,
    n_trials: int,
    seed: int,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return the nested cross-validated discrimination of models for permuted outcomes.

    The outcomes move from patient to patient as they are, event and time together. Each permutation has folds of its
    own, because folds hold equal shares of the events.

    Parameters
    ----------
    models : mapping of str to RiskModel
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)
    n_permutations : int
        At least 5: the scatter of fewer is too uncertain to judge their mean by.
    n_folds, n_inner_folds, n_trials : int
        See :func:`nested_cross_validation`.
    seed : int
    n_jobs : int
        Processes over permutations; the figures do not depend on it.
    progress : callable, optional
        Called with the permutations done and those in all.

    Returns
    -------
    DataFrame of shape (n_permutations, n_models)
        Harrell's C, or the AUC of a binary outcome; a row a permutation.

    Raises
    ------
    InputError
        There are fewer than five permutations, or too few events for the folds.
    """
    if n_permutations < _FEWEST:
        raise InputError(
            f"too few permutations: {n_permutations}", column="permutations", expected=f"at least {_FEWEST}"
        )
    rows: list[dict[str, float]] = []
    with parallel_config(backend="loky", inner_max_num_threads=1):
        results = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(_one_permutation)(
                models, X, y, n_folds, n_inner_folds, n_trials, np.random.SeedSequence([seed, number])
            )
            for number in range(n_permutations)
        )
        for row in results:
            rows.append(row)
            if progress is not None:
                progress(len(rows), n_permutations)
    return pd.DataFrame(rows, index=pd.RangeIndex(n_permutations, name="permutation"))


def _one_permutation(
    models: Mapping[str, RiskModel],
    X: pd.DataFrame,
    y: np.ndarray,
    n_folds: int,
    n_inner_folds: int,
    n_trials: int,
    entropy: np.random.SeedSequence,
) -> dict[str, float]:
    order, folds = entropy.spawn(2)
    permuted = np.random.default_rng(order).permutation(y)
    predictions = nested_cross_validation(
        models,
        X,
        permuted,
        n_repeats=1,
        n_folds=n_folds,
        n_inner_folds=n_inner_folds,
        n_trials=n_trials,
        seed=int(folds.generate_state(1)[0]),
        times=prediction_times(y),
    )
    return {name: discrimination(permuted, prediction) for name, prediction in predictions.items()}
