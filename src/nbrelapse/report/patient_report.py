"""The page of one patient: what is predicted, why, and how far it can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.report.driving_mechanisms import driving_mechanisms
from nbrelapse.report.figure_image import figure_data_uri
from nbrelapse.report.patient_content import GroupCourse, PatientContent, PatientPrediction
from nbrelapse.report.patient_rows import contribution_rows, patient_summary, range_sentences
from nbrelapse.report.render import render
from nbrelapse.report.summary_sentence import summary_sentence
from nbrelapse.report.therapy_facts import NO_RECOMMENDATION
from nbrelapse.report.wording import ENDPOINTS, EVENTS, contribution_text, model_title, percent, prediction_text, signed
from nbrelapse.validation.horizons import YEAR


def write_patient_report(content: PatientContent, file: str | Path) -> Path:
    """Write the page of one patient as one HTML file that loads nothing from anywhere.

    Where too little is known of the patient no number stands on the page.

    Parameters
    ----------
    content : PatientContent
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
    prediction = content.prediction
    return render(
        "patient.html",
        file,
        {
            "kind": "One patient's prediction",
            "title": f"Patient {content.patient_id}",
            "created": content.created,
            "subtitle": f"{model_title(content.model)}, {ENDPOINTS.get(content.endpoint, content.endpoint)}",
            "event": EVENTS.get(content.endpoint, content.endpoint),
            "summary": summary_sentence(patient_summary(content)),
            "missing_assays": content.missing_assays,
            "warnings": content.warnings,
            "facts": content.facts,
            "prediction": None if prediction is None else _shown(prediction, content),
        },
    )


def _shown(prediction: PatientPrediction, content: PatientContent) -> dict[str, Any]:
    log_risk, probability = prediction.explanation, prediction.probability
    days = probability.horizon_days
    drivers = driving_mechanisms(log_risk, content.patient_id, content.catalogue, prediction.known)
    return {
        "scale": log_risk.scale,
        "horizon": _by(days),
        "probability": percent(float(probability.prediction.iloc[0])),
        "band": f"{percent(prediction.band[0])} to {percent(prediction.band[1])}",
        "percentile": percent(prediction.percentile / 100),
        "tiles": [
            {"name": name, "value": percent(value), "note": f"{percent(low)} to {percent(high)}"}
            for name, (value, low, high) in prediction.probabilities.items()
        ],
        "baseline": signed(log_risk.baseline),
        "total": signed(float(log_risk.prediction.iloc[0])),
        "baseline_probability": prediction_text(probability.baseline, "probability"),
        "moved": contribution_text(float(probability.features.iloc[0].sum()), "probability"),
        "background": None if log_risk.background is None else len(log_risk.background),
        "rows": contribution_rows(prediction, content.catalogue),
        "drivers": [driver | {"status": _status(prediction, driver["name"])} for driver in drivers],
        "no_recommendation": NO_RECOMMENDATION,
        "competing": prediction.competing,
        "evidence": "All" if prediction.evidence >= 1 else percent(prediction.evidence).capitalize(),
        "ranges": range_sentences(prediction, content.catalogue),
        "group": _group(prediction.group),
        "similar": _similar(prediction),
        "figures": {name: figure_data_uri(figure) for name, figure in prediction.figures.items()},
    }


def _group(group: GroupCourse | str) -> str:
    if isinstance(group, str):
        return f"No observed curve of the clinical group is shown: {group}."
    return (
        f"Dashed: observed in the {group.patients} training patients of this patient's clinical group ({group.title}; "
        f"{group.events} events), by the Aalen-Johansen estimator, with 95% intervals at whole years."
    )


def _similar(prediction: PatientPrediction) -> dict[str, Any]:
    similar = prediction.similar
    if isinstance(similar, str):
        return {"sentence": f"No outcome of training patients of like prediction is shown: {similar}.", "rows": []}
    followed = "" if similar.horizon_days is None else " within their follow-up"
    sentence = (
        f"{similar.events} of the {similar.patients} training patients with the nearest predictions had the event"
        f"{followed}. Models that had not seen them predicted them a probability of "
        f"{percent(similar.low)} to {percent(similar.high)} {_by(similar.horizon_days)}."
    )
    if similar.beyond:
        sentence += " This patient's prediction lies beyond those of all training patients: these are not alike."
    rows = [
        {
            "name": _by(None if pd.isna(row["years"]) else row["years"] * YEAR),
            "value": percent(row["incidence"]),
            "interval": f"{percent(row['low'])} to {percent(row['high'])}",
        }
        for row in similar.observed.to_dict("records")
    ]
    return {"sentence": sentence, "rows": rows}


def _by(days: float | None) -> str:
    return "by the end of induction" if days is None else f"by {days / YEAR:.3g} year{'s' * (days > YEAR)}"


def _status(prediction: PatientPrediction, mechanism: str) -> str:
    return "" if prediction.intervals.loc[mechanism, "established"] else "not established"
