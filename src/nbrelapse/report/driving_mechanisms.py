"""What raises one patient's risk, and the agents that address it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.addressing_therapies import AddressingTherapy, addressing_therapies
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.wording import feature_value, signed

DRIVES = 0.05
"""Smallest contribution to the log risk (a hazard or odds ratio of 1.05) that is called driving. A choice."""


def driving_mechanisms(
    explanation: Explanation, patient: str, catalogue: Catalogue, known: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Return the mechanisms whose measured features raise a patient's risk, with findings and therapies.

    Parameters
    ----------
    explanation : Explanation
        Of the log risk.
    patient : str
    catalogue : Catalogue
    known : mapping of str to float, optional
        Every feature of the patient, for what a therapy requires; those that the model reads by default.

    Returns
    -------
    list of dict
        ``name``, ``title``, ``color``, ``contribution``, ``findings`` (measured features that raise the risk, with
        their values) and ``therapies`` (a dict each; see :func:`nbrelapse.mechanisms.addressing_therapies`), the
        largest contribution first.
    """
    row = explanation.features.index.get_loc(patient)
    assert isinstance(row, int)
    values = explanation.values.iloc[row]
    contributions = explanation.features.iloc[row].where(values.notna().to_numpy(), 0.0)
    observed = contributions.groupby(explanation.mechanism_of, sort=False).sum().sort_values(ascending=False)
    drivers = []
    for name, value in observed[observed >= DRIVES].items():
        mechanism = catalogue.mechanisms[str(name)]
        own = contributions[(explanation.mechanism_of == name).to_numpy()]
        raising = [str(feature) for feature in own[own >= DRIVES / 5].sort_values(ascending=False).index]
        found = addressing_therapies(catalogue, str(name), raising, dict(values) if known is None else known)
        features = [catalogue.features[feature] for feature in raising]
        drivers.append(
            {
                "name": str(name),
                "title": mechanism.title,
                "color": mechanism.color,
                "contribution": signed(float(value)),
                "findings": [f"{one.title}: {feature_value(one.kind, values[one.name])}" for one in features],
                "therapies": [_therapy(entry, catalogue) for entry in found],
            }
        )
    return drivers


def _therapy(entry: AddressingTherapy, catalogue: Catalogue) -> dict[str, Any]:
    therapy = entry.therapy
    return {
        "name": therapy.name,
        "level": therapy.level_title,
        "population": therapy.population,
        "finding": therapy.finding,
        "source": therapy.source,
        "addresses": [catalogue.features[name].title for name in entry.findings],
        "note": entry.note,
        "contradicted": entry.requirement == "contradicted",
    }
