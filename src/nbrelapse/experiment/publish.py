"""Keep an experiment's result: MLflow runs, saved models, the HTML report."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.experiment.card import _card_numbers, _model_card
from nbrelapse.experiment.describe import (
    _coverage,
    _describe_cohort,
    _describe_outcome,
    _environment,
    _experiment_tables,
    _guard_figures,
    _guard_sections,
    _model_tables,
    _multiplicity,
    _provenance,
    _training_summary,
)
from nbrelapse.experiment.headlines import _curves, _experiment_note, _headlines, _model_note
from nbrelapse.experiment.prepare import _data_fingerprint
from nbrelapse.experiment.run import _EVERYBODY, ExperimentResult, _Progress
from nbrelapse.explanation.probability import to_probability
from nbrelapse.metrics.decisions import ClinicalUtility
from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.metrics.horizons import longest_horizon
from nbrelapse.metrics.incidence import observed_course, similar_outcomes
from nbrelapse.metrics.paired import PairedReplicates
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.models.blend import Blend
from nbrelapse.models.ensemble import Ensemble, EnsembleClassifier
from nbrelapse.models.recalibration import RecalibratedBinary, RecalibratedSurvival
from nbrelapse.outcome import Outcome, event_of, kind_of, outcome_fingerprint
from nbrelapse.report.experiment_report import ReportContent, experiment_figures, write_experiment_report
from nbrelapse.report.explanation_report import explanation_figures
from nbrelapse.report.plots.attributions import patient_waterfall
from nbrelapse.report.render import Picture, Plot, begin_drawing
from nbrelapse.report.sentences import ProbabilityImportance, choice_sentence
from nbrelapse.scoring.bundle import make_bundle
from nbrelapse.scoring.evaluate import clinical_groups, judge_decisions, patient_groups
from nbrelapse.scoring.storage import write_bundle
from nbrelapse.scoring.training_summary import (
    ClinicalGroup,
    NearPatients,
    ObservedOutcomes,
    SimilarOutcomes,
    is_simulated,
)
from nbrelapse.tracking.log import DatasetRecord, ExperimentRecord, ModelRecord, TrialRecord, log_experiment
from nbrelapse.tracking.names import APPARENT_TAG, CORRECTED_TAG, ENDPOINT_TAG, FAMILIES_TAG, PAIRED_FILE, TRIALS_TAG
from nbrelapse.tracking.read import HOLDOUT_TAG, TRAINING_TAG, count_experiments, count_holdout_openings
from nbrelapse.tracking.store import open_store
from nbrelapse.validation.guards import Multiplicity
from nbrelapse.validation.patient_bands import learn_bands


@dataclass(frozen=True)
class Published:
    """Where an experiment's results are.

    Parameters
    ----------
    chosen : str
    report : path
        The HTML report.
    run_id : str
        MLflow's parent run.
    model_uris : dict of str to str
        ``models:/…`` by model family.
    multiplicity : Multiplicity
        How many models were tried.
    """

    chosen: str
    report: Path
    run_id: str
    model_uris: dict[str, str]
    multiplicity: Multiplicity


def publish(
    result: ExperimentResult,
    report: str | Path,
    *,
    n_jobs: int = 1,
    progress: _Progress | None = None,
    sign: str | Path | None = None,
    log_trials: bool = False,
) -> Published:
    """Write the report and record the experiment, its models and the report in MLflow.

    Patient identifiers reach neither, unless the experiment file says ``log_patient_ids = true``.

    Parameters
    ----------
    result : ExperimentResult
    report : path
        Of the HTML file.
    n_jobs : int
        Processes that draw; the pictures do not depend on it.
    progress : callable, optional
    sign : path, optional
        Private key to sign the models with; see :func:`nbrelapse.scoring.write_bundle`.
    log_trials : bool
        Record each trial of the tuning as a run below the model's: there may be thousands.

    Returns
    -------
    Published
    """
    step = progress or (lambda stage, done, total: None)
    step("report and MLflow", 0, 2)
    shares, utility = _coverage(result), _utility(result)
    drawing = begin_drawing(_figures(result, shares, utility), n_jobs=n_jobs)
    datasets = _datasets(result)
    own = _provenance(result) | {"cohort.fingerprint": datasets[0].fingerprint}
    holdout = None if result.data.holdout is None else outcome_fingerprint(result.data.holdout)
    openings = None if holdout is None else count_holdout_openings(holdout, own) + 1
    training = outcome_fingerprint(result.data.training)
    tried = _multiplicity(result, count_experiments(TRAINING_TAG, training, own) + 1)
    courses = _group_courses(result.data.cohort, result.data.features(result.data.training), result.data.training.y)
    paired = PairedReplicates.of(result.predictions, result.data.training)
    records = [_model_record(result, name, tried, courses, sign, openings) for name in result.models]
    open_store()  # a new one takes MLflow some seconds
    pictures = drawing()
    content = _content(result, openings, tried, shares, utility, _owned(pictures, None))
    step("report and MLflow", 1, 2)
    tags = _environment(result) | own
    tags |= {"nbrelapse.kind": "experiment", "nbrelapse.chosen": result.chosen}
    tags |= {
        ENDPOINT_TAG: result.config.endpoint,
        TRAINING_TAG: training,
        FAMILIES_TAG: str(tried.families),
        TRIALS_TAG: str(tried.trials),
    }
    if math.isfinite(tried.corrected):
        tags |= {APPARENT_TAG: str(tried.apparent), CORRECTED_TAG: str(tried.corrected)}
    if holdout is not None:
        tags |= {HOLDOUT_TAG: holdout, "nbrelapse.holdout_openings": str(openings)}
    record = ExperimentRecord(
        name=result.config.name,
        description=_experiment_note(result),
        datasets=datasets,
        parameters=_parameters(result),
        tags=tags,
        metrics=_headlines(result, result.chosen),
        models=tuple(
            replace(
                record,
                pictures=_owned(pictures, record.name),
                trials=tuple(_trials(result, record.name)) if log_trials else (),
            )
            for record in records
        ),
        tables=_experiment_tables(result) | utility.tables(),
        pictures=content.pictures,
        documents={
            "experiment.json": result.config.model_dump_json(indent=1, exclude={"cohort": {"path", "gene_sets"}}),
            PAIRED_FILE: json.dumps([paired.to_dict()], allow_nan=False),
        },
        report=lambda run_id, uris: write_experiment_report(_located(content, run_id, uris), report),
        started=result.started,
    )
    logged = log_experiment(record)
    step("report and MLflow", 2, 2)
    return Published(result.chosen, Path(report), logged.run_id, logged.model_uris, tried)


def _datasets(result: ExperimentResult) -> tuple[DatasetRecord, ...]:
    """Return the training data, and the hold-out where there is one."""
    data, found = result.data, []
    for purpose, outcome in (("training", data.training), ("validation", data.holdout)):
        if outcome is not None:
            events = int((event_of(outcome.y) == 1).sum())
            fingerprint = _data_fingerprint(data, outcome)
            features = tuple(data.columns)
            found.append(DatasetRecord(data.cohort.name, fingerprint, len(outcome.y), events, features, purpose))
    return tuple(found)


def _trials(result: ExperimentResult, model: str) -> Iterator[TrialRecord]:
    """Return the trials of a model's tuning, those on all training patients first."""
    for patients, trials in sorted(result.trials.get(model, {}).items(), key=lambda item: item[0] != _EVERYBODY):
        for trial in trials:
            part = f"{trial.part} " if trial.part else ""
            parameters = {name: str(value) for name, value in trial.parameters.items()}
            told = {"tuned_on": patients, "trial": str(trial.number), "state": trial.state}
            told |= {"part": trial.part} if trial.part else {}
            yield TrialRecord(
                f"{part}trial {trial.number}, {patients}", parameters | told, trial.values, trial.state != "failed"
            )


