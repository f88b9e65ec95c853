"""What the page of one patient shows, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nbrelapse.explanation.patient_intervals import NOT_ASSAYED
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.driving_mechanisms import DRIVES
from nbrelapse.report.patient_content import PatientContent, PatientPrediction
from nbrelapse.report.plots.style import MUTED
from nbrelapse.report.summary_sentence import PatientSummary
from nbrelapse.report.wording import EVENTS, contribution_text, feature_value, signed
from nbrelapse.validation.horizons import YEAR


def patient_summary(content: PatientContent) -> PatientSummary:
    """Return what the summary of a patient is made of."""
    event = EVENTS.get(content.endpoint, content.endpoint)
    prediction = content.prediction
    if prediction is None:
        return PatientSummary(event, None, float("nan"), missing_assays=content.missing_assays)
    table = prediction.intervals.drop(index=NOT_ASSAYED, errors="ignore")
    moves = table[table["value"].abs() >= DRIVES]
    settled = moves[moves["established"]]
    days = prediction.probability.horizon_days
    return PatientSummary(
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
    )


def contribution_rows(prediction: PatientPrediction, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return the mechanisms, and what was not assayed, with their features, on both scales.

    Parameters
    ----------
    prediction : PatientPrediction
    catalogue : Catalogue

    Returns
    -------
    list of dict
        ``title``, ``color``, ``absent``, ``value``, ``points``, ``interval``, ``status`` and ``features``, each with
        ``title``, ``seen`` (its value in words), ``value`` and ``points``; the largest first, what is not assayed last.
    """
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
                "color": MUTED if mechanism is None else mechanism.color,
                "absent": absent,
                "value": signed(row["value"]),
                "points": contribution_text(own["points"].sum(), "probability"),
                "interval": "–" if pd.isna(row["low"]) else f"{signed(row['low'])} to {signed(row['high'])}",
                "status": "established" if row["established"] else "not established",
                "features": [_feature(str(feature), entry, catalogue) for feature, entry in own.iterrows()],
            }
        )
    return rows


def range_sentences(prediction: PatientPrediction, catalogue: Catalogue) -> list[str]:
    """Say which values lie outside the range of the training patients, and what that range is."""
    values = prediction.explanation.values.iloc[0]
    sentences = []
    for name, row in prediction.ranges.iterrows():
        feature = catalogue.features[str(name)]
        seen = (values[feature.name], row["low"], row["high"])
        own, low, high = (feature_value(feature.kind, value) for value in seen)
        sentences.append(f"{feature.title}: {own}; in training {low} to {high}")
    return sentences


def _feature(name: str, entry: pd.Series, catalogue: Catalogue) -> dict[str, str]:
    feature = catalogue.features[name]
    seen = "not assayed" if pd.isna(entry["seen"]) else feature_value(feature.kind, entry["seen"])
    return {
        "title": feature.title,
        "seen": seen,
        "value": signed(entry["value"]),
        "points": contribution_text(entry["points"], "probability"),
    }


def _titles(names: pd.Index, catalogue: Catalogue) -> Sequence[str]:
    return [catalogue.mechanisms[str(name)].title for name in names]
