"""Nested cross-validation, predictions of a hold-out, and each group judged by models trained on the others."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from joblib import delayed
from threadpoolctl import threadpool_limits

from nbrelapse.errors import InputError
from nbrelapse.metrics.evaluation import Evaluation, evaluate_groups
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.predictions import FEWEST_EVENTS, FEWEST_PATIENTS, Predictions, enough_patients
from nbrelapse.metrics.resampling import IntervalKind
from nbrelapse.models.processes import in_processes
from nbrelapse.models.resamples import refit
from nbrelapse.outcome import event_of
from nbrelapse.validation.fold_cache import FoldCache, _Fold, _fold_key, _Prediction
from nbrelapse.validation.splits import repeated_folds
from nbrelapse.validation.tuning import Trial, tune

if TYPE_CHECKING:
    from nbrelapse.models.base import RiskModel

_Record = Callable[[str, int, int, tuple[Trial, ...]], None]
"""Called with the model, the repeat, the fold, and the trials of its tuning."""


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
    record: _Record | None = None,
) -> dict[str, Predictions]:
    """Predict every patient by models that were tuned and fitted without him.

    All models see the same outer folds; where they have strata each fold has its part of every study, and patients are
    ranked within their study (:attr:`Predictions.within`). Everything learned, hyperparameters included, is learned
    inside the training part of an outer fold.

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
    record : callable, optional
        Called for every model and fold with the name, the repeat, the fold (both from 0) and the trials of the tuning.

    Returns
    -------
    dict of str to Predictions

    Raises
    ------
    InputError
        There are too few events for the outer or inner folds.
    """
    strata = next(iter(models.values())).plain._strata(X.index)
    splits = repeated_folds(y, n_repeats=n_repeats, n_folds=n_folds, seed=seed, strata=strata)
    return _predict_splits(
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
        record=record,
    )


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
    predicted = {name: _predicted(model, X, times) for name, model in models.items()}
    return {
        name: Predictions(
            name,
            log_risk[np.newaxis],
            fold,
            probability[np.newaxis],
            times,
            None if models[name].plain is models[name] else before[np.newaxis],
            _studies(models[name], X.index),
        )
        for name, (log_risk, probability, before) in predicted.items()
    }


def _studies(model: RiskModel, patients: pd.Index) -> np.ndarray | None:
    """Return a number for the study of each patient, where the model has a baseline hazard for each; else None."""
    labels = model.plain._strata(patients)
    return None if labels is None else np.unique(labels, return_inverse=True)[1]


def _predicted(model: RiskModel, X: pd.DataFrame, times: np.ndarray) -> _Prediction:
    log_risk, probability = model.predict_risk(X, times)
    before = log_risk if model.plain is model else model.plain.predict_log_risk(X)
    return log_risk, probability, before


_Split = tuple[int, int, np.ndarray, np.ndarray]
"""Repeat, fold, and the positions of the training and the test patients."""


def _predict_splits(
    models: Mapping[str, RiskModel],
    X: pd.DataFrame,
    y: np.ndarray,
    splits: Sequence[_Split],
    *,
    n_inner_folds: int,
    n_trials: int,
    seed: int,
    times: np.ndarray,
    n_jobs: int = 1,
    cache: FoldCache | None = None,
    progress: Callable[[int, int], None] | None = None,
    record: _Record | None = None,
) -> dict[str, Predictions]:
    """Tune and fit every model on the training side of every split, and predict the test side.

    Parameters
    ----------
    models : mapping of str to RiskModel
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)
        As in :class:`nbrelapse.outcome.Outcome`.
    splits : sequence of (repeat, fold, train, test)
        A patient is tested once in every repeat, or in none.
    n_inner_folds, n_trials : int
        Of the tuning; see :func:`tune`.
    seed : int
        Each model in each split derives its own from it, so results depend neither on ``n_jobs`` nor on which
        other models there are.
    times : ndarray of shape (n_times,)
        Days.
    n_jobs : int
        Processes, each with one thread.
    cache : FoldCache, optional
        Where predictions are looked up before they are computed; the results are the same bits with and without.
    progress, record : callable, optional
        As in :func:`nested_cross_validation`.

    Returns
    -------
    dict of str to Predictions
        Of the patients that are tested, in their order: everybody, where the splits are those of a cross-validation.

    Raises
    ------
    InputError
        The training side of a split has too few events for the inner folds; nothing has been fitted then.
    """
    for _, _, train, _ in splits:
        repeated_folds(y[train], n_repeats=1, n_folds=n_inner_folds, seed=seed)
    tested = np.unique(np.concatenate([test for *_, test in splits]))
    shape = (1 + max(repeat for repeat, *_ in splits), len(tested))
    fold_of = np.full(shape, -1, dtype=np.int64)
    for repeat, fold, _, test in splits:
        fold_of[repeat, np.searchsorted(tested, test)] = fold
    found = {
        name: (np.full(shape, np.nan), np.full((*shape, len(times)), np.nan), np.full(shape, np.nan)) for name in models
    }
    tasks = [
        _Task(name, models[name], split, n_inner_folds, n_trials, _derived_seed(seed, name, split), times)
        for split in splits
        for name in models
    ]
    for done, (task, computed) in enumerate(_computed(tasks, X, y, n_jobs, cache), start=1):
        repeat, fold, _, test = task.split
        for everybody, own in zip(found[task.name], computed.prediction, strict=True):
            everybody[repeat, np.searchsorted(tested, test)] = own
        if record is not None:
            record(task.name, repeat, fold, computed.trials)
        if progress is not None:
            progress(done, len(tasks))
    return {
        name: Predictions(
            name,
            log_risk,
            fold_of,
            incidence,
            times,
            None if models[name].plain is models[name] else before,
            _studies(models[name], X.index[tested]),
        )
        for name, (log_risk, incidence, before) in found.items()
    }


class _Task(NamedTuple):
    name: str
    model: RiskModel
    split: _Split
    n_inner_folds: int
    n_trials: int
    seed: int
    times: np.ndarray
    known: tuple[Trial, ...] = ()
    keep: Callable[[Trial], None] | None = None

    def key(self, X: pd.DataFrame, y: np.ndarray) -> str:
        names = ("n_inner_folds", "n_trials", "seed", "times")
        return _fold_key(self.model, X, y, *self.split[2:], {name: getattr(self, name) for name in names})


def _computed(
    tasks: list[_Task], X: pd.DataFrame, y: np.ndarray, n_jobs: int, cache: FoldCache | None
) -> Iterator[tuple[_Task, _Fold]]:
    """Yield what every task is for: those in the cache first, the others as they are done."""
    missing = []
    keys = ["" if cache is None else task.key(X, y) for task in tasks]
    for number, (task, key) in enumerate(zip(tasks, keys, strict=True)):
        shape = (len(task.split[3]), len(task.times))
        known = None if cache is None else cache.load(key, shape)
        if known is None:
            missing.append(number)
        else:
            yield task, known
    if cache is not None:
        for number in missing:
            key = keys[number]
            tasks[number] = tasks[number]._replace(known=cache.load_trials(key), keep=cache.keep_trials(key))
    todo = (delayed(_predict_fold)(number, tasks[number], X, y) for number in missing)
    for number, fold in in_processes(todo, n_jobs, ordered=False):
        if cache is not None:
            cache.store(keys[number], fold)
        yield tasks[number], fold


def _predict_fold(number: int, task: _Task, X: pd.DataFrame, y: np.ndarray) -> tuple[int, _Fold]:
    _, _, train, test = task.split
    X_train, y_train = X.iloc[train], y[train]
    trials: list[Trial] = []
    with threadpool_limits(1):
        tuned = tune(
            task.model,
            X_train,
            y_train,
            n_trials=task.n_trials,
            n_folds=task.n_inner_folds,
            seed=task.seed,
            record=trials.append,
            known=task.known,
            keep=task.keep,
        )
        fitted = refit(tuned, X_train, y_train)
        return number, _Fold(_predicted(fitted, X.iloc[test], task.times), tuple(trials))


def _derived_seed(seed: int, name: str, split: _Split) -> int:
    entropy = [seed, split[0], split[1], zlib.crc32(name.encode())]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


@dataclass(frozen=True)
class GroupValidation:
    """How models did in groups that they were not trained on.

    Parameters
    ----------
    evaluation : Evaluation
        The populations are the groups judged and ``mean of groups``.
    predictions : dict of str to Predictions
        Of the patients judged; a fold a group.
    judged : ndarray of int, shape (n_judged,)
        Their positions.
    left_out : dict of str to str
        Groups that were not judged, with the reason.
    """

    evaluation: Evaluation
    predictions: dict[str, Predictions]
    judged: np.ndarray
    left_out: dict[str, str]


def leave_one_group_out(
    models: Mapping[str, RiskModel],
    X: pd.DataFrame,
    y: np.ndarray,
    groups: Sequence[str | None] | np.ndarray | pd.Series,
    *,
    references: Sequence[str],
    n_inner_folds: int,
    n_trials: int,
    seed: int,
    n_bootstrap: int = 1000,
    interval: IntervalKind = "percentile",
    n_jobs: int = 1,
    cache: FoldCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> GroupValidation:
    """Tune and fit models on all groups but one and judge them on that one, for each group in turn.

    Parameters
    ----------
    models : mapping of str to RiskModel
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)
        As in :class:`nbrelapse.outcome.Outcome`.
    groups : sequence of shape (n,)
        The group of each patient: a study, a cooperative group, a hospital. Patients whose group is not known are
        neither trained on nor judged. A group with fewer than 10 patients or 5 events, or without which there are too
        few events for the inner folds, is not judged; the others are trained on it.
    references : sequence of str
        Models that the others are compared with.
    n_inner_folds, n_trials, seed : int
        Of the tuning; see :func:`tune`.
    n_bootstrap : int
    interval : {"percentile", "bca"}
        See :func:`evaluate_groups`.
    n_jobs : int
        Processes; the results do not depend on it.
    cache : FoldCache, optional
        Where predictions of folds are looked up and kept.
    progress : callable, optional
        Called with the fits done and the fits in all.

    Returns
    -------
    GroupValidation

    Raises
    ------
    InputError
        There are fewer than two groups, or none can be judged.
    """
    labels = pd.Series(np.asarray(groups, dtype=object)).astype("string").fillna("").to_numpy(dtype=object)
    known = np.asarray(labels != "", dtype=bool)
    splits, left_out = _splits(y, labels, known, n_inner_folds, seed)
    times = min((prediction_times(y[train]) for _, _, train, _ in splits), key=len)
    predictions = _predict_splits(
        models,
        X,
        y,
        splits,
        n_inner_folds=n_inner_folds,
        n_trials=n_trials,
        seed=seed,
        times=times,
        n_jobs=n_jobs,
        cache=cache,
        progress=progress,
    )
    judged = np.sort(np.concatenate([test for *_, test in splits]))
    evaluation = evaluate_groups(
        predictions,
        y[judged],
        labels[judged].astype(str),
        references=references,
        n_bootstrap=n_bootstrap,
        seed=seed,
        interval=interval,
    )
    evaluation.notes.extend(f"{name}: not judged, it has {reason}" for name, reason in left_out.items())
    if not known.all():
        evaluation.notes.append(f"{int((~known).sum())} patients belong to no known group; they are left out")
    return GroupValidation(evaluation, predictions, judged, left_out)


def _splits(
    y: np.ndarray, labels: np.ndarray, known: np.ndarray, n_inner_folds: int, seed: int
) -> tuple[list[_Split], dict[str, str]]:
    """Split off every group that can be judged, and say why the others cannot."""
    names = sorted(set(labels[known]))
    if len(names) < 2:
        raise InputError(
            f"too few groups to leave one out: {', '.join(names) or 'none'}",
            column="groups",
            expected="at least two groups among the patients who have an outcome",
        )
    splits: list[_Split] = []
    left_out = {}
    for number, name in enumerate(names):
        train, test = np.flatnonzero(known & (labels != name)), np.flatnonzero(labels == name)
        reason = _reason(y[train], y[test], n_inner_folds, seed)
        if reason:
            left_out[name] = reason
        else:
            splits.append((0, number, train, test))
    if not splits:
        raise InputError(
            "no group can be left out and judged",
            column="groups",
            expected="; ".join(f"{name} has {reason}" for name, reason in left_out.items()),
            fix="use another column, or fewer inner folds",
        )
    return splits, left_out


def _reason(train: np.ndarray, test: np.ndarray, n_inner_folds: int, seed: int) -> str:
    """Why a group cannot be judged; empty where it can."""
    events = int((event_of(test) == 1).sum())
    if not enough_patients(test):
        return f"{len(test)} patients and {events} events, fewer than {FEWEST_PATIENTS} or {FEWEST_EVENTS}"
    try:
        repeated_folds(train, n_repeats=1, n_folds=n_inner_folds, seed=seed)
    except InputError:
        rest = int((event_of(train) == 1).sum())
        return f"{events} events, and the other groups {rest}: too few for {n_inner_folds} inner folds"
    return ""
