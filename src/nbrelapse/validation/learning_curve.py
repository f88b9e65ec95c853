"""Whether more patients would help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nbrelapse.outcome.event_of import event_of
from nbrelapse.validation.bootstrap_interval import bootstrap_interval
from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.discrimination import discriminations
from nbrelapse.validation.predict_splits import Split, predict_splits
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.splits import repeated_folds

if TYPE_CHECKING:
    from nbrelapse.models.risk_model import RiskModel

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the training patients of each fold."""

_EVENTS_A_FOLD = 2
"""Events that a share needs for each inner fold."""


@dataclass(frozen=True)
class LearningCurve:
    """Discrimination of one model at growing numbers of training patients.

    Parameters
    ----------
    table : DataFrame
        A row a share: ``patients``, ``events`` (means over the folds), ``value`` with its 95 % interval ``low`` and
        ``high``, and ``step``, ``step_low``, ``step_high``, the paired difference from the row before; NaN in row 0.
    gain, gain_low, gain_high : float
        What twice as many patients as the last row's would add, with the 95 % interval; NaN with a single row.
    notes : list of str
        Shares that were left out.
    """

    table: pd.DataFrame
    gain: float
    gain_low: float
    gain_high: float
    notes: list[str]


def learning_curve(
    name: str,
    model: RiskModel,
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    n_repeats: int,
    n_folds: int,
    n_inner_folds: int,
    n_trials: int,
    seed: int,
    times: np.ndarray,
    n_bootstrap: int = 1000,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> LearningCurve:
    """Tune and fit a model on growing parts of each training fold, and judge it by the same test patients.

    The smaller parts of a fold are within the larger ones and hold equal shares of the events. Intervals are
    percentiles of bootstrap resamples of the test patients, the same for all parts. What twice as many patients would
    add comes from a line through the figures over the inverse square root of the number of patients, fitted in each
    resample: a power law of learning curves [1]_, its exponent fixed because few points cannot tell it.

    Parameters
    ----------
    name : str
        Of the model; seeds derive from it.
    model : RiskModel
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)
    n_repeats, n_folds, n_inner_folds, n_trials, seed, times, n_jobs
        As in :func:`nbrelapse.validation.nested.nested_cross_validation`: the whole folds are then those of the
        experiment, and their figure is its own.
    n_bootstrap : int
    progress : callable, optional

    Returns
    -------
    LearningCurve

    Raises
    ------
    InputError
        There are too few events for the folds.

    References
    ----------
    .. [1] Figueroa 2012, BMC Medical Informatics and Decision Making, 10.1186/1472-6947-12-8
    """
    splits = repeated_folds(y, n_repeats=n_repeats, n_folds=n_folds, seed=seed)
    event = event_of(y) == 1
    parts = {share: _parts(splits, event, share, seed) for share in SHARES}
    fewest = {share: min(int(event[train].sum()) for _, _, train, _ in part) for share, part in parts.items()}
    kept = [share for share in SHARES if share == 1 or fewest[share] >= _EVENTS_A_FOLD * n_inner_folds]
    weights = bootstrap_weights(len(y), n_bootstrap, seed)
    figures = []
    for number, share in enumerate(kept):
        told = None if progress is None else _shifted(progress, number, len(kept))
        found = predict_splits(
            {name: model}, X, y, parts[share],
            n_inner_folds=n_inner_folds, n_trials=n_trials, seed=seed, times=times, n_jobs=n_jobs, progress=told,
        )  # fmt: skip
        figures.append(discriminations(y, Predictions(name, *found[name], times), weights))
    values = np.stack(figures)
    patients = [float(np.mean([len(train) for _, _, train, _ in parts[share]])) for share in kept]
    events = [float(np.mean([event[train].sum() for _, _, train, _ in parts[share]])) for share in kept]
    notes = [
        f"{share:.0%} of the patients: left out, a fold has {fewest[share]} events for {n_inner_folds} inner folds"
        for share in SHARES
        if share not in kept
    ]
    gain = _gain(values, np.array(patients))
    return LearningCurve(_table(values, patients, events), *_interval(gain), notes)


def _parts(splits: list[Split], event: np.ndarray, share: float, seed: int) -> list[Split]:
    parts = []
    for repeat, fold, train, test in splits:
        order = np.random.default_rng([seed, repeat, fold]).permutation(train)
        taken = [part[: int(np.ceil(share * len(part)))] for part in (order[event[order]], order[~event[order]])]
        parts.append((repeat, fold, np.sort(np.concatenate(taken)), test))
    return parts


def _shifted(progress: Callable[[int, int], None], number: int, parts: int) -> Callable[[int, int], None]:
    return lambda done, total: progress(number * total + done, parts * total)


def _table(values: np.ndarray, patients: list[float], events: list[float]) -> pd.DataFrame:
    steps = np.vstack([np.full((1, values.shape[1]), np.nan), np.diff(values, axis=0)])
    rows = [
        {"patients": n, "events": k}
        | dict(zip(("value", "low", "high"), _interval(value), strict=True))
        | dict(zip(("step", "step_low", "step_high"), _interval(step), strict=True))
        for n, k, value, step in zip(patients, events, values, steps, strict=True)
    ]
    return pd.DataFrame(rows)


def _gain(values: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Return what doubling the last number would add, for each column of values."""
    if len(patients) < 2:
        return np.full(values.shape[1], np.nan)
    x = patients**-0.5
    slope = (x - x.mean()) @ (values - values.mean(axis=0)) / ((x - x.mean()) ** 2).sum()
    return slope * ((2 * patients[-1]) ** -0.5 - x[-1])


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    return float(values[0]), *bootstrap_interval(float(values[0]), values[1:])
