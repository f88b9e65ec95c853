"""A catalogue entry in words, the same on the terminal and on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.catalogue_rules import ENDPOINTS
from nbrelapse.mechanisms.load_builder import COMBINATION
from nbrelapse.mechanisms.therapies import load_therapies
from nbrelapse.mechanisms.therapy import Therapy
from nbrelapse.report.therapy_facts import agents_in_words

_VERBS = {1: "raises", -1: "lowers"}


def feature_facts(definition: FeatureDefinition, therapies: Mapping[str, Therapy] | None = None) -> dict[str, str]:
    """Say of a feature how it is read, what is expected of it, and where that comes from.

    Parameters
    ----------
    definition : FeatureDefinition
    therapies : mapping of str to Therapy, optional
        ``Catalogue.therapies``; the packaged ones by default.

    Returns
    -------
    dict of str to str
        By label, in the order to be shown; what the entry does not say is left out. The builder's parameters stand on
        a line each.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> facts = feature_facts(load_catalogue().features["mycn__amplified"])
    >>> facts["direction"]
    'raises relapse, lowers refractory'
    >>> facts["evidence"]
    'hazard ratio 2.6 (relapse), 6.3 (os), not adjusted; 10.1200/JCO.21.00278, 10.1002/pbc.27819'
    """
    comparison = "" if definition.role != "baseline" else "; for comparison, models do not read it"
    assay = "combined from other features" if definition.builder == COMBINATION else _lower(definition.assay)
    facts = {
        "assay": f"{assay}, {definition.kind}{comparison}",
        "builder": "\n".join([definition.builder, *_parameters(definition.parameters)]),
        "direction": _direction(definition.direction),
        "evidence": _evidence(definition.log_hazard_prior),
        "therapies": agents_in_words(definition.therapies, load_therapies() if therapies is None else therapies),
        "source": definition.reference,
    }
    return {label: text for label, text in facts.items() if text}


def assay_title(assay: str) -> str:
    """Return an assay's display name.

    Examples
    --------
    >>> assay_title("copy_number"), assay_title("fish")
    ('Copy number', 'FISH')
    """
    titles = {"fish": "FISH", "any": "Any assay"}
    return titles.get(assay, assay.replace("_", " ").capitalize())


def hazard_ratios(prior: Mapping[str, Any]) -> dict[str, float]:
    """Return the hazard ratios of an entry by endpoint.

    Examples
    --------
    >>> hazard_ratios({"os": 0.0, "source": "a paper", "adjusted": True})
    {'os': 1.0}
    """
    return {endpoint: math.exp(prior[endpoint]) for endpoint in ENDPOINTS if endpoint in prior}


def _lower(assay: str) -> str:
    title = assay_title(assay)
    return title if title.isupper() else title.lower()


def _parameters(parameters: Mapping[str, Any]) -> list[str]:
    """Return a line a parameter, and one an item where a list holds tables."""
    lines = []
    for key, value in parameters.items():
        nested = isinstance(value, list) and any(isinstance(item, dict) for item in value)
        lines += [f"{key.replace('_', ' ')}: {_words(item)}" for item in (value if nested else [value])]
    return lines


def _words(value: Any) -> str:
    """Write a value of TOML without its punctuation."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        nested = any(isinstance(item, (list, dict)) for item in value)
        return (" | " if nested else ", ").join(map(_words, value))
    if isinstance(value, dict):
        nested = any(isinstance(item, (list, dict)) for item in value.values())
        return ("; " if nested else ", ").join(_pair(key.replace("_", " "), item) for key, item in value.items())
    return str(value)


def _pair(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{key} ({_words(value)})"
    return f"{key} {_words(value)}" if isinstance(value, list) else f"{key} = {_words(value)}"


def _direction(direction: Mapping[str, int]) -> str:
    said = [f"{_VERBS[sign]} {endpoint}" for endpoint, sign in direction.items() if sign]
    return ", ".join(said) or "no expectation"


def _evidence(prior: Mapping[str, Any]) -> str:
    if not prior:
        return ""
    # Two digits, for the catalogue keeps two digits of the logarithm.
    ratios = ", ".join(f"{ratio:.2g} ({endpoint})" for endpoint, ratio in hazard_ratios(prior).items())
    return f"hazard ratio {ratios}, {'adjusted' if prior['adjusted'] else 'not adjusted'}; {prior['source']}"
