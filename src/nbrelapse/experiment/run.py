"""Train, validate and explain what an experiment file describes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.experiment.blend_note import blend_note
from nbrelapse.experiment.competing_note import competing_note
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.experiment_models import experiment_models
from nbrelapse.experiment.guards import run_guards
from nbrelapse.experiment.leakage_check import leakage_check
from nbrelapse.experiment.leave_one_out import leave_one_out
from nbrelapse.experiment.populations import populations
from nbrelapse.experiment.prepare import PreparedData, prepare_data
from nbrelapse.experiment.result import ExperimentResult
from nbrelapse.explanation.explanation import Explanation, explain
from nbrelapse.explanation.stability import Stability, stability
from nbrelapse.models.resamples import bootstrap_refits, fold_refits
from nbrelapse.models.risk_model import RiskModel
from nbrelapse.outcome import Outcome
from nbrelapse.validation.evaluate import Evaluation, evaluate
from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.horizons import prediction_times
from nbrelapse.validation.leading_metric import leading_metric
from nbrelapse.validation.nested import holdout_predictions, nested_cross_validation
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.tuning import tune

Progress = Callable[[str, int, int], None]
"""Called with the stage, the steps done and the steps in all."""


def run_experiment(
    config: ExperimentConfig,
    *,
    n_jobs: int = 1,
    cache: FoldCache | None = None,
    progress: Progress | None = None,
) -> ExperimentResult:
    """Run an experiment; nothing is written, but to the cache.

    The order keeps the hold-out closed until everything else is settled: nested cross-validation of the
    training patients, the choice between families by it, tuning and fitting on all training patients, and only
    then the hold-out.

    Parameters
    ----------
    config : ExperimentConfig
    n_jobs : int
        Processes for the cross-validation; the results do not depend on it.
    cache : FoldCache, optional
        Where predictions of folds are looked up and kept, so that a later run computes only what has changed.
    progress : callable, optional

    Returns
    -------
    ExperimentResult

    Raises
    ------
    InputError
        The data cannot carry the experiment (see :func:`prepare_data`) or would leak (see :func:`leakage_check`), or
        there are too few events for the folds asked for.
    """
    report = progress or (lambda stage, done, total: None)
    report("features", 0, 1)
    data = prepare_data(config)
    report("features", 1, 1)
    notes = leakage_check(config, data)
    models, unavailable = experiment_models(config, data)
    notes += unavailable + _unspecified_note(config, data) + _landmark_note(config, data)
    notes += competing_note(data.training.y)
    baselines = [name for name in models if name not in config.models]
    times = prediction_times(data.training.y)
    settings = config.validation
    X, y = data.features(data.training), data.training.y

    by_group = None
    if config.leave_one_out is not None:
        by_group = leave_one_out(
            config,
            data,
            models,
            baselines,
            n_jobs=n_jobs,
            cache=cache,
            progress=lambda done, total: report("leave one group out", done, total),
        )
    predictions = nested_cross_validation(
        models,
        X,
        y,
        n_repeats=settings.repeats,
        n_folds=settings.folds,
        n_inner_folds=settings.inner_folds,
        n_trials=settings.trials,
        seed=config.seed,
        n_jobs=n_jobs,
        times=times,
        cache=cache,
        progress=lambda done, total: report("nested cross-validation", done, total),
    )
    cross_validation = _evaluate(config, data, data.training, predictions, baselines)
    chosen = _best(cross_validation, config.models)

    fitted, refits = _fit(config, models, X, y, n_jobs, report)
    notes += blend_note(fitted)
    held = None
    holdout = None
    if data.holdout is not None:
        held = holdout_predictions(fitted, data.features(data.holdout), times)
        holdout = _evaluate(config, data, data.holdout, held, baselines)
    explanations = {str(name): explain(fitted[name], X, data.table.catalogue) for name in config.models}
    stable = _stability(config, data, fitted, refits, explanations, n_jobs)
    guards = run_guards(
        config,
        data,
        models,
        predictions=predictions,
        fitted=fitted,
        refits=refits,
        chosen=chosen,
        n_jobs=n_jobs,
        progress=lambda done, total: report("learning curve", done, total),
    )
    notes += guards.notes
    notes += [] if by_group is None else [f"leave one group out: {note}" for note in by_group.notes]
    notes += cross_validation.notes + ([] if holdout is None else [f"hold-out: {note}" for note in holdout.notes])
    return ExperimentResult(
        config,
        data,
        predictions,
        cross_validation,
        holdout,
        held,
        fitted,
        refits,
        explanations,
        stable,
        chosen,
        times,
        notes,
        guards,
        by_group,
    )


def _unspecified_note(config: ExperimentConfig, data: PreparedData) -> list[str]:
    events = data.cohort.patients.set_index("patient_id")["event"].reindex(data.training.patient_ids)
    unknown = int((events == "unspecified").sum())
    if config.endpoint != "relapse" or not unknown or config.unspecified == "exclude":
        return []
    counted = "relapses, deaths on the same day aside" if config.unspecified == "event" else "censored"
    return [f"{unknown} first events of the training patients are of unknown kind; they count as {counted}"]


def _landmark_note(config: ExperimentConfig, data: PreparedData) -> list[str]:
    if not config.landmark_days:
        return []
    before = sum(count for reason, count in data.training.excluded.items() if reason.endswith("the landmark"))
    return [
        f"the landmark is day {config.landmark_days:g}: times and horizons count from it, and {before} patients of the "
        "cohort whose event or end of observation came by then are left out"
    ]


def _evaluate(
    config: ExperimentConfig,
    data: PreparedData,
    outcome: Outcome,
    predictions: dict[str, Predictions],
    baselines: list[str],
) -> Evaluation:
    return evaluate(
        predictions,
        outcome.y,
        populations=populations(data.cohort, outcome),
        references=baselines,
        n_bootstrap=config.validation.bootstrap,
        seed=config.seed,
        interval=config.validation.interval,
    )


def _best(evaluation: Evaluation, families: tuple[str, ...]) -> str:
    table = evaluation.metrics
    scores = table[(table["metric"] == leading_metric(table)) & (table["population"] == "all")].set_index("model")[
        "value"
    ]
    scores = scores.reindex(list(families))
    if scores.isna().all():
        raise InputError("no model could be judged: no fold has a comparable pair of patients")
    return str(scores.idxmax())


def _fit(
    config: ExperimentConfig,
    models: dict[str, RiskModel],
    X: pd.DataFrame,
    y: np.ndarray,
    n_jobs: int,
    report: Progress,
) -> tuple[dict[str, RiskModel], dict[str, list[RiskModel]]]:
    fitted: dict[str, RiskModel] = {}
    refits: dict[str, list[RiskModel]] = {}
    settings = config.validation
    for done, (name, model) in enumerate(models.items()):
        report("final models", done, len(models))
        tuned = tune(model, X, y, n_trials=settings.trials, n_folds=settings.inner_folds, seed=config.seed)
        fitted[name] = tuned.fit(X, y)
        if name in config.models:
            refits[name] = bootstrap_refits(tuned, X, y, n_refits=config.refits, seed=config.seed, n_jobs=n_jobs)
    report("final models", len(models), len(models))
    return fitted, refits


def _stability(
    config: ExperimentConfig,
    data: PreparedData,
    fitted: dict[str, RiskModel],
    refits: dict[str, list[RiskModel]],
    explanations: dict[str, Explanation],
    n_jobs: int,
) -> dict[str, Stability]:
    X, y = data.features(data.training), data.training.y
    found = {}
    for name, explanation in explanations.items():
        folds = fold_refits(fitted[name], X, y, n_folds=config.validation.folds, n_jobs=n_jobs)
        found[name] = stability(explanation, refits[name], data.table.catalogue, config.endpoint, folds)
    return found