def _judging(result: ExperimentResult) -> tuple[Evaluation, Mapping[str, Predictions], Outcome]:
    """Return the figures, predictions and outcomes that the answer rests on: of the hold-out, or in training."""
    if result.holdout is None or result.holdout_predictions is None or result.data.holdout is None:
        return result.cross_validation, result.predictions, result.data.training
    return result.holdout, result.holdout_predictions, result.data.holdout


def _utility(result: ExperimentResult) -> ClinicalUtility:
    _, predictions, outcome = _judging(result)
    return judge_decisions(
        result.chosen,
        predictions,
        result.data.cohort,
        result.data.features(outcome),
        outcome.y,
        n_bootstrap=result.config.validation.bootstrap,
        seed=result.config.seed,
    )


def _figures(
    result: ExperimentResult, shares: pd.DataFrame, utility: ClinicalUtility
) -> dict[tuple[str | None, str], Plot]:
    """Return the plot of every picture of an experiment by the model it is of (None: the experiment) and its name."""
    catalogue, chosen = result.data.table.catalogue, result.chosen
    found: dict[str | None, dict[str, Plot]] = {
        name: explanation_figures(explanation, catalogue, result.stability.get(name), _groups(result, name))
        for name, explanation in result.explanations.items()
    }
    judged, predictions, outcome = _judging(result)
    own = experiment_figures(chosen, judged, predictions[chosen], outcome.y, shares, catalogue, utility)
    found[None] = own | found[chosen] | _guard_figures(result)
    for name, explanation in result.explanations.items():
        highest = str(explanation.prediction.idxmax())
        found[name] |= {"waterfall_highest_risk": partial(patient_waterfall, explanation, highest, catalogue)}
    return {(owner, name): figure for owner, figures in found.items() for name, figure in figures.items()}


