"""What a saved model says of one patient, beside the training patients most like this one."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError, did_you_mean
from nbrelapse.explanation.explanation import explain
from nbrelapse.explanation.probability import to_probability
from nbrelapse.explanation.stability import patient_intervals
from nbrelapse.mechanisms.build import build_features
from nbrelapse.mechanisms.builders.copy_number import copy_number_calls
from nbrelapse.mechanisms.catalogue import load_catalogue
from nbrelapse.metrics.horizons import LONGEST_YEARS, YEAR
from nbrelapse.models.families import model_title
from nbrelapse.report.facts import assay_in_words
from nbrelapse.report.patient_report import GroupCourse, PatientContent, PatientPrediction, SimilarPatients
from nbrelapse.report.plots.attributions import patient_waterfall
from nbrelapse.report.plots.genome import patient_profile
from nbrelapse.report.plots.performance import incidence_course
from nbrelapse.scoring.bundle import HORIZON_YEARS, Bundle
from nbrelapse.scoring.evaluate import _GROUPINGS, _clinical_levels
from nbrelapse.scoring.scores import _caution, _cohort_flags, _score_features
from nbrelapse.scoring.training_summary import ObservedOutcomes

_NOT_KEPT = "the model was saved without the observed courses of its training patients"


@dataclass(frozen=True)
class _StudiedPatient:
    """A patient in a cohort, and what to explain of the prediction.

    Parameters
    ----------
    cohort : Cohort
    X : DataFrame of shape (n_patients, n_features)
        All features that the bundle's catalogue builds of the cohort.
    patient_id : str
    horizon_days : float or None
        None for a binary endpoint.
    background : DataFrame or None
        Patients to compare with.
    """

    cohort: Cohort
    X: pd.DataFrame
    patient_id: str
    horizon_days: float | None
    background: pd.DataFrame | None = None


def check_patient(cohort: Cohort, patient_id: str) -> None:
    """Refuse a patient whom a cohort does not have, before anything is computed.

    Parameters
    ----------
    cohort : Cohort
    patient_id : str

    Raises
    ------
    InputError
        There is no such patient. It names ids of the cohort that are near, for the user who has the cohort: it is to be
        shown to that user, not to be logged.

    Examples
    --------
    >>> from nbrelapse.simulation import simulate_cohort
    >>> check_patient(simulate_cohort(60, seed=1), "sim-4")
    Traceback (most recent call last):
    nbrelapse.errors.InputError: the cohort has no patient 'sim-4'
      column: --patient
      expected: one of the 60 ids of 'simulated'
      fix: did you mean SIM-000004?
    """
    ids = cohort.patient_ids
    if patient_id not in ids:
        raise InputError(
            f"the cohort has no patient {patient_id!r}",
            column="--patient",
            expected=f"one of the {len(ids)} ids of {cohort.name!r}",
            fix=did_you_mean(patient_id, map(str, ids)) or "give an id of the column patient_id",
        )


def describe_patient(bundle: Bundle, studied: _StudiedPatient, created: str) -> PatientContent:
    """Predict and explain one patient.

    Parameters
    ----------
    bundle : Bundle
    studied : StudiedPatient
    created : str
        When, for the page.

    Returns
    -------
    PatientContent
        Without a prediction where too little is known of the patient.

    Raises
    ------
    InputError
        The cohort has no such patient.
    """
    check_patient(studied.cohort, studied.patient_id)
    row = studied.X.loc[[studied.patient_id]]
    scores = _score_features(bundle, row).iloc[0].to_dict()
    scored = not math.isnan(scores["risk_percentile"])
    return PatientContent(
        patient_id=studied.patient_id,
        created=created,
        model=bundle.model.family,
        endpoint=bundle.endpoint,
        catalogue=bundle.catalogue,
        prediction=_prediction(bundle, studied, row, scores) if scored else None,
        missing_assays=[assay_in_words(name) for name in scores["missing_assays"].split(", ") if name],
        landmark_days=bundle.landmark_days,
        warnings=_warnings(bundle, studied),
        facts=_facts(bundle, studied.cohort) if scored else {"Model": model_title(bundle.model.family)},
        caution=_caution(bundle),
    )


def _prediction(
    bundle: Bundle, studied: _StudiedPatient, row: pd.DataFrame, scores: Mapping[Hashable, Any]
) -> PatientPrediction:
    explanation = explain(bundle.model, row[list(bundle.schema.index)], bundle.catalogue, background=studied.background)
    probability = to_probability(explanation, bundle.model, studied.horizon_days)
    group = _group_course(bundle.training.observed, studied.cohort, row)
    model = bundle.model
    at = np.array([np.inf if studied.horizon_days is None else studied.horizon_days])
    interval = bundle.band(row, at)
    outside = [name for name in scores["out_of_range_features"].split(", ") if name]
    return PatientPrediction(
        explanation=explanation,
        probability=probability,
        band=(float(interval["incidence_low"][0, 0]), float(interval["incidence_high"][0, 0])),
        percentile=scores["risk_percentile"],
        probabilities=_probabilities(bundle, scores),
        intervals=patient_intervals(explanation, bundle.refits, bundle.catalogue),
        evidence=scores["evidence"],
        known=_required(bundle, studied) | {str(name): float(value) for name, value in row.iloc[0].items()},
        ranges=bundle.schema.loc[outside, ["low", "high"]],
        unlike=scores["unlike_training"],
        surprising=bundle.surprising_values(row),
        group=group,
        similar=_similar_patients(bundle.training.observed, _by_days(bundle, scores)),
        competing=model.competing_ is not None,
        figures={
            "waterfall": patient_waterfall(explanation, studied.patient_id, bundle.catalogue),
            "waterfall_probability": patient_waterfall(probability, studied.patient_id, bundle.catalogue),
            **_course(bundle, row, group if isinstance(group, GroupCourse) else None),
            **_genome(studied),
        },
    )


def _genome(studied: _StudiedPatient) -> dict[str, Figure]:
    """Draw the patient's copy-number profile, where there is one."""
    sample = studied.cohort.assayed_samples("copy_number").get(studied.patient_id)
    segments = studied.cohort.segments
    if sample is None or segments is None or not (segments["sample_id"] == sample).any():
        return {}
    return {"genome": patient_profile(studied.cohort, copy_number_calls(studied.cohort), studied.patient_id)}


