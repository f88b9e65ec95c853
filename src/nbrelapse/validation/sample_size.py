"""Whether there are enough patients: Riley's criteria and the learning curve."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from nbrelapse.errors import InputError
from nbrelapse.metrics.evaluation import discrimination
from nbrelapse.metrics.resampling import (
    bootstrap_interval,
    bootstrap_weights,
    cross_validation_stretch,
    few_events_stretch,
)
from nbrelapse.metrics.table import METRICS
from nbrelapse.outcome import event_of, kind_of
from nbrelapse.validation.nested import _predict_splits, _Split
from nbrelapse.validation.splits import repeated_folds

if TYPE_CHECKING:
    from nbrelapse.models.base import RiskModel
    from nbrelapse.validation.fold_cache import FoldCache

_SHRINKAGE = 0.9
"""Criterion (i) of Riley 2020: predictor effects overestimated by a tenth at most."""

_NAGELKERKE_DIFFERENCE = 0.05
"""Criterion (ii): apparent and adjusted Nagelkerke R² no further apart."""

_ANTICIPATED_SHARE = 0.15
"""Share of the largest possible Cox-Snell R² that Riley 2020 advises to anticipate where no figure is known."""


@dataclass(frozen=True)
class SampleSize:
    """How many patients an unpenalised regression on the candidate parameters would need.

    Parameters
    ----------
    patients, events, parameters : int
        What there is.
    anticipated_r2 : float
        Cox-Snell R².
    shrinkage : float
        By which the predictor effects would have to be multiplied, fitted without penalty to these patients: 1 is no
        overfitting.
    patients_needed, events_needed : int
        For an overestimation of a tenth at most, and an R² overestimated by 0.05 at most.
    """

    patients: int
    events: int
    parameters: int
    anticipated_r2: float
    shrinkage: float
    patients_needed: int
    events_needed: int

    @property
    def events_per_parameter(self) -> float:
        """Events for each candidate parameter."""
        return self.events / self.parameters

    @property
    def is_enough(self) -> bool:
        """Whether there are as many patients as needed."""
        return self.patients >= self.patients_needed


def sample_size(
    patients: int, events: int, parameters: int, *, binary: bool = False, anticipated_r2: float | None = None
) -> SampleSize:
    r"""Compare a data set with the minimum that the criteria of Riley et al. [1]_ [2]_ ask for.

    The patients needed are the larger of :math:`p / ((S - 1) \ln(1 - R^2 / S))` for S = 0.9 and for
    :math:`S = R^2 / (R^2 + 0.05 \max R^2)`, p the candidate parameters. The largest Cox-Snell R² follows from the log
    likelihood of a model without predictors: with :math:`\varphi` events a patient it is
    :math:`1 - \exp(2 (\varphi \ln \varphi - \varphi))` for a time to an event, and
    :math:`1 - \exp(2 (\varphi \ln \varphi + (1 - \varphi) \ln(1 - \varphi)))` for a binary outcome.

    Parameters
    ----------
    patients, events : int
        Of the training data; ``events`` counts the event of interest.
    parameters : int
        Candidates, chosen or not: every one that the data could have made part of the model.
    binary : bool
        A yes or no instead of a time to an event.
    anticipated_r2 : float, optional
        Cox-Snell R²; by default 0.15 of the largest possible, as the authors advise where nothing is known.

    Returns
    -------
    SampleSize

    Raises
    ------
    InputError
        There are no events, no parameters, nobody without the event of a binary outcome, or an R² that cannot be.

    References
    ----------
    .. [1] Riley 2020, BMJ, 10.1136/bmj.m441
    .. [2] Riley 2019, Statistics in Medicine, 10.1002/sim.7992

    Examples
    --------
    >>> size = sample_size(498, 183, 60)
    >>> size.patients_needed, size.events_needed, round(size.shrinkage, 2)
    (4368, 1606, 0.52)
    """
    if not 0 < events <= patients or (binary and events == patients) or parameters < 1:
        raise InputError(
            f"no sample size for {events} events of {patients} patients and {parameters} parameters",
            expected="at least one event and one parameter" + (", and patients of both kinds" if binary else ""),
        )
    largest = _largest_r2(events / patients, binary)
    r2 = _ANTICIPATED_SHARE * largest if anticipated_r2 is None else anticipated_r2
    if not 0 < r2 < min(largest, _SHRINKAGE):
        raise InputError(
            f"illegal anticipated R² {r2!r}",
            column="anticipated_r2",
            expected=f"above 0, below {min(largest, _SHRINKAGE):.3f}",
        )
    second = r2 / (r2 + _NAGELKERKE_DIFFERENCE * largest)
    needed = max(math.ceil(parameters / _per_parameter(s, r2)) for s in (_SHRINKAGE, second))
    # With thousands of parameters S is R² but for its last digits: what is sought is x = ln(1 - R² / S).
    lowest = -2 * parameters / patients / (1 - r2) - 40
    x = brentq(lambda x: patients * (-r2 / math.expm1(x) - 1) * x - parameters, lowest, math.log(1 - r2))
    shrinkage = -r2 / math.expm1(x)
    events_needed = math.ceil(needed * events / patients)
    return SampleSize(patients, events, parameters, r2, float(shrinkage), needed, events_needed)


def _largest_r2(share: float, binary: bool) -> float:
    rest = (1 - share) * math.log(1 - share) if binary else -share
    return 1 - math.exp(2 * (share * math.log(share) + rest))


def _per_parameter(shrinkage: float, r2: float) -> float:
    """Parameters that one patient carries at this shrinkage."""
    return (shrinkage - 1) * math.log(1 - r2 / shrinkage)


_SHARES = (0.25, 0.5, 0.75, 1.0)
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
    cache: FoldCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LearningCurve:
    """Tune and fit a model on growing parts of each training fold, and judge it by the same test patients.

    The smaller parts of a fold are within the larger ones and hold equal shares of the events. Intervals are
    percentiles of bootstrap resamples of the test patients, the same for all parts, stretched as those of
    :func:`nbrelapse.metrics.evaluation.evaluate`. What twice as many patients would
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
    cache : FoldCache, optional
        Where folds are looked up and kept; the whole ones are there already.
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
    parts = {share: _parts(splits, event, share, seed) for share in _SHARES}
    least = {share: min(int(event[train].sum()) for _, _, train, _ in part) for share, part in parts.items()}
    kept = [share for share in _SHARES if share == 1 or least[share] >= _EVENTS_A_FOLD * n_inner_folds]
    weights = bootstrap_weights(len(y), n_bootstrap, seed)
    figures = []
    for number, share in enumerate(kept):
        told = None if progress is None else _shifted(progress, number, len(kept))
        found = _predict_splits(
            {name: model}, X, y, parts[share],
            n_inner_folds=n_inner_folds, n_trials=n_trials, seed=seed, times=times, n_jobs=n_jobs, cache=cache,
            progress=told,
        )  # fmt: skip
        figures.append(discrimination(y, found[name].log_risk, fold=found[name].compared, weights=weights))
    values = np.stack(figures)
    patients = [float(np.mean([len(train) for _, _, train, _ in parts[share]])) for share in kept]
    events = [float(np.mean([event[train].sum() for _, _, train, _ in parts[share]])) for share in kept]
    notes = [
        f"{share:.0%} of the patients: left out, a fold has {least[share]} events for {n_inner_folds} inner folds"
        for share in _SHARES
        if share not in kept
    ]
    stretch = few_events_stretch(kind_of(y).rarest(y))
    stretch *= cross_validation_stretch(found[name].fold, METRICS[kind_of(y).leading_metric].training)
    gain = _gain(values, np.array(patients))
    return LearningCurve(_table(values, patients, events, stretch), *_interval(gain, stretch), notes)


def _parts(splits: list[_Split], event: np.ndarray, share: float, seed: int) -> list[_Split]:
    parts = []
    for repeat, fold, train, test in splits:
        order = np.random.default_rng([seed, repeat, fold]).permutation(train)
        taken = [part[: int(np.ceil(share * len(part)))] for part in (order[event[order]], order[~event[order]])]
        parts.append((repeat, fold, np.sort(np.concatenate(taken)), test))
    return parts


def _shifted(progress: Callable[[int, int], None], number: int, parts: int) -> Callable[[int, int], None]:
    return lambda done, total: progress(number * total + done, parts * total)


def _table(values: np.ndarray, patients: list[float], events: list[float], stretch: float) -> pd.DataFrame:
    steps = np.vstack([np.full((1, values.shape[1]), np.nan), np.diff(values, axis=0)])
    rows = [
        {"patients": n, "events": k}
        | dict(zip(("value", "low", "high"), _interval(value, stretch), strict=True))
        | dict(zip(("step", "step_low", "step_high"), _interval(step, stretch), strict=True))
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


def _interval(values: np.ndarray, stretch: float) -> tuple[float, float, float]:
    return float(values[0]), *bootstrap_interval(float(values[0]), values[1:], stretch=stretch)
