"""Train, validate and explain what an experiment file describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.merge import is_merged
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.final_models import _begin_refits, _tune
from nbrelapse.experiment.leakage import _leakage_check
from nbrelapse.experiment.prepare import _MOST_GROUPS, _experiment_models, _group_of, _prepare_data, _PreparedData
from nbrelapse.explanation.explanation import Explanation, explain
from nbrelapse.explanation.stability import Stability, stability
from nbrelapse.metrics.choice import FamilyChoice, choose_family
from nbrelapse.metrics.evaluation import MEAN, Evaluation, discrimination, evaluate
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.models.base import RiskModel
from nbrelapse.models.blend import Blend
from nbrelapse.models.ensemble import Ensemble, EnsembleClassifier
from nbrelapse.models.families import model_title
from nbrelapse.models.hazards import FEWEST_COMPETING_EVENTS
from nbrelapse.models.processes import starting_processes
from nbrelapse.models.resamples import bootstrap_rows, fold_refits, refit
from nbrelapse.outcome import Outcome, event_of, kind_of
from nbrelapse.scoring.evaluate import populations
from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.guards import corrected_choice, optimism
from nbrelapse.validation.nested import holdout_predictions, leave_one_group_out, nested_cross_validation
from nbrelapse.validation.sample_size import LearningCurve, SampleSize, learning_curve, sample_size
from nbrelapse.validation.tuning import Trial

_Progress = Callable[[str, int, int], None]
"""Called with the stage, the steps done and the steps in all."""


def run_experiment(
    config: ExperimentConfig,
    *,
    n_jobs: int = 1,
    cache: FoldCache | None = None,
    progress: _Progress | None = None,
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
        Where folds, trials and refits are looked up and kept as they are done, so that a later run computes only what
        has changed, and one that was cut off goes on; the results are the same bits.
    progress : callable, optional

    Returns
    -------
    ExperimentResult

    Raises
    ------
    InputError
        The data cannot carry the experiment (see :func:`_prepare_data`) or would leak (see :func:`_leakage_check`), or
        there are too few events for the folds asked for.
    """
    started = datetime.now(UTC)
    report = progress or (lambda stage, done, total: None)
    report("features", 0, 1)
    with starting_processes(n_jobs):
        data = _prepare_data(config)
        report("features", 1, 1)
        notes = _leakage_check(config, data)
    models, unavailable = _experiment_models(config, data)
    notes += unavailable + _unspecified_note(config, data) + _landmark_note(config, data)
    notes += _competing_note(data.training.y) + _studies_note(data)
    baselines = [name for name in models if name not in config.models]
    times = prediction_times(data.training.y)
    settings = config.validation
    X, y = data.features(data.training), data.training.y

    by_group = None
    left_out = _left_out_column(config, data)
    if left_out is not None:
        by_group = _leave_one_out(
            config,
            data,
            left_out,
            models,
            baselines,
            n_jobs=n_jobs,
            cache=cache,
            progress=lambda done, total: report("leave one group out", done, total),
        )
    trials: dict[str, dict[str, tuple[Trial, ...]]] = {name: {} for name in models}
    report("nested cross-validation", 0, len(models) * settings.repeats * settings.folds)
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
        record=lambda name, repeat, fold, tried: trials[name].update({_without_fold(repeat, fold): tried}),
    )
    report("final models", 0, len(config.models))
    tuned = {}
    for name, (model, tried) in _tune(config, models, X, y, n_jobs, cache).items():
        tuned[name] = model
        trials[name][_EVERYBODY] = tried
    resamples = bootstrap_rows(y, config.refits, config.seed)
    # They go on in other processes while this one judges the cross-validation, and are what they are whatever it says.
    refitting = _begin_refits({str(name): tuned[name] for name in config.models}, X, y, resamples, n_jobs, cache)
    cross_validation = _evaluate(config, data, data.training, predictions, baselines)
    if by_group is not None:
        cross_validation = replace(cross_validation, spread=_with_groups(cross_validation.spread, by_group.spread))
    choice = choose_family({str(name): predictions[name] for name in config.models}, y, seed=config.seed)
    chosen = choice.family

    fitted = {name: refit(model, X, y) for name, model in tuned.items()}
    refits: dict[str, list[RiskModel]] = {}
    for name, own in refitting:
        refits[name] = own
        report("final models", len(refits), len(config.models))
    notes += _blend_note(fitted) + _ensemble_note(fitted, config.endpoint)
    held = None
    holdout = None
    if data.holdout is not None:
        held = holdout_predictions(fitted, data.features(data.holdout), times)
        judged = _evaluate(config, data, data.holdout, held, baselines, named_beforehand=True)
        holdout = replace(judged, spread=cross_validation.spread)
    explanations = {str(name): explain(fitted[name], X, data.table.catalogue) for name in config.models}
    stable = _stability(config, data, fitted, refits, explanations, n_jobs)
    guards = _run_guards(
        config,
        data,
        models,
        predictions=predictions,
        fitted=fitted,
        refits=refits,
        resamples=resamples,
        chosen=chosen,
        n_jobs=n_jobs,
        cache=cache,
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
        choice,
        times,
        notes,
        guards,
        by_group,
        started,
        trials,
    )


