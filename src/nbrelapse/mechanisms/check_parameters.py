"""The parameters of a catalogue entry, checked by the builder that reads them."""

from __future__ import annotations

from collections.abc import Collection

from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.illegal_entry import illegal_entry


def check_parameters(definition: FeatureDefinition, legal: Collection[str], required: Collection[str] = ()) -> None:
    """Refuse an entry with a parameter that its builder does not read, or without one that it needs.

    Parameters
    ----------
    definition : FeatureDefinition
    legal : collection of str
        Names of the parameters that the builder reads.
    required : collection of str
        Those that must be there.

    Raises
    ------
    InputError
        Naming the entry and the parameter: a misspelt one would be ignored in silence.

    Examples
    --------
    >>> definition = FeatureDefinition("alk__x", "alk", "ALK", "", "mutations", "binary", "mutations", {"gene": "ALK"})
    >>> check_parameters(definition, ["genes"])
    Traceback (most recent call last):
    nbrelapse.errors.InputError: ...
    """
    unknown = [name for name in definition.parameters if name not in legal]
    if unknown:
        problem = f"the builder {definition.builder} does not read {', '.join(unknown)}"
        raise illegal_entry(definition, problem, ", ".join(legal), "correct the name or remove the key")
    absent = [name for name in required if name not in definition.parameters]
    if absent:
        raise illegal_entry(definition, "a feature of the catalogue lacks keys", ", ".join(absent))
