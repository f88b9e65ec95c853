"""Explain a saved model's predictions in a cohort: tables, pictures, pages."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.files import check_writable
from nbrelapse.errors import InputError
from nbrelapse.explanation.checks import grouped_shapley, roll_up_difference
from nbrelapse.explanation.explanation import Explanation, attribution_table, explain
from nbrelapse.explanation.probability import to_probability
from nbrelapse.explanation.stability import Stability, stability
from nbrelapse.mechanisms.build import build_features
from nbrelapse.models.families import model_title
from nbrelapse.report.explanation_report import ExplanationContent, explanation_figures, write_explanation_report
from nbrelapse.report.patient_report import PatientContent, write_patient_report
from nbrelapse.report.render import draw_figures, save_pictures
from nbrelapse.report.sentences import ProbabilityImportance
from nbrelapse.scoring.bundle import Bundle, _evidence_of, _explained_horizon
from nbrelapse.scoring.evaluate import patient_groups
from nbrelapse.scoring.patient import _StudiedPatient, check_patient, describe_patient
from nbrelapse.scoring.scores import _LEAST_EVIDENCE, _caution, _require_assays, write_scores

_MOST_BACKGROUND = 100
"""Patients compared with at most, evenly spaced by predicted risk: the time grows with their number. A choice."""

_GAME_PATIENTS = 50
"""Patients, evenly spaced, in whom sums are compared with the mechanisms' own game: 2.6 million predictions for nine
mechanisms and a hundred background rows. A choice."""

_GAME_MECHANISMS = 12
"""Each mechanism more doubles the time; with more than these, of a catalogue of one's own, it is not compared."""


@dataclass(frozen=True)
class ExplainRequest:
    """What to explain.

    Parameters
    ----------
    patient : str, optional
        Write the page of this patient as well.
    horizon_years : float, optional
        At which probabilities are explained; see :func:`nbrelapse.scoring.bundle._explained_horizon`.
    background : Cohort, optional
        Patients to compare with.
    allow_missing_assays : bool
        Explain although nobody has an assay that the model reads.
    """

    patient: str | None = None
    horizon_years: float | None = None
    background: Cohort | None = None
    allow_missing_assays: bool = False


@dataclass(frozen=True)
class _WrittenAttributions:
    """The tables of attributions, a row a patient.

    Parameters
    ----------
    log_risk, probability : Path
        Parquet files; see :func:`nbrelapse.explanation.explanation`. No number stands there of patients of whom
        too little is known for a score.
    mechanisms : dict of str to float or None
        Mean absolute contributions to the probability, over those who have one; None where nobody has.
    horizon_days : float or None
        Days of the probability; None for a binary endpoint.
    """

    log_risk: Path
    probability: Path
    mechanisms: dict[str, float | None]
    horizon_days: float | None


@dataclass(frozen=True)
class ExplainedCohort:
    """What was found, and where it was written.

    Parameters
    ----------
    explanation : Explanation
        Of the log risks.
    stability : Stability or None
    game : DataFrame or None
        With a background: how far the sums lie from the game whose players are the mechanisms, see
        :func:`nbrelapse.explanation.checks`.
    attributions : WrittenAttributions
    report : Path
    patient_report : Path or None
    figures : list of Path
    """

    explanation: Explanation
    stability: Stability | None
    game: pd.DataFrame | None
    attributions: _WrittenAttributions
    report: Path
    patient_report: Path | None
    figures: list[Path]


@dataclass(frozen=True)
class _Found:
    """What is known of a cohort before anything is written; a row of evidence and groups a patient."""

    bundle: Bundle
    cohort: Cohort
    explanation: Explanation
    evidence: np.ndarray
    groups: pd.Series
    stability: Stability | None
    horizon_days: float | None


def explain_cohort(bundle: Bundle, cohort: Cohort, out: Path, request: ExplainRequest) -> ExplainedCohort:
    """Attribute a model's predictions to mechanisms, and write tables, pictures and pages.

    Parameters
    ----------
    bundle : Bundle
    cohort : Cohort
    out : Path
        A folder; it is made where it does not exist.
    request : ExplainRequest

    Returns
    -------
    ExplainedCohort

    Raises
    ------
    InputError
        An assay, the patient or the horizon is not there, or the folder cannot be written. Nothing is written then.
    """
    check_writable(out, "the explanation", "name another folder with --out")
    if request.patient is not None:
        check_patient(cohort, request.patient)
    horizon = _explained_horizon(bundle, request.horizon_years)
    features = build_features(cohort, bundle.catalogue, bundle.gene_sets).values
    X = features[list(bundle.schema.index)]
    if not request.allow_missing_assays:
        _require_assays(bundle, X)
    background = _background(bundle, request.background)
    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    page = None
    if request.patient is not None:
        studied = _StudiedPatient(cohort, features, request.patient, horizon, background)
        page = describe_patient(bundle, studied, created)
    explanation = explain(bundle, X, background=background)
    stable = None
    if bundle.refits and len(X):
        stable = stability(explanation, bundle.refits, bundle.catalogue, bundle.endpoint)
    groups = patient_groups(cohort, features, explanation.prediction)
    found = _Found(bundle, cohort, explanation, _evidence_of(bundle, X), groups, stable, horizon)
    content = _content(found, created)
    try:
        return _write(out, found, content, page)
    except OSError as error:
        raise InputError(f"the explanation cannot be written: {error.strerror}", file=out) from None


