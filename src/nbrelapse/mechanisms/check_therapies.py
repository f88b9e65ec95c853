"""Refuse what a catalogue says of therapies where it cannot be used as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue_rules import REQUIREMENT_RULES, THERAPY_RULES, Rule
from nbrelapse.mechanisms.check_keys import check_keys
from nbrelapse.mechanisms.therapy import Therapy


def check_therapies(tables: Any, file: str) -> None:
    """Refuse a therapy that lacks a key, has one that is not known, or an illegal value.

    Parameters
    ----------
    tables : dict
        A table an agent.
    file : str
        Named in errors.

    Raises
    ------
    InputError
        For the first illegal entry.

    Examples
    --------
    >>> entry = {"target": "ALK", "level": "early", "population": "Neuroblastoma.", "finding": "3 of 20 responded."}
    >>> check_therapies({"lorlatinib": entry}, "my.toml")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: source missing
      file: my.toml
      column: [therapies."lorlatinib"]
      expected: source: a DOI or another source
      mend: add what is missing
    """
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise InputError(
            "therapies are a table an agent",
            file=file,
            column="[therapies]",
            expected='[therapies."lorlatinib"]',
            mend="give each agent a table; the agents of a mechanism stand in its own table",
        )
    for name, table in tables.items():
        where = f'[therapies."{name}"]'
        required = tuple(key for key in THERAPY_RULES if key != "requires")
        _check_table(table, THERAPY_RULES, required, where, file)
        if "requires" in table:
            _check_table(table["requires"], REQUIREMENT_RULES, ("text",), f"{where} requires", file)


def check_required_features(therapies: Mapping[str, Therapy], features: Collection[str], file: str) -> None:
    """Refuse a requirement that names a feature which does not exist: it would contradict nobody."""
    for name, therapy in therapies.items():
        named = () if therapy.requires is None else (*therapy.requires.any_of, *therapy.requires.none_of)
        absent = [feature for feature in named if feature not in features]
        if absent:
            raise InputError(
                f"a therapy requires a feature that does not exist: {', '.join(absent)}",
                file=file,
                column=f'[therapies."{name}"] requires',
                expected="names of features: p53__tp53_mutation",
                mend="correct the name; `nbrelapse mechanisms` lists all",
            )


def _check_table(
    table: Mapping[str, Any], rules: Mapping[str, Rule], required: tuple[str, ...], where: str, file: str
) -> None:
    check_keys(table, rules, required, where, file, "add what is missing")
    unknown = [key for key in table if key not in rules]
    if unknown:
        raise InputError(
            f"a therapy has no key {', '.join(unknown)}",
            file=file,
            column=where,
            expected=", ".join(rules),
            mend="correct or remove the key",
        )
