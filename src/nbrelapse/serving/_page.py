"""The form for one patient: its fields by mechanism, and how it is read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from nbrelapse.errors import InputError
from nbrelapse.report import assay_title
from nbrelapse.scoring import Bundle, describe_features
from nbrelapse.serving._payload import ScoreRequest, parse

_PREFIX = "feature."


def form_fields(bundle: Bundle) -> list[dict[str, Any]]:
    """Return the mechanisms that a model reads, each with the fields of its features."""
    fields: dict[str, list[dict[str, Any]]] = {name: [] for name in bundle.mechanisms}
    for one in describe_features(bundle):
        own = one | {
            "assay": assay_title(one["assay"]),
            "field": _PREFIX + one["name"],
            "range": _range(one["low"], one["high"]),
        }
        fields[one["mechanism"]].append(own)
    return [
        {
            "title": bundle.catalogue.mechanisms[name].title,
            "color": bundle.catalogue.mechanisms[name].color,
            "fields": own,
        }
        for name, own in fields.items()
    ]


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4g} to {high:.4g}"


def read_form(fields: Mapping[str, str], bundle: Bundle) -> ScoreRequest:
    """Read one patient from the form.

    Parameters
    ----------
    fields : mapping of str to str
        ``pasted``, JSON: a request, one of its patients, or features alone; or a field a feature. An empty field was
        not assayed.
    bundle : Bundle

    Raises
    ------
    InputError
        Both or neither are given, or a value is no number.
    """
    pasted = fields.get("pasted", "").strip()
    typed = {name.removeprefix(_PREFIX): text.strip() for name, text in fields.items() if name.startswith(_PREFIX)}
    typed = {name: text for name, text in typed.items() if text}
    if bool(pasted) == bool(typed):
        problem = "both fields and pasted JSON are given" if pasted else "nothing is given"
        raise InputError(problem, fix="fill in the fields of what was assayed, or paste a patient as JSON")
    if pasted:
        return _pasted(pasted)
    titles = {str(name): str(title) for name, title in bundle.schema["title"].items()}
    features = {name: _number(text, titles.get(name, name)) for name, text in typed.items()}
    patient = {"features": features} | ({"patient_id": fields["patient_id"]} if fields.get("patient_id") else {})
    return parse(json.dumps({"patients": [patient]}).encode(), ScoreRequest)


def _pasted(text: str) -> ScoreRequest:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("what was pasted is not JSON", expected='{"mycn__amplified": 1, …}') from None
    if isinstance(given, dict) and not {"patients", "tables"} & set(given):
        patient = text if "features" in given else f'{{"features": {text}}}'
        text = f'{{"patients": [{patient}]}}'
    return parse(text.encode(), ScoreRequest)


def _number(text: str, title: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise InputError("a feature is not a number", column=title, expected="a number with a decimal point")
    return value