_EVERYBODY = "all training patients"


def _without_fold(repeat: int, fold: int) -> str:
    """Name the training side of a fold; both count from 0."""
    return f"without fold {fold + 1} of repeat {repeat + 1}"


def _unspecified_note(config: ExperimentConfig, data: _PreparedData) -> list[str]:
    events = data.cohort.patients.set_index("patient_id")["event"].reindex(data.training.patient_ids)
    unknown = int((events == "unspecified").sum())
    if config.endpoint != "relapse" or not unknown or config.unspecified == "exclude":
        return []
    counted = "relapses, deaths on the same day aside" if config.unspecified == "event" else "censored"
    return [f"{unknown} first events of the training patients are of unknown kind; they count as {counted}"]


def _studies_note(data: _PreparedData) -> list[str]:
    """Say what several studies are made of, and whom figures compare."""
    merged = data.cohort.metadata.get("source", {}).get("cohorts", [])
    joined = [line for line in data.cohort.metadata.get("repairs", []) if merged and line.startswith("merge: ")]
    notes = [line.removeprefix("merge: ") for line in joined]
    if data.studies is None:
        return notes
    names = ", ".join(sorted(data.studies.unique()))
    each = "a baseline hazard" if data.training.kind.has_time else "an intercept"
    return [
        *notes,
        f"each of {names} has {each} of its own in training: patients are ranked within their study (concordances, "
        "AUC, calibration slope of a time to an event), and probabilities are those of all studies together",
    ]


def _landmark_note(config: ExperimentConfig, data: _PreparedData) -> list[str]:
    if not config.landmark_days:
        return []
    before = sum(count for reason, count in data.training.excluded.items() if reason.endswith("the landmark"))
    return [
        f"the landmark is day {config.landmark_days:g}: times and horizons count from it, and {before} patients of the "
        "cohort whose event or end of observation came by then are left out"
    ]


def _evaluate(
    config: ExperimentConfig,
    data: _PreparedData,
    outcome: Outcome,
    predictions: dict[str, Predictions],
    baselines: list[str],
    *,
    named_beforehand: bool = False,
) -> Evaluation:
    masks = populations(data.cohort, outcome)
    if data.studies is not None:
        own = data.studies.loc[outcome.patient_ids].to_numpy()
        masks |= {str(study): own == study for study in np.unique(own) if study not in masks}
    return evaluate(
        predictions,
        outcome.y,
        populations=masks,
        references=baselines,
        n_bootstrap=config.validation.bootstrap,
        seed=config.seed,
        interval=config.validation.interval,
        named_beforehand=named_beforehand,
    )


