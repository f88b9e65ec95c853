"""Checks against overoptimism: optimism, choice among many models, permuted outcomes, leaking features."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb, factorial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from joblib import delayed
from scipy.stats import rankdata

from nbrelapse.errors import InputError
from nbrelapse.metrics.calibration import calibration_slope
from nbrelapse.metrics.choice import choose_family, chosen_rows, default_family, leading_stretch
from nbrelapse.metrics.evaluation import discrimination
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.predictions import Predictions, enough_patients
from nbrelapse.metrics.resampling import bootstrap_weights
from nbrelapse.models.processes import in_processes
from nbrelapse.outcome import event_of, kind_of
from nbrelapse.validation.nested import nested_cross_validation

if TYPE_CHECKING:
    from nbrelapse.models.base import RiskModel


def optimism(
    model: RiskModel,
    refits: Sequence[RiskModel],
    rows: Sequence[np.ndarray],
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Estimate a final model's figures in new patients from those of its refits in the patients outside (0.632+ [1]_).

    A refit is judged by the patients who are not in its resample. It has seen only some 63 % of the patients, so its
    figure is too low; the apparent one is too high, and of models that fit their patients closely, as trees do, it says
    nothing. The 0.632+ rule weighs the two by the relative overfitting R, the share that overfitting takes of what
    the apparent figure is above that of no information (0.5; a slope of 0): the outside figure counts
    0.632 / (1 - 0.368 R), the apparent one the rest. The parameters are those of the final model, not tuned again in
    each resample, where copies of one patient would stand on both sides of the inner folds: what tuning and the
    choice between families add to the optimism is missing, and nested cross-validation has it.

    Parameters
    ----------
    model : RiskModel
        Fitted to all patients.
    refits : sequence of RiskModel
        The same model fitted to resamples.
    rows : sequence of ndarray
        The patients of each resample, see :func:`nbrelapse.models.resamples.bootstrap_rows`. Further rows of a patient
        who is in the resample are not outside of it.
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)
    n_jobs : int
        Processes; the figures do not depend on it.

    Returns
    -------
    DataFrame
        A row a metric, ``harrell_c`` (``auc`` of a binary outcome) and ``calibration_slope``: ``apparent``, ``outside``
        (the mean over the resamples), ``optimism`` (apparent less corrected), ``corrected``, and ``resamples``, in how
        many it is defined. All but ``apparent`` and ``resamples`` are NaN where the figure cannot be estimated: fewer
        than half of the resamples leave ten patients and five events outside and define it there, or the slope
        varies over the resamples by a standard deviation of more than 0.5.

    References
    ----------
    .. [1] Efron & Tibshirani 1997, Journal of the American Statistical Association, 10.1080/01621459.1997.10474007
    """
    tasks = []
    for refit, drawn in zip(refits, rows, strict=True):
        outside = np.flatnonzero(~X.index.isin(X.index[drawn]))
        if enough_patients(y[outside]):
            tasks.append(delayed(_figures)(refit, X, y, outside))
    found = in_processes(tasks, n_jobs)
    apparent = _figures(model, X, y)
    figures = pd.DataFrame(list(found), columns=list(apparent), dtype=float)
    usable = (2 * figures.notna().sum() >= max(len(refits), 1)) & ~(figures.std(ddof=0) > _UNSTABLE[list(apparent)])
    table = pd.DataFrame({"apparent": pd.Series(apparent), "outside": figures.mean().where(usable)})
    nothing = _NO_INFORMATION[list(apparent)]
    above, left = table["apparent"] - nothing, (table["outside"] - nothing).clip(lower=0)
    overfitting = ((above - left) / above.where(above > 0)).clip(0, 1).fillna(0)
    weight = 0.632 / (1 - 0.368 * overfitting)
    table["corrected"] = nothing + (1 - weight) * above + weight * left
    table.insert(2, "optimism", table["apparent"] - table["corrected"])
    table["resamples"] = figures.notna().sum()
    table.index.name = "metric"
    return table


_NO_INFORMATION = pd.Series({"harrell_c": 0.5, "auc": 0.5, "calibration_slope": 0.0})
_UNSTABLE = pd.Series({"harrell_c": np.inf, "auc": np.inf, "calibration_slope": 0.5})
"""Standard deviation over the resamples above which the mean of the figures outside is none of anything. Of elastic net
and boosted trees in 60 to 250 simulated patients the slope had 0.14 to 0.46, and the corrected one was within 0.2 of
that in new patients; of forests 0.7 to 135, and it was off by 0.4 and more."""


def _figures(
    model: RiskModel, X: pd.DataFrame, y: np.ndarray, rows: np.ndarray | slice = slice(None)
) -> dict[str, float]:
    y = y[rows]
    risk = model.predict_log_risk(X.iloc[rows])
    return {
        kind_of(y).leading_metric: float(discrimination(y, risk)),
        "calibration_slope": float(calibration_slope(y, risk)),
    }


