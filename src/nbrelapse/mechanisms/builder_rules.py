"""How builders check the parameters of their catalogue entries, and the error for those they cannot read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import FeatureDefinition


def _illegal_entry(
    definition: FeatureDefinition, problem: str, expected: str | None = None, fix: str | None = None
) -> InputError:
    """Return the error that says what is wrong with an entry, named as it stands in the catalogue.

    Examples
    --------
    >>> entry = FeatureDefinition("alk__hotspot", "alk", "Hotspot", "", "mutations", "binary", "mutations")
    >>> print(_illegal_entry(entry, "no gene is named", expected="genes"))
    no gene is named
      file: catalogue
      column: [alk.hotspot]
      expected: genes
    """
    where = f"[{definition.mechanism}.{definition.name.removeprefix(f'{definition.mechanism}__')}]"
    return InputError(problem, file="catalogue", column=where, expected=expected, fix=fix)


_TEXTS = {"gene", "measure", "change", "arm", "band", "outside_band", "gene_set", "gene_set_down", "column", "extent"}
_LISTS = {"genes"}


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
        raise _illegal_entry(definition, problem, ", ".join(legal), "correct the name or remove the key")
    absent = [name for name in required if name not in definition.parameters]
    if absent:
        raise _illegal_entry(definition, "a feature of the catalogue lacks keys", ", ".join(absent), "add them")
    for name, value in definition.parameters.items():
        if name in _TEXTS and not isinstance(value, str):
            raise _illegal_entry(definition, f"illegal {name} {value!r}", "a text", "write one, in quotes")
        if name in _LISTS and not (isinstance(value, Sequence) and all(isinstance(one, str) for one in value)):
            raise _illegal_entry(definition, f"illegal {name} {value!r}", "a list of texts", "write one, in brackets")
