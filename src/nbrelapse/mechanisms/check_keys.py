"""The keys of one entry of a catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue_rules import Rule


def check_keys(
    table: Mapping[str, Any],
    rules: Mapping[str, Rule],
    required: tuple[str, ...],
    where: str,
    file: str,
    add: str = "add what is missing; an entry that changes a packaged one must bear its name",
) -> None:
    """Refuse an entry that lacks a required key, or of which a key with a rule has an illegal value."""
    missing = [key for key in required if key not in table]
    if missing:
        raise InputError(
            f"{', '.join(missing)} missing",
            file=file,
            column=where,
            expected="; ".join(f"{key}: {rules[key][1]}" for key in missing),
            mend=add,
        )
    for key, (is_legal, expected) in rules.items():
        if key in table and not is_legal(table[key]):
            raise InputError(
                f"illegal {key} {table[key]!r}", file=file, column=where, expected=expected, mend="correct the value"
            )
