"""A catalogue of one's own, laid over the packaged one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue_rules import FEATURE_KEYS


def extend_catalogue(packaged: Mapping[str, Any], own: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return a catalogue's document with the tables of another laid over it.

    Of a mechanism or feature that exists, the keys that the other document names are replaced; an entry that names its
    ``builder`` brings all the builder's parameters with it. ``remove = true`` leaves a feature or a mechanism out.

    Parameters
    ----------
    packaged, own : dict
        A table a mechanism, in it a table a feature.
    file : str
        Where ``own`` comes from; named in errors.

    Returns
    -------
    dict
        Not yet checked; neither argument is changed.

    Raises
    ------
    InputError
        What is to be removed does not exist, or an entry removes and says more.

    Examples
    --------
    >>> packaged = {"alk": {"title": "ALK", "hotspot": {"title": "Hotspot"}, "amplified": {"title": "Amplified"}}}
    >>> extend_catalogue(packaged, {"alk": {"hotspot": {"kind": "binary"}, "amplified": {"remove": True}}}, "my.toml")
    {'alk': {'title': 'ALK', 'hotspot': {'title': 'Hotspot', 'kind': 'binary'}}}
    """
    document = dict(packaged)
    for mechanism, table in own.items():
        if not isinstance(table, dict):
            document[mechanism] = table
        elif _is_removal(table, f"[{mechanism}]", document, file):
            del document[mechanism]
        else:
            document[mechanism] = _with_features(document.get(mechanism, {}), mechanism, table, file)
    return document


def _with_features(before: Mapping[str, Any], mechanism: str, own: Mapping[str, Any], file: str) -> dict[str, Any]:
    table = dict(before)
    for key, value in own.items():
        present = [name for name, entry in table.items() if isinstance(entry, dict)]
        if not isinstance(value, dict):
            table[key] = value
        elif _is_removal(value, f"[{mechanism}.{key}]", present, file):
            del table[key]
        else:
            table[key] = _overridden(table.get(key), value)
    return table


def _overridden(before: Any, own: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(before, dict):
        return dict(own)
    if "builder" in own:
        before = {key: value for key, value in before.items() if key in FEATURE_KEYS}
    return {**before, **own}


def _is_removal(table: Mapping[str, Any], where: str, present: Collection[str], file: str) -> bool:
    """Whether a table asks to leave something out that is there."""
    if "remove" not in table:
        return False
    if dict(table) != {"remove": True}:
        raise InputError(
            "an entry that removes says nothing else",
            file=file,
            column=where,
            expected="remove = true",
            mend="delete the other keys, or delete `remove`",
        )
    if where.strip("[]").rpartition(".")[2] not in present:
        raise InputError(
            "what is to be removed does not exist",
            file=file,
            column=where,
            expected=", ".join(name for name in present if name != "version"),
            mend="correct the name; `nbrelapse mechanisms` lists all",
        )
    return True
