"""The parameters of a catalogue entry, checked by the builder that reads them."""

from __future__ import annotations

from collections.abc import Collection

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import FeatureDefinition


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
    feature = definition.name.removeprefix(f"{definition.mechanism}__")
    where = f"[{definition.mechanism}.{feature}]"
    unknown = [name for name in definition.parameters if name not in legal]
    if unknown:
        raise InputError(
            f"the builder {definition.builder} does not read {', '.join(unknown)}",
            file="catalogue",
            column=where,
            expected=", ".join(legal),
            mend="correct the name or remove the key",
        )
    absent = [name for name in required if name not in definition.parameters]
    if absent:
        raise InputError(
            "a feature of the catalogue lacks keys", file="catalogue", column=where, expected=", ".join(absent)
        )