def _with_groups(spread: pd.DataFrame, by_group: pd.DataFrame) -> pd.DataFrame:
    """Count the models tuned without each group of patients among those tuned without each fold."""
    further = by_group[by_group["population"] == MEAN].set_index("model")[["empty", "folds"]]
    counts = spread[["empty", "folds"]] + further.reindex(spread["model"], fill_value=0).to_numpy()
    return spread.assign(**counts)


def _stability(
    config: ExperimentConfig,
    data: _PreparedData,
    fitted: dict[str, RiskModel],
    refits: dict[str, list[RiskModel]],
    explanations: dict[str, Explanation],
    n_jobs: int,
) -> dict[str, Stability]:
    X, y = data.features(data.training), data.training.y
    found = {}
    for name, explanation in explanations.items():
        folds = fold_refits(fitted[name], X, y, n_folds=config.validation.folds, n_jobs=n_jobs)
        found[name] = stability(explanation, refits[name], data.table.catalogue, config.endpoint, folds, n_jobs=n_jobs)
    return found


def _left_out_column(config: ExperimentConfig, data: _PreparedData) -> str | None:
    """Return the column whose values are left out one by one: the file's, or the study of several."""
    if config.leave_one_out is not None:
        return config.leave_one_out.column
    several = is_merged(data.cohort) and data.studies is not None
    return "study" if several else None


