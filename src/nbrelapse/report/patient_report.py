"""The page of one patient: what is predicted, why, and how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.explanation.explanation import APPROXIMATE, Explanation
from nbrelapse.explanation.stability import NOT_ASSAYED
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.report.facts import _DRIVES, NO_RECOMMENDATION, _driving_mechanisms
from nbrelapse.report.plots.style import _MUTED
from nbrelapse.report.render import _figure_data_uri, _fill, _render
from nbrelapse.report.sentences import _PatientSummary, _place, _summary_sentence, _unlike_sentence
from nbrelapse.report.wording import (
    _EVENTS,
    ENDPOINTS,
    _contribution_text,
    _feature_value,
    _percent,
    _prediction_text,
    _signed,
    model_title,
)


def write_patient_report(content: PatientContent, file: str | Path) -> Path:
    """Write the page of one patient as one HTML file that loads nothing from anywhere.

    Parameters
    ----------
    content : PatientContent
    file : path
        Written as :func:`nbrelapse.report.render._render` does.

    Returns
    -------
    Path
        The file.
    """
    return _render("patient.html", file, _page(content), private=True)


def patient_page(content: PatientContent) -> str:
    """Return the page of one patient as HTML that loads nothing from anywhere.

    Where too little is known of the patient no number stands on the page.

    Parameters
    ----------
    content : PatientContent

    Returns
    -------
    str
    """
    return _fill("patient.html", _page(content))


def _page(content: PatientContent) -> dict[str, Any]:
    prediction = content.prediction
    return {
        "kind": "One patient's prediction",
        "title": f"Patient {content.patient_id}",
        "created": content.created,
        "caution": content.caution,
        "subtitle": f"{model_title(content.model)}, {ENDPOINTS.get(content.endpoint, content.endpoint)}",
        "event": _EVENTS.get(content.endpoint, content.endpoint),
        "summary": _summary_sentence(_patient_summary(content)),
        "missing_assays": content.missing_assays,
        "warnings": content.warnings,
        "facts": content.facts,
        "prediction": None if prediction is None else _shown(prediction, content),
    }


def _shown(prediction: PatientPrediction, content: PatientContent) -> dict[str, Any]:
    log_risk, probability = prediction.explanation, prediction.probability
    days = probability.horizon_days
    drivers = _driving_mechanisms(log_risk, content.patient_id, content.catalogue, prediction.known)
    return {
        "scale": log_risk.scale,
        "horizon": _by(days),
        "probability": _percent(float(probability.prediction.iloc[0])),
        "band": _band(*prediction.band),
        "place": _place(prediction.percentile, " than that of"),
        "tiles": [
            {"name": name, "value": _percent(value), "note": _band(low, high)}
            for name, (value, low, high) in prediction.probabilities.items()
        ],
        "baseline": _signed(log_risk.baseline),
        "total": _signed(float(log_risk.prediction.iloc[0])),
        "baseline_probability": _prediction_text(probability.baseline, "probability"),
        "moved": _contribution_text(float(probability.features.iloc[0].sum()), "probability"),
        "approximate": "" if log_risk.exact else APPROXIMATE,
        "background": None if log_risk.background is None else len(log_risk.background),
        "rows": _contribution_rows(prediction, content.catalogue),
        "drivers": [driver | {"status": _status(prediction, driver["name"])} for driver in drivers],
        "no_recommendation": NO_RECOMMENDATION,
        "competing": prediction.competing,
        "evidence": "All" if prediction.evidence >= 1 else _percent(prediction.evidence).capitalize(),
        "ranges": _range_sentences(prediction, content.catalogue),
        "unlike": _unlike_sentence(prediction.unlike, _surprises(prediction, content.catalogue)),
        "group": _group(prediction.group),
        "similar": _similar(prediction),
        "figures": {name: _figure_data_uri(figure) for name, figure in prediction.figures.items()},
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
        f"{_percent(similar.low)} to {_percent(similar.high)} {_by(similar.horizon_days)}."
    )
    if similar.beyond:
        sentence += " This patient's prediction lies beyond those of all training patients: these are not alike."
    rows = [
        {
            "name": _by(None if pd.isna(row["years"]) else row["years"] * YEAR),
            "value": _percent(row["incidence"]),
            "interval": f"{_percent(row['low'])} to {_percent(row['high'])}",
        }
        for row in similar.observed.to_dict("records")
    ]
    return {"sentence": sentence, "rows": rows}


def _by(days: float | None) -> str:
    return "by the end of induction" if days is None else f"by {days / YEAR:.3g} year{'s' * (days > YEAR)}"


def _status(prediction: PatientPrediction, mechanism: str) -> str:
    return "" if prediction.intervals.loc[mechanism, "established"] else "not established"


def _band(low: float, high: float) -> str:
    return "no band" if math.isnan(low) else f"{_percent(low)} to {_percent(high)}"


def _patient_summary(content: PatientContent) -> _PatientSummary:
    """Return what the summary of a patient is made of."""
    event = _EVENTS.get(content.endpoint, content.endpoint)
    prediction = content.prediction
    if prediction is None:
        return _PatientSummary(event, None, float("nan"), missing_assays=content.missing_assays)
    table = prediction.intervals.drop(index=NOT_ASSAYED, errors="ignore")
    moves = table[table["value"].abs() >= _DRIVES]
    settled = moves[moves["established"]]
    days = prediction.probability.horizon_days
    return _PatientSummary(
        event=event,
        probability=(float(prediction.probability.prediction.iloc[0]), *prediction.band),
        percentile=prediction.percentile,
        horizon_years=None if days is None else days / YEAR,
        landmark_days=content.landmark_days,
        raising=_titles(settled.index[settled["value"] > 0], content.catalogue),
        lowering=_titles(settled.index[settled["value"] < 0], content.catalogue),
        unsettled=_titles(moves.index[~moves["established"]], content.catalogue),
        missing_assays=content.missing_assays,
        out_of_range=[content.catalogue.features[str(name)].title for name in prediction.ranges.index],
        unlike=prediction.unlike,
    )


def _contribution_rows(prediction: PatientPrediction, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return the mechanisms, then what was not assayed, each with its features, the largest first, on both scales."""
    log_risk, probability = prediction.explanation, prediction.probability
    features = pd.DataFrame(
        {
            "seen": log_risk.values.iloc[0],
            "value": log_risk.features.iloc[0],
            "points": probability.features.iloc[0],
            "mechanism": log_risk.mechanism_of,
        }
    )
    features = features.sort_values("value", key=abs, ascending=False, kind="stable")
    rows = []
    for name, row in prediction.intervals.iterrows():
        absent = name == NOT_ASSAYED
        seen = features["seen"].notna()
        own = features[~seen if absent else seen & (features["mechanism"] == name)]
        mechanism = None if absent else catalogue.mechanisms[str(name)]
        rows.append(
            {
                "title": "What was not assayed" if mechanism is None else mechanism.title,
                "color": _MUTED if mechanism is None else mechanism.color,
                "absent": absent,
                "value": _signed(row["value"]),
                "points": _contribution_text(own["points"].sum(), "probability"),
                "interval": "–" if pd.isna(row["low"]) else f"{_signed(row['low'])} to {_signed(row['high'])}",
                "status": "established" if row["established"] else "not established",
                "features": [_feature(str(feature), entry, catalogue) for feature, entry in own.iterrows()],
            }
        )
    return rows


