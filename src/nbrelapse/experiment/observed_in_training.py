"""What became of the training patients, for the pages of others: counts and curves of groups, no identifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.experiment.clinical_groups import clinical_groups
from nbrelapse.outcome.event_of import is_survival
from nbrelapse.validation.horizons import HORIZON_YEARS, YEAR
from nbrelapse.validation.observed_course import observed_course
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.similar_outcomes import similar_outcomes

LEAST_GROUP = 20
"""Patients that a clinical group must have for its course to be kept. A choice, for the sake of privacy and noise."""


def observed_in_training(cohort: Cohort, X: pd.DataFrame, y: np.ndarray, predictions: Predictions) -> dict[str, Any]:
    """Return what a bundle keeps of the outcomes of its training patients.

    Parameters
    ----------
    cohort : Cohort
    X : DataFrame of shape (n, n_features)
        Features of the training patients, the clinical groupings among them.
    y : ndarray of shape (n,)
    predictions : Predictions
        Cross-validated, of the same patients, by the model of the bundle.

    Returns
    -------
    dict
        JSON data. ``clinical_groups``: a list of ``grouping``, ``level``, ``patients``, ``events`` and ``course``
        (:func:`observed_course`) of each group of at least 20 patients; empty for a binary endpoint. ``similar``:
        ``horizon_days`` (None for a binary endpoint) and ``points`` (:func:`similar_outcomes`), of the mean predicted
        probability over the repeats.
    """
    days = _horizon(predictions.times) if is_survival(y) else None
    probability = predictions.incidence_at(np.inf if days is None else days).mean(axis=0)
    return {
        "clinical_groups": _courses(clinical_groups(cohort, X), y) if is_survival(y) else [],
        "similar": {"horizon_days": days, "points": similar_outcomes(probability, y)},
    }


def _horizon(times: np.ndarray) -> float:
    reached = [years * YEAR for years in HORIZON_YEARS if np.isclose(times, years * YEAR).any()]
    return max(reached, default=float(times[-1]))


def _courses(groupings: dict[str, np.ndarray], y: np.ndarray) -> list[dict[str, Any]]:
    courses = []
    for name, level in groupings.items():
        for value in np.unique(level[~np.isnan(level)]):
            own = y[level == value]
            if len(own) >= LEAST_GROUP:
                events = int((own["event"] == 1).sum())
                group = {"grouping": name, "level": int(value), "patients": len(own), "events": events}
                courses.append(group | {"course": observed_course(own)})
    return courses