def _leave_one_out(
    config: ExperimentConfig,
    data: _PreparedData,
    column: str,
    models: Mapping[str, RiskModel],
    references: Sequence[str],
    *,
    n_jobs: int = 1,
    cache: FoldCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Leave each group of training patients out in turn, as ``[leave_one_out]`` of the experiment file says.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData
    column : str
        Of ``patients``.
    models : mapping of str to RiskModel
    references : sequence of str
        The clinical baselines among them.
    n_jobs : int
    cache : FoldCache, optional
    progress : callable, optional

    Returns
    -------
    Evaluation
        The populations are the groups judged and ``mean of groups``; groups without an outcome, or too small to be
        judged, are in the notes.

    Raises
    ------
    InputError
        The cohort has no such column, or its values are no groups that can be left out.
    """
    groups, without = _column_groups(column, data)
    settings = config.validation
    found = leave_one_group_out(
        models,
        data.features(data.training),
        data.training.y,
        groups,
        references=references,
        n_inner_folds=settings.inner_folds,
        n_trials=settings.trials,
        seed=config.seed,
        n_bootstrap=settings.bootstrap,
        interval=settings.interval,
        n_jobs=n_jobs,
        cache=cache,
        progress=progress,
    ).evaluation
    notes = [f"{name}: left out, nobody in it has an outcome of endpoint {config.endpoint!r}" for name in without]
    return replace(found, notes=[*notes, *found.notes])


def _column_groups(column: str, data: _PreparedData) -> tuple[pd.Series, list[str]]:
    """Return the group of each training patient, and the groups of the cohort that have no patient with an outcome."""
    groups = _group_of(data.cohort, column, data.training.patient_ids, "to be left out one by one")
    everybody = data.cohort.patients.set_index("patient_id")[column].astype("string")
    with_outcome = set(groups.dropna()) | set(everybody.reindex(data.unsplit).dropna())
    if data.holdout is not None:
        with_outcome |= set(everybody.reindex(data.holdout.patient_ids).dropna())
    without = sorted(set(everybody.dropna()) - with_outcome)
    return groups, without if len(without) <= _MOST_GROUPS else []


@dataclass(frozen=True)
class _Guards:
    """What an experiment checked of itself.

    Parameters
    ----------
    size : SampleSize
        Training patients and events against the candidate features.
    apparent, corrected : float
        Cross-validated concordance of the chosen family, and the same corrected for the choice; NaN without one.
    optimism : dict of str to DataFrame
        Of the final models, see :func:`nbrelapse.validation.guards.optimism`.
    learning : LearningCurve or None
        Of the chosen family, where the experiment asks for it.
    """

    size: SampleSize
    apparent: float
    corrected: float
    optimism: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    learning: LearningCurve | None = None

    @property
    def notes(self) -> list[str]:
        """Warnings."""
        notes = [] if self.learning is None else [f"learning curve: {note}" for note in self.learning.notes]
        if self.size.is_enough:
            return notes
        return [
            *notes,
            f"few events: {self.size.events} for {self.size.parameters} candidate features; a regression without "
            f"penalty would need {self.size.patients_needed:,} patients (Riley 2020)",
        ]


def _run_guards(
    config: ExperimentConfig,
    data: _PreparedData,
    models: Mapping[str, RiskModel],
    *,
    predictions: Mapping[str, Predictions],
    fitted: Mapping[str, RiskModel],
    refits: Mapping[str, list[RiskModel]],
    resamples: Sequence[np.ndarray],
    chosen: str,
    n_jobs: int = 1,
    cache: FoldCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> _Guards:
    """Check an experiment.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData
    models : mapping of str to RiskModel
        Unfitted.
    predictions : mapping of str to Predictions
        Cross-validated, of all models.
    fitted, refits : mapping of str
        The final models, and the bootstrap refits of the compared families.
    resamples : sequence of ndarray
        The patients of each refit.
    chosen : str
    n_jobs : int
    cache : FoldCache, optional
    progress : callable, optional
        Called with the steps of the learning curve.

    Returns
    -------
    Guards
    """
    X, y = data.features(data.training), data.training.y
    families = {str(name): predictions[name] for name in config.models}
    settings = config.validation
    learning = None
    if settings.learning_curve:
        learning = learning_curve(
            chosen,
            models[chosen],
            X,
            y,
            n_repeats=settings.repeats,
            n_folds=settings.folds,
            n_inner_folds=settings.inner_folds,
            n_trials=settings.trials,
            seed=config.seed,
            times=predictions[chosen].times,
            n_bootstrap=settings.bootstrap,
            n_jobs=n_jobs,
            cache=cache,
            progress=progress,
        )
    return _Guards(
        _training_size(y, len(data.columns)),
        float(discrimination(y, predictions[chosen].log_risk, fold=predictions[chosen].compared)),
        corrected_choice(families, y, seed=config.seed),
        {name: optimism(fitted[name], refits[name], resamples, X, y, n_jobs=n_jobs) for name in families},
        learning,
    )


def _training_size(y: np.ndarray, parameters: int) -> SampleSize:
    """Hold the patients of an outcome against a number of candidate parameters."""
    events = int(np.count_nonzero(event_of(y) == 1))
    return sample_size(len(y), events, parameters, binary=not kind_of(y).has_time)


@dataclass(frozen=True)
class ExperimentResult:
    """All that an experiment found, before anything is written.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData
    predictions : dict of str to Predictions
        Nested cross-validated predictions of the training patients, by model.
    cross_validation : Evaluation
        Of ``predictions``.
    holdout : Evaluation or None
        Of the named hold-out, which no model has seen.
    holdout_predictions : dict of str to Predictions or None
    models : dict of str to RiskModel
        Tuned and fitted on all training patients; the clinical baselines among them.
    refits : dict of str to list of RiskModel
        Bootstrap refits of the compared families.
    explanations : dict of str to Explanation
        Attributions of the training patients, by compared family.
    stability : dict of str to Stability
        The same over ``refits``, and over refits without each fold of as many folds as the cross-validation has.
    choice : FamilyChoice
        Which family was chosen by the cross-validated Harrell C (AUC of a binary endpoint) of all training patients,
        see :func:`nbrelapse.metrics.choose_family`.
    times : ndarray of shape (n_times,)
        Days at which incidence was predicted.
    notes : list of str
        What was shortened, left out or is unavailable.
    guards : Guards
        What the experiment checked of itself.
    leave_one_out : Evaluation or None
        Of groups that the models were not trained on, and of their mean.
    started : datetime or None
        Before the features were computed.
    trials : dict of str to dict of str to tuple of Trial
        What the tuning tried, by model and by the patients it was tuned on: all training patients, or those without a
        fold of the cross-validation. Models without parameters to tune have no trials.
    """

    config: ExperimentConfig
    data: _PreparedData
    predictions: dict[str, Predictions]
    cross_validation: Evaluation
    holdout: Evaluation | None
    holdout_predictions: dict[str, Predictions] | None
    models: dict[str, RiskModel]
    refits: dict[str, list[RiskModel]]
    explanations: Mapping[str, Explanation]
    stability: Mapping[str, Stability]
    choice: FamilyChoice
    times: np.ndarray
    notes: list[str]
    guards: _Guards
    leave_one_out: Evaluation | None = None
    started: datetime | None = None
    trials: Mapping[str, Mapping[str, tuple[Trial, ...]]] = field(default_factory=dict)

    @property
    def chosen(self) -> str:
        """The family that was chosen."""
        return self.choice.family

    @property
    def baselines(self) -> list[str]:
        """The clinical baselines that were available."""
        return [name for name in self.models if name.startswith("clinical_")]

    def metric(self, model: str, metric: str, population: str = "all", *, holdout: bool = False) -> dict[str, Any]:
        """One row of the metrics: value, low, high, n, events."""
        evaluation = self.holdout if holdout else self.cross_validation
        if evaluation is None:
            raise KeyError("this experiment has no hold-out")
        table = evaluation.metrics
        row = table[(table["model"] == model) & (table["metric"] == metric) & (table["population"] == population)]
        return dict(row.iloc[0])


def _blend_note(models: Mapping[str, RiskModel]) -> list[str]:
    """Return the weights of each fitted blend among the models, in words.

    Examples
    --------
    >>> blend = Blend()
    >>> blend.weights_ = {"cox": 0.75, "boosted": 0.25}
    >>> _blend_note({"blend": blend})
    ['Blend of models, weights: Elastic-net Cox 0.75, Boosted trees 0.25']
    """
    return [
        f"{model_title(name)}, weights: "
        + ", ".join(f"{model_title(member)} {weight:.2f}" for member, weight in model.weights_.items())
        for name, model in ((name, model.plain) for name, model in models.items())
        if isinstance(model, Blend)
    ]


def _ensemble_note(models: Mapping[str, RiskModel], endpoint: str) -> list[str]:
    """Say what each fitted ensemble among the models is the mean of: blocks, and endpoints of the same patients."""
    ensembles = [(name, model.plain) for name, model in models.items()]
    return [
        f"{model_title(name)}: the mean of regressions on {', '.join(model.blocks_)}, of "
        + " and ".join([endpoint, *model.companions_])
        for name, model in ensembles
        if isinstance(model, Ensemble | EnsembleClassifier)
    ]


def _competing_note(y: np.ndarray) -> list[str]:
    """Return a note where there are competing events, but too few for a model of their own.

    Examples
    --------
    >>> _competing_note(np.array([(2, 90.0), (0, 400.0)], dtype=[("event", "i1"), ("time", "f8")]))[0][:28]
    '1 competing event is too few'
    >>> _competing_note(np.array([(1, 90.0), (0, 400.0)], dtype=[("event", "i1"), ("time", "f8")]))
    []
    """
    count = int((event_of(y) == 2).sum())
    if not 0 < count < FEWEST_COMPETING_EVENTS:
        return []
    found = "1 competing event is" if count == 1 else f"{count} competing events are"
    return [
        f"{found} too few for a cause-specific model, which takes {FEWEST_COMPETING_EVENTS}: the competing hazard "
        "is the same for everybody"
    ]