def _owned(pictures: Mapping[tuple[str | None, str], Picture], owner: str | None) -> dict[str, Picture]:
    return {name: picture for (whose, name), picture in pictures.items() if whose == owner}


def _content(
    result: ExperimentResult,
    openings: int | None,
    tried: Multiplicity,
    shares: pd.DataFrame,
    utility: ClinicalUtility,
    pictures: dict[str, Picture],
) -> ReportContent:
    return ReportContent(
        title=result.config.name,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        endpoint=result.config.endpoint,
        cohort=_describe_cohort(result),
        outcome=_describe_outcome(result),
        config=result.config.model_dump_json(indent=2, exclude={"cohort": {"path", "gene_sets"}}),
        coverage=shares,
        catalogue=result.data.table.catalogue,
        cross_validation=result.cross_validation,
        holdout=result.holdout,
        leave_one_out=result.leave_one_out,
        holdout_openings=openings,
        chosen=result.chosen,
        chosen_because=choice_sentence(
            result.choice, result.cross_validation.kind.leading_metric, result.config.models
        ),
        explanations=result.explanations,
        stability=result.stability,
        pictures=pictures,
        utility=utility,
        probability={name: _probability(result, name) for name in result.explanations},
        notes=result.notes,
        guards=_guard_sections(result, tried),
        environment=_environment(result),
        description=result.config.description,
        simulated=is_simulated(result.data.cohort),
    )


def _located(content: ReportContent, run_id: str, uris: Mapping[str, str]) -> ReportContent:
    """Say in a report where its run and its models are, and what one does with them."""
    name, model = shlex.quote(content.title), uris[content.chosen]
    return replace(
        content,
        places={"Experiment": content.title, "Run": run_id, "Chosen model": model},
        commands=(
            f"nbrelapse ui {name}",
            f"nbrelapse score {model} COHORT --out scores.csv",
            f"nbrelapse explain {model} COHORT --out explained --patient ID",
            f"nbrelapse evaluate {model} COHORT --out evaluated",
            f"nbrelapse register {model}",
        ),
    )


def _model_record(
    result: ExperimentResult,
    name: str,
    tried: Multiplicity,
    courses: tuple[ClinicalGroup, ...],
    sign: str | Path | None = None,
    openings: int | None = None,
) -> ModelRecord:
    model = result.models[name]
    plain = model.plain
    parameters = _flat(
        {
            key: value
            for key, value in plain.get_params(deep=False).items()
            if key not in ("columns", "directions", "prior", "strata", "blocks", "companions", "start")
        }
    )
    if isinstance(plain, Blend):
        parameters |= _flat({"weights": plain.weights_})
    if isinstance(plain, Ensemble | EnsembleClassifier):
        parameters |= {"companions": ", ".join(plain.companions_), "blocks": ", ".join(plain.blocks_)}
    if isinstance(model, RecalibratedSurvival | RecalibratedBinary):
        parameters |= _flat({"recalibration": model.recalibration_.to_dict()})
    parameters |= {"endpoint": result.config.endpoint, "family": name}
    figures, curves, note = _headlines(result, name), _curves(result, name), _model_note(result, name)
    if name not in result.config.models:
        return ModelRecord(name, parameters, figures, curves=curves, description=note)
    bundle = make_bundle(
        result.config.endpoint,
        model,
        result.data.features(result.data.training),
        refits=tuple(result.refits[name]),
        references={baseline: result.models[baseline] for baseline in result.baselines},
        catalogue=result.data.table.catalogue,
        gene_sets=result.data.gene_sets,
        training=replace(
            _training_summary(result),
            observed=_observed_in_training(courses, result.data.training.y, result.predictions[name]),
        ),
        bands=learn_bands(
            result.predictions[name], model, result.data.features(result.data.training), result.data.training.y
        ),
    )
    card, numbers = _model_card(result, name, tried, openings), _card_numbers(result, bundle, name)
    bundle = replace(bundle, card=card, card_numbers=numbers)
    return ModelRecord(
        name,
        parameters,
        figures,
        lambda path, description: write_bundle(bundle, path, mlflow_model=description, sign=sign),
        tables=_model_tables(result, name),
        card=card,
        description=note,
        curves=curves,
        model_type=f"{model.kind.name} risk model",
        tags={
            "endpoint": bundle.endpoint,
            "family": name,
            "catalogue_version": str(bundle.catalogue.version),
            "evidence_needed": f"{bundle.least_evidence:g}",
            "patients": str(bundle.training.patients),
            "events": str(bundle.training.events),
        },
    )


