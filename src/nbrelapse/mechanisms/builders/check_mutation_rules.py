"""The mutation rules of a catalogue entry, refused where they say what no rule can mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builders.mutation_rules import INTERVAL, POSITION, RANGE, codon_of
from nbrelapse.mechanisms.builders.variant_classes import CLASSES
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.check_parameters import check_parameters
from nbrelapse.mechanisms.genome import BUILDS
from nbrelapse.mechanisms.illegal_entry import illegal_entry

RULE = (
    "genes",
    "variants",
    "protein_changes",
    "except_changes",
    "codons",
    "positions",
    "vaf_above",
    "vaf_at_least",
    "vaf_at_most",
)
BURDEN = ("exome_mb", "least_mb")
CHANGE = re.compile(r"[A-Z]\d+[A-Z*]")


def check_mutation_rules(definition: FeatureDefinition) -> list[Mapping[str, Any]]:
    """Return the rules of an entry, one or those of its ``any_of``.

    Parameters
    ----------
    definition : FeatureDefinition

    Returns
    -------
    list of dict

    Raises
    ------
    InputError
        A parameter is unknown, has an illegal value or does not go with another; names the entry and the parameter.

    Examples
    --------
    >>> definition = FeatureDefinition("alk__x", "alk", "ALK", "", "mutations", "binary", "mutations",
    ...     {"genes": ["ALK"], "protein_changes": ["Phe1174"]})
    >>> check_mutation_rules(definition)
    Traceback (most recent call last):
    nbrelapse.errors.InputError: ...
    """
    parameters = definition.parameters
    if "any_of" not in parameters:
        check_parameters(definition, (*RULE, "any_of", *BURDEN))
        rules = [parameters]
    else:
        check_parameters(definition, ("any_of", *BURDEN))
        if not _are(parameters["any_of"], lambda rule: isinstance(rule, dict)):
            raise _illegal(definition, "any_of", parameters["any_of"], "a list of rules, each with genes")
        rules = parameters["any_of"]
        for rule in rules:
            check_parameters(replace(definition, parameters=rule), RULE, ["genes"])
    _check_values(definition, [parameters, *rules])
    _check_burden(definition)
    for rule in rules:
        _check_together(definition, rule)
    return [*rules]


def _check_values(definition: FeatureDefinition, tables: Sequence[Mapping[str, Any]]) -> None:
    for table in tables:
        for name, (is_legal, expected) in LEGAL.items():
            if name in table and not is_legal(table[name]):
                raise _illegal(definition, name, table[name], expected)


def _check_burden(definition: FeatureDefinition) -> None:
    kinds = ("continuous",) if "exome_mb" in definition.parameters else ("binary", "count")
    if definition.kind not in kinds:
        raise _illegal(definition, "kind", definition.kind, " or ".join(kinds))
    if "least_mb" in definition.parameters and "exome_mb" not in definition.parameters:
        raise _illegal(definition, "least_mb", definition.parameters["least_mb"], "exome_mb beside it")


def _check_together(definition: FeatureDefinition, rule: Mapping[str, Any]) -> None:
    """Refuse keys without the ones that give them their meaning, or beside ones that contradict them."""
    given = [name for name in RULE if name in rule]
    if "genes" not in rule and not set(given) <= {"variants"}:
        raise _illegal(definition, given[0], rule[given[0]], "genes beside it")
    if "positions" in rule and {"variants", "protein_changes", "except_changes"} & set(given):
        raise _illegal(definition, "positions", rule["positions"], "no variants and no protein changes beside it")
    changes = [*rule.get("protein_changes", ()), *rule.get("except_changes", ())]
    strange = set(rule.get("codons", {})) - {codon_of(change) for change in changes}
    if strange:
        raise _illegal(definition, "codons", ", ".join(sorted(strange)), "codons of the protein changes of the rule")


def _illegal(definition: FeatureDefinition, name: str, value: Any, expected: str) -> InputError:
    return illegal_entry(definition, f"illegal {name} {value!r}", expected)


def _are(values: Any, is_legal: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and bool(values) and all(map(is_legal, values))


def _is_symbol(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_change(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    residues = RANGE.fullmatch(value)
    return int(residues[1]) <= int(residues[2]) if residues else CHANGE.fullmatch(value) is not None


def _is_interval(value: Any) -> bool:
    found = INTERVAL.fullmatch(value) if isinstance(value, str) else None
    return found is not None and int(found[2]) <= int(found[3])


def _by_build(values: Any, is_legal: Callable[[Any], bool]) -> bool:
    of_builds = isinstance(values, dict) and bool(values) and set(values) <= set(BUILDS)
    return of_builds and all(_are(listed, is_legal) for listed in values.values())


def _are_codons(values: Any) -> bool:
    return isinstance(values, dict) and all(_by_build(intervals, _is_interval) for intervals in values.values())


def _is_position(value: Any) -> bool:
    return isinstance(value, str) and POSITION.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_size(value: Any) -> bool:
    return _is_number(value) and 0 < value < float("inf")


_CHANGES = 'a list as ["F1174*", "V600E", "1116-1392"]'
_SHARE = "a number from 0 to 1"
LEGAL: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "genes": (lambda value: _are(value, _is_symbol), "a list of gene symbols"),
    "variants": (lambda value: value in [*CLASSES], ", ".join(CLASSES)),
    "protein_changes": (lambda value: _are(value, _is_change), _CHANGES),
    "except_changes": (lambda value: _are(value, _is_change), _CHANGES),
    "codons": (_are_codons, 'a table as { F1174 = { hg19 = ["2:29443695-29443697"] } }'),
    "positions": (lambda value: _by_build(value, _is_position), 'a table as { hg19 = ["5:1295228:G>A"] }'),
    "vaf_above": (_is_share, _SHARE),
    "vaf_at_least": (_is_share, _SHARE),
    "vaf_at_most": (_is_share, _SHARE),
    "exome_mb": (_is_size, "megabases"),
    "least_mb": (_is_size, "megabases"),
}
"""Whether a parameter's value is legal, and what to expect instead."""