def corrected_choice(
    predictions: Mapping[str, Predictions], y: np.ndarray, *, n_bootstrap: int = 200, seed: int = 0
) -> float:
    """Return the discrimination to expect of the chosen model, in patients who had no part in the choice.

    Bootstrap bias-corrected cross-validation [1]_: in each resample of the patients a model is chosen, as
    :func:`nbrelapse.metrics.choose_family` does, and judged by the patients who are not in the resample. No model is
    fitted again.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        Out-of-sample ones of the models that were chosen between.
    y : ndarray of shape (n,)
    n_bootstrap, seed : int

    Returns
    -------
    float
        Harrell's C, or the AUC of a binary outcome. NaN with fewer than two models, or without a resample that leaves
        patients to compare.

    References
    ----------
    .. [1] Tsamardinos 2018, Machine Learning, 10.1007/s10994-018-5714-4

    Examples
    --------
    >>> zeros = np.zeros((1, 4))
    >>> one = Predictions("m", np.array([[3.0, 1.0, 2.0, 0.0]]), zeros.astype(int), zeros[:, :, None], np.ones(1))
    >>> corrected_choice({"m": one}, np.array([1, 1, 0, 0]))
    nan
    """
    if len(predictions) < 2:
        return float("nan")
    inside = bootstrap_weights(len(y), n_bootstrap, seed)[:, 1:]
    outside = (inside == 0).astype(np.float32)
    chosen_by, judged_by = (
        np.stack([discrimination(y, own.log_risk, fold=own.compared, weights=weights) for own in predictions.values()])
        for weights in (inside, outside)
    )
    usable = ~np.isnan(chosen_by).any(axis=0) & ~np.isnan(judged_by).any(axis=0)
    if not usable.any():
        return float("nan")
    stretch = leading_stretch(next(iter(predictions.values())).fold, y)
    best = chosen_rows(chosen_by[:, usable], default_family(list(predictions)), stretch=stretch)
    return float(judged_by[:, usable][best, np.arange(usable.sum())].mean())


_FEWEST = 5

CHOSEN = "chosen"
"""Column of the model that was chosen in each permutation."""


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
    DataFrame of shape (n_permutations, n_models + 1)
        Harrell's C, or the AUC of a binary outcome; a row a permutation. The last column is ``chosen``: the model that
        an experiment would choose by these figures, see :func:`nbrelapse.metrics.choose_family`.

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
    tasks = (
        delayed(_one_permutation)(
            models, X, y, n_folds, n_inner_folds, n_trials, np.random.SeedSequence([seed, number])
        )
        for number in range(n_permutations)
    )
    for row in in_processes(tasks, n_jobs):
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
    found = {
        name: float(discrimination(permuted, prediction.log_risk, fold=prediction.compared))
        for name, prediction in predictions.items()
    }
    return found | {CHOSEN: found[choose_family(predictions, permuted).family]}


@dataclass(frozen=True)
class Multiplicity:
    """How many models were tried.

    Parameters
    ----------
    families, trials : int
        Model families compared, and settings that each was tuned by.
    experiments : int
        On record in the MLflow store for the same patients and outcomes, this one included.
    apparent, corrected : float
        Cross-validated Harrell C (AUC) of the chosen family, and the same corrected for having been chosen; NaN where
        there was no choice or it is not known. See :func:`nbrelapse.validation.guards.corrected_choice`.
    """

    families: int
    trials: int
    experiments: int
    apparent: float = math.nan
    corrected: float = math.nan


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
    if kind_of(y).has_time:
        found["concordance"] = _concordances(values, known, y)
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


_TIED = 1e-8
"""Values no further apart are tied, as in the metrics."""

_BY_PAIRS = 1000
"""Patients up to whom many features are judged pair by pair, all at once: 20 times as fast as one by one. A choice."""


def _concordances(values: np.ndarray, known: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Harrell's C of each column among the patients in whom it is known, at least 0.5."""
    c = np.array([_concordance(column, y) for column in values.T]) if len(y) > _BY_PAIRS else _by_pairs(values, y)
    c[(known & (y["event"] == 1)[:, None]).sum(axis=0) < _FEWEST] = np.nan
    return np.maximum(c, 1 - c)


def _concordance(column: np.ndarray, y: np.ndarray) -> float:
    known = ~np.isnan(column)
    return float(discrimination(y[known], column[known])) if (y[known]["event"] == 1).any() else float("nan")


def _by_pairs(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Harrell's C of each column, event by event; pairs and ties as in :func:`nbrelapse.metrics.concordance`."""
    ranks, unknown = _dense_ranks(values), -1
    time, event = y["time"], y["event"] == 1
    credit, pairs = np.zeros((2, values.shape[1]))
    for patient in np.flatnonzero(event):
        later = (time > time[patient]) | ((time == time[patient]) & ~event)
        outlived = later | ((y["event"] == 2) & (time < time[patient]))
        others, own = ranks[outlived], ranks[patient]
        unlike = np.count_nonzero(others == unknown, axis=0)  # they have the lowest rank
        lower = np.count_nonzero(others < own, axis=0) + np.count_nonzero(others <= own, axis=0) - 2 * unlike
        asked = own != unknown
        credit += np.where(asked, lower / 2, 0)
        pairs += np.where(asked, len(others) - unlike, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(credit / pairs)


def _dense_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of each column from 0, the same for neighbours that are tied; -1 where not known."""
    order = np.argsort(values, axis=0)
    ascending = np.take_along_axis(values, order, axis=0)
    step = np.zeros(values.shape, dtype=np.int16)
    step[1:] = np.diff(ascending, axis=0) > _TIED
    ranks = np.empty(values.shape, dtype=np.int16)
    np.put_along_axis(ranks, order, np.cumsum(step, axis=0, dtype=np.int16), axis=0)
    ranks[np.isnan(values)] = -1
    return ranks
