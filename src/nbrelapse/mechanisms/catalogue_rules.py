"""The keys of a catalogue's mechanisms, features and therapies, and their legal values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from nbrelapse.cohort.cohort import ASSAYS
from nbrelapse.mechanisms.therapy import EVIDENCE_LEVELS

THERAPIES = "therapies"
"""The table of a catalogue that is no mechanism: what is known of agents."""

KINDS = ("binary", "count", "fraction", "continuous", "score", "ordinal")
ROLES = ("feature", "gene", "baseline")
ENDPOINTS = ("relapse", "efs", "os", "refractory")
LARGEST_PRIOR = 5.0
"""A larger log hazard ratio (beyond 150-fold) is a hazard ratio that was not put on the log scale."""

Rule = tuple[Callable[[Any], bool], str]
"""Whether a value is legal, and what to expect instead."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_sign(value: Any) -> bool:
    return type(value) is int and value in (-1, 0, 1)


def _is_direction(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) <= set(ENDPOINTS) and all(_is_sign(sign) for sign in value.values())
    return _is_sign(value)


def _is_prior(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    figures = [figure for key, figure in value.items() if key in ENDPOINTS]
    known = {*ENDPOINTS, "source", "adjusted"}
    sourced = _is_text(value.get("source")) and isinstance(value.get("adjusted"), bool)
    plausible = all(is_number(figure) and abs(figure) <= LARGEST_PRIOR for figure in figures)
    return not value or (bool(figures) and set(value) <= known and sourced and plausible)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _one_of(legal: tuple[str, ...]) -> Rule:
    return (lambda value: value in legal), ", ".join(legal)


_THERAPIES: Rule = (_are_texts, 'a list of texts, each once: ["lorlatinib", "crizotinib"]')
_REFERENCE: Rule = (lambda value: isinstance(value, str), "a text: a DOI or another source")
_SENTENCE: Rule = (_is_text, "a sentence or two")
_TITLE: Rule = (_is_text, "a short text")
MECHANISM_RULES: dict[str, Rule] = {
    "title": _TITLE,
    "color": (
        lambda value: isinstance(value, str) and bool(re.fullmatch("#[0-9A-Fa-f]{6}", value)),
        'a hex colour such as "#0072B2"',
    ),
    "description": _SENTENCE,
    "therapies": _THERAPIES,
    "reference": _REFERENCE,
}
FEATURE_RULES: dict[str, Rule] = {
    "title": _TITLE,
    "definition": _SENTENCE,
    "assay": _one_of(ASSAYS),
    "kind": _one_of(KINDS),
    "builder": (_is_text, "the name of a builder"),
    "direction": (_is_direction, f"1, -1 or 0, or a table of them by endpoint ({', '.join(ENDPOINTS)})"),
    "role": _one_of(ROLES),
    "log_hazard_prior": (
        _is_prior,
        f'{{ endpoint = log hazard ratio (at most {LARGEST_PRIOR:g}), source = "DOI", adjusted = true or false }}, '
        f"endpoint one of {', '.join(ENDPOINTS)}",
    ),
    "therapies": _THERAPIES,
    "reference": _REFERENCE,
    "known_at_days": (lambda value: is_number(value) and value >= 0, "days from diagnosis, 0 or more"),
}
"""Keys that every feature may have; the others are the parameters of its builder."""

THERAPY_RULES: dict[str, Rule] = {
    "target": (_is_text, "what the agent acts on"),
    "level": _one_of(tuple(level for level in EVIDENCE_LEVELS if level != "not_reviewed")),
    "population": (_is_text, "in whom the finding was made"),
    "finding": (_is_text, "what was found, with the figure"),
    "source": (_is_text, "a DOI or another source"),
    "requires": (
        lambda value: isinstance(value, dict),
        '{ text = "TP53 wild type", none_of = ["p53__tp53_mutation"] }',
    ),
}
REQUIREMENT_RULES: dict[str, Rule] = {
    "text": (_is_text, "what the tumour must have"),
    "any_of": (_are_texts, 'a list of features: ["alk__hotspot_mutation"]'),
    "none_of": (_are_texts, 'a list of features: ["p53__tp53_mutation"]'),
}
