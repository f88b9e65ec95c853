"""Refuse a catalogue that cannot be used as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue_rules import ENDPOINTS, FEATURE_RULES, MECHANISM_RULES, THERAPIES, is_number
from nbrelapse.mechanisms.check_keys import check_keys
from nbrelapse.mechanisms.check_therapies import check_therapies

NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
FEATURE_NAME = re.compile(rf"{NAME.pattern}__{NAME.pattern}")
GENE_SET_KEYS = {"gene_set": "genes", "gene_set_down": "genes_down"}
"""The parameters that name a gene set, and those that its genes become."""


def check_catalogue(document: Mapping[str, Any], file: str) -> None:
    """Refuse a catalogue with an entry that lacks a key or has an illegal value.

    Parameters
    ----------
    document : dict
        ``version``, a table a mechanism with its keys and, in it, a table a feature, and ``therapies``.
    file : str
        Named in errors.

    Raises
    ------
    InputError
        For the first illegal entry, which it names as ``[mechanism.feature]``.

    Examples
    --------
    >>> check_catalogue({"alk": {"title": "ALK", "color": "blue", "description": "The kinase."}}, "my.toml")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: illegal color 'blue'
      file: my.toml
      column: [alk]
      expected: a hex colour such as "#0072B2"
      mend: correct the value
    """
    check_therapies(document.get(THERAPIES, {}), file)
    mechanisms = {key: table for key, table in document.items() if key not in ("version", THERAPIES)}
    for mechanism, table in mechanisms.items():
        _check_mechanism(mechanism, table, file)
    _check_colors(mechanisms, file)
    names = {f"{mechanism}__{feature}" for mechanism, feature, _ in _features(mechanisms)}
    for mechanism, feature, entry in _features(mechanisms):
        absent = sorted(set(named_features(entry)) - names)
        if absent:
            raise InputError(
                f"a feature reads another that does not exist: {', '.join(absent)}",
                file=file,
                column=f"[{mechanism}.{feature}]",
                mend="correct the name, or remove this feature too",
            )


def named_features(parameters: Mapping[str, Any]) -> list[str]:
    """Names of other features (``mechanism__feature``) in the parameters of an entry, each once.

    Examples
    --------
    >>> named_features({"difference": ["cell_state__adrenergic", "cell_state__mesenchymal"], "gene_set": "MY__SET"})
    ['cell_state__adrenergic', 'cell_state__mesenchymal']
    """
    read = {key: value for key, value in parameters.items() if key not in {*FEATURE_RULES, *GENE_SET_KEYS}}
    return list(dict.fromkeys(text for text in _leaves(read) if isinstance(text, str) and FEATURE_NAME.fullmatch(text)))


def _features(mechanisms: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for mechanism, table in mechanisms.items():
        for feature, entry in table.items():
            if isinstance(entry, dict):
                yield mechanism, feature, entry


def _check_mechanism(mechanism: str, table: Any, file: str) -> None:
    where = f"[{mechanism}]"
    if not isinstance(table, dict):
        raise InputError(
            "a key at the top of the catalogue is not a mechanism",
            file=file,
            column=mechanism,
            expected="version, extends, therapies, and a table a mechanism",
            mend="put the key into the table of its mechanism",
        )
    _check_name(mechanism, where, file)
    own = {key: value for key, value in table.items() if key in MECHANISM_RULES or not isinstance(value, dict)}
    check_keys(own, MECHANISM_RULES, ("title", "color", "description"), where, file)
    unknown = [key for key in own if key not in MECHANISM_RULES]
    if unknown:
        raise InputError(
            f"a mechanism has no key {', '.join(unknown)}",
            file=file,
            column=where,
            expected=f"{', '.join(MECHANISM_RULES)}, and a table a feature",
            mend="correct or remove the key",
        )
    for feature, entry in table.items():
        if feature not in own:
            _check_feature(feature, entry, f"[{mechanism}.{feature}]", file)


def _check_feature(feature: str, entry: dict[str, Any], where: str, file: str) -> None:
    _check_name(feature, where, file)
    check_keys(entry, FEATURE_RULES, ("title", "definition", "assay", "kind", "builder"), where, file)
    _check_agreement(entry, where, file)
    for key, value in entry.items():
        if not all(map(_is_plain, _leaves(value))):
            raise InputError(
                f"illegal value of the parameter {key}",
                file=file,
                column=where,
                expected="texts, finite numbers, true or false, and lists and tables of them",
                mend="write a date as a text, leave out what is unknown",
            )
    both = [f"{named} and {genes}" for named, genes in GENE_SET_KEYS.items() if named in entry and genes in entry]
    if both:
        raise InputError(f"a feature has both {both[0]}", file=file, column=where, mend="remove one of them")


def _check_name(name: str, where: str, file: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(
            f"illegal name {name!r}",
            file=file,
            column=where,
            expected="lower-case letters and digits, words joined by single underscores",
            mend="rename it",
        )


def _check_agreement(entry: Mapping[str, Any], where: str, file: str) -> None:
    """Refuse a hazard ratio that contradicts the direction."""
    direction = entry.get("direction", 0)
    signs = direction if isinstance(direction, dict) else {"relapse": direction}
    for endpoint, figure in entry.get("log_hazard_prior", {}).items():
        if endpoint in ENDPOINTS and figure * signs.get(endpoint, 0) < 0:
            raise InputError(
                f"direction and log_hazard_prior of {endpoint} contradict each other",
                file=file,
                column=where,
                expected="a negative log hazard ratio where the direction is -1, a positive one where it is 1",
                mend="correct one of them",
            )


def _check_colors(mechanisms: Mapping[str, Any], file: str) -> None:
    owner: dict[str, str] = {}
    for mechanism, table in mechanisms.items():
        first = owner.setdefault(table["color"].upper(), mechanism)
        if first != mechanism:
            raise InputError(
                f"the mechanisms {first} and {mechanism} have the same color {table['color']}",
                file=file,
                column=f"[{mechanism}]",
                mend="give each its own: pictures tell mechanisms apart by it",
            )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, bool)) or is_number(value)
