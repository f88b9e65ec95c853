"""What the page of one patient shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue


@dataclass(frozen=True)
class GroupCourse:
    """Observed course of a clinical group of training patients.

    Parameters
    ----------
    title : str
        ``Recorded risk group: high``.
    patients, events : int
    curve : DataFrame
        ``days``, ``incidence``, ``low`` and ``high``; see :func:`nbrelapse.validation.observed_course.observed_course`.
    """

    title: str
    patients: int
    events: int
    curve: pd.DataFrame


@dataclass(frozen=True)
class SimilarPatients:
    """Outcome of the training patients whose cross-validated prediction was nearest.

    Parameters
    ----------
    horizon_days : float or None
        Of the prediction by which they are near; None for a binary endpoint.
    low, high : float
        Range of their predicted probability.
    patients, events : int
    observed : DataFrame
        ``years``, ``incidence``, ``low`` and ``high``, a row a horizon.
    beyond : bool
        The patient's prediction lies outside those of all training patients.
    """

    horizon_days: float | None
    low: float
    high: float
    patients: int
    events: int
    observed: pd.DataFrame
    beyond: bool = False


@dataclass(frozen=True)
class PatientPrediction:
    """The numbers of a patient of whom enough is known.

    Parameters
    ----------
    explanation : Explanation
        Of this patient alone, on the scale of the log risk.
    probability : Explanation
        The same on the scale of the probability of the event.
    band : (float, float)
        Limits of the probability that hold 95% of the bootstrap refits.
    percentile : float
        Of the log risk among the training patients, 0 to 100.
    probabilities : dict of str to (float, float, float)
        Probability of the event, by what it is called (``3 years``): value, low, high.
    intervals : DataFrame
        From :func:`nbrelapse.explanation.patient_intervals`.
    evidence : float
        Share of what the model relies on that is known, 0 to 1.
    known : mapping of str to float
        Every feature of the patient that could be built, NaN where it is unknown; read or not by the model, for what a
        therapy requires.
    ranges : DataFrame
        Index: features of which the patient is outside the training range; ``low`` and ``high`` of the training.
    group : GroupCourse or str
        Observed course of the patient's clinical group, or why there is none.
    similar : SimilarPatients or str
        The same of the training patients of like prediction.
    competing : bool
        The model has one of the competing event, through which features may move the probability.
    figures : dict of str to Figure
        ``waterfall`` and ``waterfall_probability``; ``course`` of a time to an event.
    """

    explanation: Explanation
    probability: Explanation
    band: tuple[float, float]
    percentile: float
    probabilities: Mapping[str, tuple[float, float, float]]
    intervals: pd.DataFrame
    evidence: float
    known: Mapping[str, float]
    ranges: pd.DataFrame
    group: GroupCourse | str
    similar: SimilarPatients | str
    competing: bool = False
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class PatientContent:
    """What the page of one patient shows.

    Parameters
    ----------
    patient_id, created : str
    model : str
        The model's family.
    endpoint : {"relapse", "efs", "os", "refractory"}
    catalogue : Catalogue
    prediction : PatientPrediction or None
        None: too little is known of the patient; the page then has no number.
    missing_assays : sequence of str
    landmark_days : float
        Days from diagnosis from which years count.
    warnings : sequence of str
        Beside those that the page writes itself.
    facts : dict
        Said of model and cohort, label by label.
    """

    patient_id: str
    created: str
    model: str
    endpoint: str
    catalogue: Catalogue
    prediction: PatientPrediction | None
    missing_assays: Sequence[str] = ()
    landmark_days: float = 0.0
    warnings: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
