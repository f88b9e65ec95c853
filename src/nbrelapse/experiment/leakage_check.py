"""What an experiment must not train on: features from later than it predicts from, labels, patients of both sides."""

from __future__ import annotations

import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.duplicate_patients import count_twins, person_fingerprints, profile_fingerprints
from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.mechanisms.known_at import known_at
from nbrelapse.validation.label_leakage import label_leakage

SUSPICIOUS = 0.95
"""Concordance or AUC of a single feature above which it is pointed out. A choice: nothing known of neuroblastoma at
diagnosis comes near it."""

_PROFILES = {"expression": "expression profile", "copy_number": "copy-number profile"}


def leakage_check(config: ExperimentConfig, data: PreparedData) -> list[str]:
    """Refuse an experiment whose data would let it know what it is to predict.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData

    Returns
    -------
    list of str
        Warnings: features that tell the outcome suspiciously well, patients who may be there twice.

    Raises
    ------
    InputError
        A feature is known later than the experiment predicts from, equals the outcome, or patients with one molecular
        profile stand under two names.
    """
    _refuse_later_features(config, data)
    return _labels(data) + _twins(data)


def _refuse_later_features(config: ExperimentConfig, data: PreparedData) -> None:
    start = float(config.landmark_days or 0)
    days = {name: known_at(data.table.catalogue, name) for name in data.columns}
    late = {name: day for name, day in days.items() if day > start}
    if not late:
        return
    worst = max(late.values())
    unsaid = worst == float("inf")
    when = "after diagnosis, or hold the outcome" if unsaid else f"{worst:g} days after diagnosis"
    raise InputError(
        f"features that are known only {when}",
        column=", ".join(late),
        expected=f"what is known on day {start:g}, from which this experiment predicts",
        mend="exclude them under [features]"
        + (
            "; the response to induction needs known_at_days in the catalogue, and a landmark in the experiment"
            if unsaid
            else f", or predict from a landmark: landmark_days = {worst:g}"
        ),
    )


def _labels(data: PreparedData) -> list[str]:
    table = label_leakage(data.features(data.training)[data.columns], data.training.y)
    exact = table.index[table["exact"]]
    if len(exact):
        raise InputError(
            "features that equal the outcome: their values, or that they are missing, tell without error who had it",
            column=", ".join(map(str, exact)),
            mend="exclude them under [features], and find out how the outcome came into them",
        )
    figures = table[["concordance", "auc", "missing_auc"]]
    best, kind = figures.max(axis=1), figures.fillna(0).idxmax(axis=1)
    words = {
        "concordance": "ranks the outcome",
        "auc": "tells who has the event",
        "missing_auc": "tells who has the event by being missing",
    }
    return [
        f"{name} alone {words[str(kind[str(name)])]} with a concordance of {value:.2f}: does the outcome cause it?"
        for name, value in best[best > SUSPICIOUS].items()
    ]


def _twins(data: PreparedData) -> list[str]:
    training = data.training.patient_ids
    holdout = None if data.holdout is None else data.holdout.patient_ids
    for assay, profile in _PROFILES.items():
        _refuse_twins(profile_fingerprints(data.cohort, assay), profile, training, holdout)
    persons = person_fingerprints(data.cohort)
    within = count_twins(persons, training)
    across = 0 if holdout is None else count_twins(persons, training, holdout)
    notes = []
    if within:
        notes.append(f"{within} training patients have the age, sex and course of another: are any there twice?")
    if across:
        notes.append(
            f"{across} hold-out patients have the age, sex and course of a training patient: are any on both sides?"
        )
    return notes


def _refuse_twins(fingerprints: pd.Series, profile: str, training: pd.Index, holdout: pd.Index | None) -> None:
    across = 0 if holdout is None else count_twins(fingerprints, training, holdout)
    within = count_twins(fingerprints, training)
    if not across and not within:
        return
    where = (
        f"{across} hold-out patients have the {profile} of a training patient"
        if across
        else f"{within} training patients have the {profile} of another, and folds would put them on both sides"
    )
    raise InputError(
        where,
        column="patients",
        expected="each patient once, on one side",
        mend="remove the duplicates from the cohort; `patient_id` differs, the data are the same",
    )