def _background(bundle: Bundle, cohort: Cohort | None) -> pd.DataFrame | None:
    if cohort is None:
        return None
    X = build_features(cohort, bundle.catalogue, bundle.gene_sets).values[list(bundle.schema.index)]
    if not len(X):
        raise InputError("the background has no patients", column="--background")
    _require_assays(bundle, X)
    order = np.argsort(bundle.model.predict_log_risk(X), kind="stable")
    kept = np.unique(np.linspace(0, len(X) - 1, min(len(X), _MOST_BACKGROUND)).round().astype(int))
    return X.iloc[order[kept]]


def _game(bundle: Bundle, explanation: Explanation) -> pd.DataFrame | None:
    too_many = len(explanation.mechanisms.columns) > _GAME_MECHANISMS
    if explanation.background is None or explanation.features.empty or too_many:
        return None
    some = explanation.evenly(_GAME_PATIENTS)
    predict, background = bundle.model.predict_log_risk, explanation.background
    return roll_up_difference(some, grouped_shapley(predict, some.values, background, some.mechanism_of))


def _content(found: _Found, created: str) -> ExplanationContent:
    bundle, explanation = found.bundle, found.explanation
    unscored = int((found.evidence < _LEAST_EVIDENCE).sum())
    notes = []
    if unscored:
        notes.append(
            f"Too little is known of {unscored} patients to score them; they are explained here all the same, but do "
            "not count in the percentage points."
        )
    if explanation.background is not None:
        notes.append(f"Contributions compare with {len(explanation.background)} patients of the background cohort.")
    return ExplanationContent(
        title=f"What drives the predictions in {found.cohort.name}",
        created=created,
        model=bundle.model.family,
        endpoint=bundle.endpoint,
        explanation=explanation,
        catalogue=bundle.catalogue,
        pictures=draw_figures(explanation_figures(explanation, bundle.catalogue, found.stability, found.groups)),
        stability=found.stability,
        facts={
            "Model": model_title(bundle.model.family),
            "Features read": len(bundle.schema),
            "Cohort": found.cohort.name,
            "Patients": len(explanation.values),
            "Catalogue": bundle.catalogue.version,
        },
        notes=notes,
        game=_game(bundle, explanation),
        caution=_caution(bundle),
    )


def _write(out: Path, found: _Found, content: ExplanationContent, page: PatientContent | None) -> ExplainedCohort:
    pictures = dict(content.pictures)
    if page is not None and page.prediction is not None:
        pictures |= draw_figures(page.prediction.figures)
    attributions = _write_attributions(out, found)
    content = replace(content, probability=ProbabilityImportance(attributions.mechanisms, found.horizon_days))
    return ExplainedCohort(
        explanation=found.explanation,
        stability=found.stability,
        game=content.game,
        attributions=attributions,
        report=write_explanation_report(content, out / "explanation.html"),
        patient_report=None if page is None else write_patient_report(page, out / "patient.html"),
        figures=save_pictures(pictures, out, private=True),
    )


def _write_attributions(out: Path, found: _Found) -> _WrittenAttributions:
    likely = to_probability(found.explanation, found.bundle.model, found.horizon_days)
    importance = likely.mechanisms[found.evidence >= _LEAST_EVIDENCE].abs().mean()
    return _WrittenAttributions(
        log_risk=_write_table(out / "attributions.parquet", found.explanation, found.evidence),
        probability=_write_table(out / "attributions_probability.parquet", likely, found.evidence),
        mechanisms={str(name): None if math.isnan(value) else value for name, value in importance.items()},
        horizon_days=found.horizon_days,
    )


def _write_table(file: Path, explanation: Explanation, evidence: np.ndarray) -> Path:
    table = attribution_table(explanation, evidence)
    numbers = table.columns.difference(["patient_id", "horizon_days", "evidence"])
    table.loc[evidence < _LEAST_EVIDENCE, numbers] = math.nan
    return write_scores(table, file)
