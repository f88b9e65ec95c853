"""Which rearrangements a catalogue entry looks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nbrelapse.cohort.gene_symbols import canonical_symbols
from nbrelapse.cohort.rearrangement_class import CLASSES, class_of_word
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.breakpoint_windows import Window, breakpoint_windows
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.check_parameters import check_parameters

PARAMETERS = ("genes", "windows", "both_ends", "partner_outside", "classes", "clusters")
KINDS = ("binary", "count")


@dataclass(frozen=True)
class RearrangementRule:
    """The parameters of an entry of the builder ``rearrangements``, checked.

    Parameters
    ----------
    name : str
        Of the feature.
    counted : bool
        Kind ``count``.
    genes : list of str
        Current symbols; empty for all rearrangements.
    windows : dict of str to list
        By genome build (chromosome, first, last base), one a gene.
    both_ends, partner_outside : bool
    classes : list of str
        Empty for any.
    clusters : (int, float) or None
        Breakpoints of a cluster, and how much denser they are.
    """

    name: str
    counted: bool
    genes: list[str]
    windows: dict[str, list[Window]]
    both_ends: bool
    partner_outside: bool
    classes: list[str]
    clusters: tuple[int, float] | None


def rearrangement_rule(definition: FeatureDefinition) -> RearrangementRule:
    """Read the parameters of an entry.

    Raises
    ------
    InputError
        A parameter is unknown or illegal, or the entry does not say what it looks for.

    Examples
    --------
    >>> definition = FeatureDefinition("telomere__x", "telomere", "X", "", "rearrangements", "binary", "rearrangements",
    ...     {"genes": ["ODZ3"], "classes": ["DEL"]})
    >>> rule = rearrangement_rule(definition)
    >>> rule.genes, rule.classes, rule.windows
    (['TENM3'], ['DELETION'], {})
    """
    check_parameters(definition, PARAMETERS)
    given = definition.parameters
    where = f"[{definition.mechanism}.{definition.name.removeprefix(f'{definition.mechanism}__')}]"
    genes = given.get("genes", [])
    if not isinstance(genes, (list, tuple)) or ("genes" in given and not genes):
        raise _illegal("genes is not a list of symbols", where, 'such as ["TERT"]')
    placed = any(name in given for name in ("windows", "both_ends", "partner_outside", "classes"))
    if definition.kind not in KINDS or (not genes and (definition.kind == "binary" or placed)):
        raise _illegal("it is not clear which rearrangements are looked for", where, "kind binary or count, and genes")
    both_ends, partner_outside = (_flag(given, name, where) for name in ("both_ends", "partner_outside"))
    if both_ends and partner_outside:
        raise _illegal("both_ends and partner_outside exclude each other", where, "one of them")
    return RearrangementRule(
        definition.name,
        definition.kind == "count",
        canonical_symbols(pd.Index(genes, dtype="str")).tolist(),
        breakpoint_windows(given.get("windows", {}), genes, where),
        both_ends,
        partner_outside,
        _classes(given.get("classes", []), where),
        _clusters(definition, where) if "clusters" in given else None,
    )


def _flag(given: Mapping[str, Any], name: str, where: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise _illegal(f"{name} is {value!r}", where, "true or false")
    return value


def _classes(words: str | Sequence[str], where: str) -> list[str]:
    classes = class_of_word(pd.Series(words if isinstance(words, list) else [words], dtype="str"))
    if classes.isna().any():
        raise _illegal("classes names an unknown class", where, "a list of " + ", ".join(CLASSES))
    return list(classes)


def _clusters(definition: FeatureDefinition, where: str) -> tuple[int, float]:
    given = definition.parameters["clusters"]
    legal = isinstance(given, Mapping) and set(given) == {"size", "density"}
    legal = legal and isinstance(given["size"], int) and given["size"] > 1
    legal = legal and isinstance(given["density"], (int, float)) and given["density"] > 0
    if not legal or definition.kind != "count" or "genes" in definition.parameters:
        raise _illegal("illegal clusters", where, "{ size = 10, density = 10 } in a count without genes")
    return given["size"], float(given["density"])


def _illegal(problem: str, where: str, expected: str) -> InputError:
    return InputError(problem, file="catalogue", column=where, expected=expected)
