"""What an experiment will do, before it does it: patients, events of each fold, models, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.leakage import _leakage_check
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data
from nbrelapse.models.base import RiskModel
from nbrelapse.models.resamples import refit
from nbrelapse.outcome import event_of
from nbrelapse.validation.splits import repeated_folds
from nbrelapse.validation.tuning import Trial, tune


@dataclass(frozen=True)
class ExperimentPlan:
    """What an experiment will do.

    Parameters
    ----------
    patients : DataFrame
        A row for ``training``, ``hold-out`` and ``left out``, those that there are: ``patients``, ``events`` (NaN of
        patients left out).
    folds : DataFrame
        A row a fold: ``repeat``, ``fold`` (both from 1), ``train``, ``train_events``, ``test`` and ``test_events``.
    models : DataFrame
        A row a model: ``trials`` of a tuning (0 where there is nothing to tune), ``fold_seconds`` of a tuning and fit
        without one fold, and ``fit_seconds`` of a fit on all training patients, both measured here on few trials, as if
        no trial were stopped early; ``tunings`` and ``refits`` say how often.
    features : int
        That the models may read.
    left_out : int
        Features that they may not.
    n_jobs : int
    notes : list of str

    Attributes
    ----------
    seconds : float
        How long tuning and fits may take on `n_jobs` processes; explanations, intervals, pictures and MLflow come on
        top.
    """

    patients: pd.DataFrame
    folds: pd.DataFrame
    models: pd.DataFrame
    features: int
    left_out: int
    n_jobs: int
    notes: list[str]

    @property
    def seconds(self) -> float:
        """How long tuning and fits may take, in seconds."""
        own = self.models
        each = own["tunings"] * own["fold_seconds"] + own["refits"] * own["fit_seconds"]
        return float(each.sum() / self.n_jobs)


def plan_experiment(
    config: ExperimentConfig, *, n_jobs: int = 1, progress: Callable[[str, int, int], None] | None = None
) -> ExperimentPlan:
    """Prepare an experiment, check it as a run would, and tune each model a little to see how long it takes.

    Nothing is tuned, judged or written, and the hold-out is counted but not looked at.

    Parameters
    ----------
    config : ExperimentConfig
    n_jobs : int
        Processes that the run will have.
    progress : callable, optional
        Called with the stage, the steps done and the steps in all.

    Returns
    -------
    ExperimentPlan

    Raises
    ------
    InputError
        What :func:`nbrelapse.experiment.run_experiment` would refuse before it computes.

    Examples
    --------
    >>> from nbrelapse.experiment import parse_config
    >>> document = {"name": "small", "cohort": {"simulate": {"patients": 90, "seed": 1}}, "models": ["cox"]}
    >>> plan = plan_experiment(parse_config(document))
    >>> len(plan.folds), int(plan.models.loc["cox", "tunings"]), plan.seconds > 0
    (25, 26, True)
    """
    report = progress or (lambda stage, done, total: None)
    report("features", 0, 1)
    data = _prepare_data(config)
    notes = _leakage_check(config, data)
    models, unavailable = _experiment_models(config, data)
    report("features", 1, 1)
    X, y = data.features(data.training), data.training.y
    settings = config.validation
    strata = next(iter(models.values())).plain._strata(X.index)
    splits = repeated_folds(y, n_repeats=settings.repeats, n_folds=settings.folds, seed=config.seed, strata=strata)
    for _, _, train, _ in splits:
        repeated_folds(y[train], n_repeats=1, n_folds=settings.inner_folds, seed=config.seed)
    rows = {}
    for done, (name, model) in enumerate(models.items()):
        report("a little of each model", done, len(models))
        rows[name] = {**_timed(config, model, X, y), "refits": config.refits * (name in config.models)}
    report("a little of each model", len(models), len(models))
    sides: dict[str, tuple[int, float]] = {"training": (len(y), _events(y))}
    if data.holdout is not None:
        sides["hold-out"] = (len(data.holdout.y), _events(data.holdout.y))
    if len(data.unsplit):
        sides["left out"] = (len(data.unsplit), np.nan)
    return ExperimentPlan(
        pd.DataFrame.from_dict(sides, orient="index", columns=["patients", "events"]),
        pd.DataFrame(
            [
                (repeat + 1, fold + 1, len(train), _events(y[train]), len(test), _events(y[test]))
                for repeat, fold, train, test in splits
            ],
            columns=["repeat", "fold", "train", "train_events", "test", "test_events"],
        ),
        pd.DataFrame.from_dict(rows, orient="index"),
        len(data.columns),
        len(data.left_out),
        n_jobs,
        notes + unavailable,
    )


_TRIED = 3
"""Trials that are timed. A choice."""


def _timed(config: ExperimentConfig, model: RiskModel, X: pd.DataFrame, y: np.ndarray) -> dict[str, float]:
    """Time a short tuning and a fit, and say what a whole tuning of a fold would take."""
    settings, tried = config.validation, list[Trial]()
    with threadpool_limits(1):
        start = time.perf_counter()
        tuned = tune(model, X, y, n_trials=_TRIED, n_folds=settings.inner_folds, seed=config.seed, record=tried.append)
        tuning = time.perf_counter() - start
        start = time.perf_counter()
        refit(tuned, X, y)
        fit = time.perf_counter() - start
    # What a model with parts tunes is each of them.
    trials = settings.trials * len(tried) // _TRIED
    return {
        "trials": trials,
        "tunings": settings.folds * settings.repeats + 1,
        "fold_seconds": tuning * (trials / len(tried) if tried else 1) + fit,
        "fit_seconds": fit,
    }


def _events(y: np.ndarray) -> int:
    return int((event_of(y) == 1).sum())
