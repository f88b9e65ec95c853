"""When a feature is known."""

from __future__ import annotations

from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition

OUTCOME_COLUMNS = ("event", "event_days", "death", "followup_days")
"""Columns of ``patients`` that hold the outcome: nothing that is predicted from may read them."""

LATER_COLUMNS = ("induction_response",)
"""Columns of ``patients`` that are filled in after diagnosis."""


def known_at(catalogue: Catalogue, name: str) -> float:
    """Return from which day after diagnosis a feature is known.

    Parameters
    ----------
    catalogue : Catalogue
    name : str
        ``mechanism__feature``.

    Returns
    -------
    float
        Its entry's ``known_at_days``, or that of the last known feature that it is computed from, if later. Infinite
        if it reads the outcome, or a column that is filled in after diagnosis without saying when.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> known_at(load_catalogue(), "alk__hotspot_mutation")
    0.0
    """
    definition = catalogue.features[name]
    columns = columns_read(definition)
    unsaid = not columns.isdisjoint(LATER_COLUMNS) and definition.known_at_days == 0
    if unsaid or not columns.isdisjoint(OUTCOME_COLUMNS):
        return float("inf")
    inputs = (known_at(catalogue, read) for read in definition.inputs if read in catalogue.features)
    return max([float(definition.known_at_days), *inputs])


def columns_read(definition: FeatureDefinition) -> set[str]:
    """Return the columns of ``patients`` that an entry names."""
    parameters = definition.parameters
    levels = parameters.get("levels", {})
    return {str(parameters.get("column", "")), *(levels if isinstance(levels, dict) else ())} - {""}