def _range_sentences(prediction: PatientPrediction, catalogue: Catalogue) -> list[str]:
    """Say which values lie outside the range of the training patients, and what that range is."""
    values = prediction.explanation.values.iloc[0]
    sentences = []
    for name, row in prediction.ranges.iterrows():
        feature = catalogue.features[str(name)]
        seen = (values[feature.name], row["low"], row["high"])
        own, low, high = (_feature_value(feature.kind, value) for value in seen)
        sentences.append(f"{feature.title}: {own}; in training {low} to {high}")
    return sentences


def _surprises(prediction: PatientPrediction, catalogue: Catalogue) -> list[str]:
    """Name the values that are unexpected of a patient as in training, and what is usual there."""
    values = prediction.explanation.values.iloc[0]
    named = []
    for name, usual in prediction.surprising["mean"].items():
        feature = catalogue.features[str(name)]
        own, mean = _feature_value(feature.kind, values[feature.name]), float(usual)
        there = f"yes in {_percent(mean)}" if feature.kind == "binary" else f"mean {_feature_value(feature.kind, mean)}"
        named.append(f"{feature.title} {own} (in training {there})")
    return named


def _feature(name: str, entry: pd.Series, catalogue: Catalogue) -> dict[str, str]:
    feature = catalogue.features[name]
    seen = "not assayed" if pd.isna(entry["seen"]) else _feature_value(feature.kind, entry["seen"])
    return {
        "title": feature.title,
        "seen": seen,
        "value": _signed(entry["value"]),
        "points": _contribution_text(entry["points"], "probability"),
    }


def _titles(names: pd.Index, catalogue: Catalogue) -> Sequence[str]:
    return [catalogue.mechanisms[str(name)].title for name in names]


@dataclass(frozen=True)
class GroupCourse:
    """Observed course of a clinical group of training patients.

    Parameters
    ----------
    title : str
        ``Recorded risk group: high``.
    patients, events : int
    curve : DataFrame
        ``days``, ``incidence``, ``low`` and ``high``; see :func:`nbrelapse.metrics.incidence.observed_course`.
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
        Limits of the 95% band of the probability; NaN without one.
    percentile : float
        Of the log risk among the training patients, 0 to 100.
    probabilities : dict of str to (float, float, float)
        Probability of the event, by what it is called (``3 years``): value, low, high.
    intervals : DataFrame
        From :func:`nbrelapse.explanation.stability`.
    evidence : float
        Share of what the model relies on that is known, 0 to 1.
    known : mapping of str to float
        Every feature of the patient that could be built, NaN where it is unknown; read or not by the model, for what a
        therapy requires.
    ranges : DataFrame
        Index: features of which the patient is outside the training range; ``low`` and ``high`` of the training.
    unlike : float
        Per cent of the training patients whose features lie nearer to their mean; NaN where it is not known.
    surprising : DataFrame
        Index: features whose values are unexpected in training, the most unexpected first; ``mean`` of the training.
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
    unlike: float
    surprising: pd.DataFrame
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
    caution : str
        What limits every number of the page, in a sentence at its top.
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
    caution: str = ""
