"""The report of ``nbrelapse explain``: a cohort's mechanisms, and one patient's page where asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.figure_image import figure_data_uri
from nbrelapse.report.render import render
from nbrelapse.report.stability_sentences import stability_sentences
from nbrelapse.report.tables import disagreements, mechanism_rows
from nbrelapse.report.wording import ENDPOINTS, EVENTS, model_title, signed

_DRIVES = 0.05
"""Smallest contribution to the log risk (a hazard or odds ratio of 1.05) that is called driving."""


@dataclass(frozen=True)
class PatientPage:
    """What is known of one patient's prediction.

    Parameters
    ----------
    patient_id : str
    percentile : float
        Of the log risk among the training patients, 0 to 100. NaN where too little is known for a score: then the page
        gives no number.
    probabilities : dict of str to (float, float, float)
        Probability of the event, by what it is called (``3 years``): value, low, high.
    missing_assays, out_of_range : sequence of str
        What was not looked at, and features outside the range seen in training.
    """

    patient_id: str
    percentile: float
    probabilities: Mapping[str, tuple[float, float, float]]
    missing_assays: Sequence[str] = ()
    out_of_range: Sequence[str] = ()


@dataclass(frozen=True)
class ExplanationContent:
    """What an explanation report shows.

    Parameters
    ----------
    title, created : str
    model : str
        The model's family.
    endpoint : {"relapse", "efs", "os", "refractory"}
    explanation : Explanation
    catalogue : Catalogue
    figures : dict of str to Figure
        ``mechanisms`` and ``beeswarm``; ``waterfall`` and ``survival`` for a patient.
    patient : PatientPage, optional
    stability : Stability, optional
        Of the explanation, where the model has bootstrap refits.
    facts : dict
        Said of model and cohort, label by label.
    notes : sequence of str
    """

    title: str
    created: str
    model: str
    endpoint: str
    explanation: Explanation
    catalogue: Catalogue
    figures: Mapping[str, Figure]
    patient: PatientPage | None = None
    stability: Stability | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def write_explanation_report(content: ExplanationContent, file: str | Path) -> Path:
    """Write an explanation as one HTML file that loads nothing from anywhere.

    Parameters
    ----------
    content : ExplanationContent
    file : path
        An older file is replaced only once the new one is complete.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    patient = content.patient
    return render(
        "explanation.html",
        file,
        {
            "kind": "Explanation",
            "title": content.title,
            "created": content.created,
            "subtitle": f"{model_title(content.model)}, {ENDPOINTS.get(content.endpoint, content.endpoint)}",
            "scale": content.explanation.scale,
            "event": EVENTS.get(content.endpoint, content.endpoint),
            "facts": content.facts,
            "rows": mechanism_rows(content.explanation, content.catalogue, content.stability),
            "stability": stability_sentences(content.stability),
            "agreement": disagreements(content.explanation, content.catalogue, content.endpoint, content.stability),
            "patient": None if patient is None else _patient(patient, content),
            "figures": {name: figure_data_uri(figure) for name, figure in content.figures.items()},
            "notes": content.notes,
        },
    )


def driving_mechanisms(explanation: Explanation, patient: str, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return the mechanisms whose measured features raise a patient's risk, with findings and therapies.

    Parameters
    ----------
    explanation : Explanation
    patient : str
    catalogue : Catalogue

    Returns
    -------
    list of dict
        ``title``, ``color``, ``contribution``, ``findings`` (measured features that raise the risk, with their values)
        and ``therapies`` (of the mechanism and of these features), the largest contribution first.
    """
    row = explanation.features.index.get_loc(patient)
    assert isinstance(row, int)
    values = explanation.values.iloc[row]
    contributions = explanation.features.iloc[row].where(values.notna().to_numpy(), 0.0)
    observed = explanation.mechanisms_observed.iloc[row].sort_values(ascending=False)
    drivers = []
    for name, value in observed[observed >= _DRIVES].items():
        mechanism = catalogue.mechanisms[str(name)]
        own = contributions[(explanation.mechanism_of == name).to_numpy()]
        raising = own[own >= _DRIVES / 5].sort_values(ascending=False)
        features = [catalogue.features[str(feature)] for feature in raising.index]
        therapies = [*mechanism.therapies, *(agent for feature in features for agent in feature.therapies)]
        drivers.append(
            {
                "title": mechanism.title,
                "color": mechanism.color,
                "contribution": signed(float(value)),
                "findings": [f"{feature.title}: {_value(feature.kind, values[feature.name])}" for feature in features],
                "therapies": list(dict.fromkeys(therapies)),
            }
        )
    return drivers


def _patient(patient: PatientPage, content: ExplanationContent) -> dict[str, Any]:
    log_risk = dict(content.explanation.prediction)[patient.patient_id]
    return {
        "patient_id": patient.patient_id,
        "scored": not np.isnan(patient.percentile),
        "percentile": f"{patient.percentile:.0f}",
        "log_risk": signed(log_risk),
        "probabilities": _probabilities(patient),
        "drivers": driving_mechanisms(content.explanation, patient.patient_id, content.catalogue),
        "missing_assays": patient.missing_assays,
        "out_of_range": patient.out_of_range,
    }


def _value(kind: str, value: float) -> str:
    if kind == "binary":
        return "yes" if value >= 0.5 else "no"
    return f"{value:.0%}" if kind == "fraction" else f"{value:.3g}"


def _probabilities(patient: PatientPage) -> list[dict[str, str]]:
    return [
        {"name": name, "value": f"{value:.0%}", "note": f"{low:.0%} to {high:.0%}"}
        for name, (value, low, high) in patient.probabilities.items()
    ]
