"""The final models of an experiment: tuned on all training patients, and refitted on resamples of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import pandas as pd
from joblib import delayed
from threadpoolctl import threadpool_limits

from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.models.base import RiskModel
from nbrelapse.models.processes import in_processes
from nbrelapse.models.resamples import refit
from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.tuning import Trial, tune


def _tune(
    config: ExperimentConfig,
    models: Mapping[str, RiskModel],
    X: pd.DataFrame,
    y: np.ndarray,
    n_jobs: int,
    cache: FoldCache | None,
) -> dict[str, tuple[RiskModel, tuple[Trial, ...]]]:
    """Tune every model on all training patients, several side by side; return them with their trials.

    Trials in the cache are not computed again, and the others are kept there.
    """
    settings = config.validation
    asked = {"trials": settings.trials, "inner_folds": settings.inner_folds, "seed": config.seed}
    tasks = []
    for model in models.values():
        key = None if cache is None else cache.key(model, X, y, asked)
        known = () if cache is None or key is None else cache.load_trials(key)
        keep = None if cache is None or key is None else cache.keep_trials(key)
        tasks.append(delayed(_tuned)(config, model, X, y, known, keep))
    return dict(zip(models, in_processes(tasks, n_jobs), strict=True))


def _tuned(
    config: ExperimentConfig,
    model: RiskModel,
    X: pd.DataFrame,
    y: np.ndarray,
    known: Sequence[Trial],
    keep: Callable[[Trial], None] | None,
) -> tuple[RiskModel, tuple[Trial, ...]]:
    settings = config.validation
    trials: list[Trial] = []
    with threadpool_limits(1):  # as in the cross-validation, wherever it runs
        tuned = tune(
            model,
            X,
            y,
            n_trials=settings.trials,
            n_folds=settings.inner_folds,
            seed=config.seed,
            record=trials.append,
            known=known,
            keep=keep,
        )
    return tuned, tuple(trials)


def _begin_refits(
    models: Mapping[str, RiskModel],
    X: pd.DataFrame,
    y: np.ndarray,
    resamples: Sequence[np.ndarray],
    n_jobs: int,
    cache: FoldCache | None,
) -> Iterator[tuple[str, list[RiskModel]]]:
    """Begin to refit models on resamples of the patients, and give an iterator over each model's refits.

    Refits in the cache are not computed again, and the others are kept there.

    Parameters
    ----------
    models : mapping of str to RiskModel
        Tuned.
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)
    resamples : sequence of ndarray of int
        Positions.
    n_jobs : int
        Processes, in which the refits go on while this one does something else.
    cache : FoldCache, optional
    """
    keys = [key for model in models.values() for key in _refit_keys(model, X, y, resamples, cache)]
    known = [None if cache is None else cache.load_refit(key) for key in keys]
    all_of_them = [(model, rows) for model in models.values() for rows in resamples]
    missing = [number for number, found in enumerate(known) if found is None]
    computed = in_processes([delayed(refit)(all_of_them[n][0], X, y, all_of_them[n][1]) for n in missing], n_jobs)

    def settled() -> Iterator[RiskModel]:
        for key, found in zip(keys, known, strict=True):
            if found is not None:
                yield found
                continue
            fitted = next(computed)
            if cache is not None:
                cache.store_refit(key, fitted)
            yield fitted

    refits = settled()
    return ((name, list(islice(refits, len(resamples)))) for name in models)


def _refit_keys(
    model: RiskModel, X: pd.DataFrame, y: np.ndarray, resamples: Sequence[np.ndarray], cache: FoldCache | None
) -> list[str]:
    """Return a key a resample; the patients' values are hashed once for all."""
    if cache is None:
        return [""] * len(resamples)
    shared = cache.key(model, X, y, {"refit": True})
    return [hashlib.sha256(shared.encode() + np.ascontiguousarray(rows).tobytes()).hexdigest() for rows in resamples]