def _probabilities(bundle: Bundle, scores: Mapping[Hashable, Any]) -> dict[str, tuple[float, float, float]]:
    names = {f"incidence_{years}y": f"{years} year{'s' if years > 1 else ''}" for years in HORIZON_YEARS}
    names |= {f"probability_{bundle.endpoint}": "by the end of induction"}
    return {
        title: (scores[name], scores[f"{name}_low"], scores[f"{name}_high"])
        for name, title in names.items()
        if not math.isnan(scores.get(name, math.nan))
    }


def _required(bundle: Bundle, studied: _StudiedPatient) -> dict[str, float]:
    """Return what therapies require of the patient and the model does not read: it may contradict them all the same."""
    requirements = [therapy.requires for therapy in bundle.catalogue.therapies.values() if therapy.requires]
    asked = {name for requirement in requirements for name in (*requirement.any_of, *requirement.none_of)}
    catalogue = load_catalogue()
    wanted = [name for name in catalogue.features if name in asked - set(studied.X.columns)]
    if not wanted:
        return {}
    values = build_features(studied.cohort, catalogue.subset(wanted)).values.loc[studied.patient_id, wanted]
    return {name: float(value) for name, value in zip(wanted, values, strict=True)}


def _warnings(bundle: Bundle, studied: _StudiedPatient) -> list[str]:
    own = studied.cohort.patient_ids == studied.patient_id
    told = [text for text, mask in _cohort_flags(bundle, studied.cohort).items() if mask[own].any()]
    return [f"{text[0].upper()}{text[1:]}." for text in told]


def _facts(bundle: Bundle, cohort: Cohort) -> dict[str, Any]:
    training = bundle.training
    facts = {
        "Model": model_title(bundle.model.family),
        "Features read": len(bundle.schema),
        "Trained on": training.cohort,
        "Chosen by": training.where,
        "Training patients": training.patients,
        "Bootstrap refits": len(bundle.refits),
        "This patient's cohort": cohort.name,
        "Catalogue": bundle.catalogue.version,
    }
    return {label: fact for label, fact in facts.items() if fact is not None}


def _by_days(bundle: Bundle, scores: Mapping[Hashable, Any]) -> dict[float | None, float]:
    """Return the predicted probability by horizon in days; None for a binary endpoint."""
    if bundle.followed_days is None:
        return {None: scores[f"probability_{bundle.endpoint}"]}
    found = {years * YEAR: scores[f"incidence_{years}y"] for years in HORIZON_YEARS}
    return {days: value for days, value in found.items() if not math.isnan(value)}


def _course(bundle: Bundle, row: pd.DataFrame, group: GroupCourse | None) -> dict[str, Figure]:
    followed = bundle.followed_days
    if followed is None:
        return {}
    times = np.linspace(0.0, min(followed, LONGEST_YEARS * YEAR), 121)
    interval = bundle.band(row, times)
    _, incidence = bundle.model.predict_risk(row, times)
    figure = incidence_course(
        times,
        incidence[0],
        interval["incidence_low"][0],
        interval["incidence_high"][0],
        None if group is None else group.curve,
        start=f"day {bundle.landmark_days:g}" if bundle.landmark_days else "diagnosis",
    )
    return {"course": figure}


def _group_course(observed: ObservedOutcomes | None, cohort: Cohort, row: pd.DataFrame) -> GroupCourse | str:
    """Return the course of the first grouping that has one, the most detailed first, or why there is none."""
    if observed is None:
        return _NOT_KEPT
    kept = {(group.grouping, group.level): group for group in observed.clinical_groups}
    levels = {name: float(level[0]) for name, level in _clinical_levels(cohort, row).items()}
    known = {name: int(levels[name]) for name in _GROUPINGS if not math.isnan(levels.get(name, math.nan))}
    for name, level in known.items():
        group = kept.get((name, level))
        if group is not None and group.course["days"]:
            title, names = _GROUPINGS[name]
            return GroupCourse(
                f"{title}: {names[level].lower()}", group.patients, group.events, pd.DataFrame(group.course)
            )
    return (
        "too few training patients were of this patient's clinical group" if known else "the clinical group is unknown"
    )


def _similar_patients(
    observed: ObservedOutcomes | None, probability: Mapping[float | None, float]
) -> SimilarPatients | str:
    """Return the outcome of the nearest predictions, given the patient's by horizon in days, or why there is none."""
    if observed is None:
        return _NOT_KEPT
    points, days = observed.similar.points, observed.similar.horizon_days
    if not points:
        return "the model was trained on too few patients for it"
    own = probability.get(days)
    if own is None:
        return "its horizon has no prediction"
    centres = np.array([point.probability for point in points])
    point = points[int(np.abs(centres - own).argmin())]
    return SimilarPatients(
        horizon_days=days,
        low=point.low,
        high=point.high,
        patients=point.patients,
        events=point.events,
        observed=pd.DataFrame(point.observed, columns=["years", "incidence", "low", "high"]),
        beyond=not centres[0] <= own <= centres[-1],
    )
