"""Train on all groups of patients but one, and judge on that one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.metrics.evaluation import Evaluation, evaluate_groups
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.predictions import FEWEST_EVENTS, FEWEST_PATIENTS, Predictions, enough_patients
from nbrelapse.metrics.resampling import IntervalKind
from nbrelapse.outcome import event_of
from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.nested import _predict_splits, _Split
from nbrelapse.validation.splits import repeated_folds

if TYPE_CHECKING:
    from nbrelapse.models.base import RiskModel


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
