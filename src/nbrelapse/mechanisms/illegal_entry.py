"""The error for a catalogue entry that its builder cannot read."""

from __future__ import annotations

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import FeatureDefinition


def illegal_entry(
    definition: FeatureDefinition, problem: str, expected: str | None = None, mend: str | None = None
) -> InputError:
    """Return the error that says what is wrong with an entry, named as it stands in the catalogue.

    Examples
    --------
    >>> entry = FeatureDefinition("alk__hotspot", "alk", "Hotspot", "", "mutations", "binary", "mutations")
    >>> print(illegal_entry(entry, "no gene is named", expected="genes"))
    no gene is named
      file: catalogue
      column: [alk.hotspot]
      expected: genes
    """
    where = f"[{definition.mechanism}.{definition.name.removeprefix(f'{definition.mechanism}__')}]"
    return InputError(problem, file="catalogue", column=where, expected=expected, mend=mend)
