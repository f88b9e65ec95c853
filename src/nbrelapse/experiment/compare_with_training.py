"""What became of training patients like one patient: of the same clinical group, and of like prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.experiment.clinical_groups import clinical_levels
from nbrelapse.experiment.patient_groups import GROUPINGS
from nbrelapse.report.patient_content import GroupCourse, SimilarPatients

_NOT_KEPT = "the model was saved without the observed courses of its training patients"


def group_course(training: Mapping[str, Any], cohort: Cohort, row: pd.DataFrame) -> GroupCourse | str:
    """Return the observed course of a patient's clinical group.

    Parameters
    ----------
    training : mapping
        Of a bundle; ``observed`` from :func:`nbrelapse.experiment.observed_in_training.observed_in_training`.
    cohort : Cohort
        The patient's.
    row : DataFrame of shape (1, n_features)
        The patient's features, the clinical groupings among them.

    Returns
    -------
    GroupCourse or str
        In the first grouping that the patient has a group of with a course, the most detailed first; else why there is
        none.
    """
    if "observed" not in training:
        return _NOT_KEPT
    kept = {(group["grouping"], group["level"]): group for group in training["observed"]["clinical_groups"]}
    levels = {name: float(level[0]) for name, level in clinical_levels(cohort, row).items()}
    known = [name for name in GROUPINGS if not np.isnan(levels.get(name, np.nan))]
    for name in known:
        group = kept.get((name, levels[name]))
        if group is not None and group["course"]["days"]:
            title, names = GROUPINGS[name]
            label = f"{title}: {names[int(levels[name])].lower()}"
            return GroupCourse(label, group["patients"], group["events"], pd.DataFrame(group["course"]))
    return (
        "too few training patients were of this patient's clinical group" if known else "the clinical group is unknown"
    )


def similar_patients(training: Mapping[str, Any], probability: Mapping[float | None, float]) -> SimilarPatients | str:
    """Return the outcome of the training patients with the nearest predictions.

    Parameters
    ----------
    training : mapping
        Of a bundle.
    probability : mapping of float or None to float
        The patient's predicted probability by horizon in days; None for a binary endpoint.

    Returns
    -------
    SimilarPatients or str
        Or why there are none.
    """
    if "observed" not in training:
        return _NOT_KEPT
    similar = training["observed"]["similar"]
    points, days = similar["points"], similar["horizon_days"]
    if not points:
        return "the model was trained on too few patients for it"
    own = probability.get(days)
    if own is None:
        return "its horizon has no prediction"
    centres = np.array([point["probability"] for point in points])
    point = points[int(np.abs(centres - own).argmin())]
    return SimilarPatients(
        horizon_days=days,
        low=point["low"],
        high=point["high"],
        patients=point["patients"],
        events=point["events"],
        observed=pd.DataFrame(point["observed"], columns=["years", "incidence", "low", "high"]),
        beyond=not centres[0] <= own <= centres[-1],
    )