def _probability(result: ExperimentResult, name: str) -> ProbabilityImportance:
    model = result.models[name]
    horizon = longest_horizon(model.followed_days)
    importance = to_probability(result.explanations[name], model, horizon).mechanism_importance()
    return ProbabilityImportance({str(key): float(value) for key, value in importance.items()}, horizon)


def _groups(result: ExperimentResult, name: str) -> pd.Series:
    """Risk groups of the training patients, whom the explanation of a model is of."""
    features = result.data.features(result.data.training)
    return patient_groups(result.data.cohort, features, result.explanations[name].prediction)


def _parameters(result: ExperimentResult) -> dict[str, str]:
    """Return the settings, and how the patients were chosen: in the experiment file, or when the cohort was made."""
    settings = result.config.model_dump(mode="json", exclude={"cohort": {"path", "gene_sets", "where"}})
    return _flat(settings | {"cohort": {**settings["cohort"], "where": result.data.cohort.where}})


def _flat(document: dict[str, object], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted names."""
    flat: dict[str, str] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        elif value is not None:
            flat[f"{prefix}{name}"] = str(value)
    return flat


_LEAST_GROUP = 20
"""Patients that a clinical group must have for its course to be kept. A choice, for the sake of privacy and noise."""


def _observed_in_training(
    courses: tuple[ClinicalGroup, ...], y: np.ndarray, predictions: Predictions
) -> ObservedOutcomes:
    """Return what a bundle keeps of the outcomes of its training patients.

    Parameters
    ----------
    courses : tuple of ClinicalGroup
        See :func:`_group_courses`.
    y : ndarray of shape (n,)
    predictions : Predictions
        Cross-validated, of the same patients, by the model of the bundle.

    Returns
    -------
    ObservedOutcomes
        The courses, and the outcomes by the mean predicted probability over the repeats (:func:`similar_outcomes`).
    """
    days = longest_horizon(float(predictions.times[-1]))
    probability = predictions.incidence_at(np.inf if days is None else days).mean(axis=0)
    points = tuple(NearPatients(**point) for point in similar_outcomes(probability, y))
    return ObservedOutcomes(courses, SimilarOutcomes(days, points))


def _group_courses(cohort: Cohort, X: pd.DataFrame, y: np.ndarray) -> tuple[ClinicalGroup, ...]:
    """Return the courses (:func:`observed_course`) of the clinical groups of at least 20 patients.

    Parameters
    ----------
    cohort : Cohort
    X : DataFrame of shape (n, n_features)
        Features of the training patients, the clinical groupings among them.
    y : ndarray of shape (n,)

    Returns
    -------
    tuple of ClinicalGroup
        Empty where the endpoint has no times.
    """
    return tuple(_courses(clinical_groups(cohort, X), y)) if kind_of(y).has_time else ()


def _courses(groupings: dict[str, np.ndarray], y: np.ndarray) -> Iterator[ClinicalGroup]:
    for name, level in groupings.items():
        for value in np.unique(level[~np.isnan(level)]):
            own = y[level == value]
            if len(own) >= _LEAST_GROUP:
                events = int((own["event"] == 1).sum())
                yield ClinicalGroup(name, int(value), len(own), events, observed_course(own))
