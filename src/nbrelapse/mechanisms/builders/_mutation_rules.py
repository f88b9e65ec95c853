"""Which mutation calls a catalogue entry counts: genes, variant classes, protein changes and codons."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.genes import ENTREZ, canonical_symbols, may_mean
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builder_rules import _illegal_entry, check_parameters
from nbrelapse.mechanisms.builders.combination import _ThreeValued
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.genome import _BUILDS

RANGE = re.compile(r"(\d+)-(\d+)")
INTERVAL = re.compile(r"(\w+):(\d+)-(\d+)")
POSITION = re.compile(r"(\w+):(\d+):([ACGT]+>[ACGT]+)")


def match_rules(calls: pd.DataFrame, rules: Sequence[Mapping[str, Any]]) -> _ThreeValued:
    """Say for each call whether any of the rules finds it.

    Parameters
    ----------
    calls : DataFrame
        One of the tables of :class:`nbrelapse.mechanisms.builders.mutations.MutationCalls`; a rule without genes
        needs ``variant_class`` only.
    rules : sequence of dict
        As :func:`nbrelapse.mechanisms.builders.mutations.build` describes them.

    Returns
    -------
    ThreeValued
        Unknown where the call does not say what the rule asks for: the variant class, the protein change and the
        position, the alleles, or the read counts.

    Examples
    --------
    >>> calls = pd.DataFrame({"variant_class": ["Missense_Mutation", "Silent", "Targeted_Region"]})
    >>> found = match_rules(calls, [{"variants": "protein_altering"}])
    >>> found.certain.tolist(), found.possible.tolist()
    ([True, False, False], [True, False, True])
    """
    nowhere = np.zeros(len(calls), dtype=bool)
    found = _ThreeValued.known(nowhere)
    for rule in rules:
        found |= _match_of_genes(calls, rule) if "genes" in rule else _match(calls, rule)
    return found


def current_genes(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the current symbols of the genes that rules name, each once."""
    named = [gene for rule in rules for gene in rule.get("genes", ())]
    return canonical_symbols(pd.Index(named, dtype="str")).unique().tolist()


def _match_of_genes(calls: pd.DataFrame, rule: Mapping[str, Any]) -> _ThreeValued:
    genes = current_genes([rule])
    of_gene = calls["gene"].isin(genes).to_numpy(dtype=bool)
    rows = np.flatnonzero(of_gene | is_unnamed(calls["gene"]) | may_mean(calls["gene"], genes))
    found = _match(calls.iloc[rows], rule)
    certain, possible = np.zeros((2, len(calls)), dtype=bool)
    # A gene that has no symbol, or one that others have too, may be the one that is asked for.
    certain[rows], possible[rows] = found.certain & of_gene[rows], found.possible
    return _ThreeValued(certain, possible)


def is_unnamed(genes: pd.Series | pd.Index) -> np.ndarray:
    """Tell the genes of which only an Entrez id is known."""
    codes, distinct = pd.factorize(genes)
    return np.append(pd.Index(distinct, dtype="str").str.startswith(ENTREZ), False).astype(bool)[codes]


def _match(calls: pd.DataFrame, rule: Mapping[str, Any]) -> _ThreeValued:
    if "positions" in rule:
        found = _at_positions(calls, rule["positions"])
    else:
        found = _of_class(calls, CLASSES[rule.get("variants", "protein_altering")])
    codons = rule.get("codons", {})
    if "protein_changes" in rule:
        found &= _changed(calls, rule["protein_changes"], codons)
    if "except_changes" in rule:
        found &= ~_changed(calls, rule["except_changes"], codons)
    return found & _of_clonality(calls, rule)


def _of_class(calls: pd.DataFrame, classes: Sequence[str]) -> _ThreeValued:
    variant_class = calls["variant_class"]
    return _ThreeValued.known(_isin(variant_class, classes), _isin(variant_class, KNOWN))


def _of_clonality(calls: pd.DataFrame, rule: Mapping[str, Any]) -> _ThreeValued:
    found = _ThreeValued.known(np.ones(len(calls), dtype=bool))
    limits = {"vaf_above": np.greater, "vaf_at_least": np.greater_equal, "vaf_at_most": np.less_equal}
    for name, compare in limits.items():
        if name in rule:
            vaf = calls["vaf"].to_numpy()
            found &= _ThreeValued.known(compare(vaf, rule[name]), ~np.isnan(vaf))
    return found


def _changed(calls: pd.DataFrame, changes: Sequence[str], codons: Mapping[str, Any]) -> _ThreeValued:
    """Whether an amino acid change is one of `changes`: by its name, or by its position where it has none."""
    by_name = np.zeros(len(calls), dtype=bool)
    by_position = _ThreeValued.known(by_name)
    for change in changes:
        by_name = by_name | _is_named(calls, change)
        inside = _in_codon(calls, codons.get(codon_of(change), {}))
        exact = not change.endswith("*") and not RANGE.fullmatch(change)
        by_position |= _ThreeValued(inside.certain & (not exact), inside.possible)
    by_position &= _of_class(calls, ("Missense_Mutation",))
    named = calls["protein_change"].notna().to_numpy(dtype=bool)
    return _ThreeValued(
        np.where(named, by_name, by_position.certain),
        np.where(named, by_name, by_position.possible),
    )


def codon_of(change: str) -> str:
    """Return the key in ``codons`` of a protein change: ``F1174`` of ``F1174*`` and ``F1174L``, a range as it is."""
    return change if RANGE.fullmatch(change) else change[:-1]


def _is_named(calls: pd.DataFrame, change: str) -> np.ndarray:
    residues = RANGE.fullmatch(change)
    if residues:
        found = calls["residue"].between(int(residues[1]), int(residues[2]))
    elif change.endswith("*"):
        found = calls["codon"] == change[:-1]
    else:
        found = calls["protein_change"] == change
    return found.to_numpy(dtype=bool, na_value=False)


def _in_codon(calls: pd.DataFrame, intervals: Mapping[str, Sequence[str]]) -> _ThreeValued:
    """Whether a call overlaps the codon; `intervals` by genome build, unknown in a build that has none."""
    located = _located(calls, [*intervals])
    inside = np.zeros(len(calls), dtype=bool)
    for build, places in intervals.items():
        of_build = _isin(calls["build"], [build])
        for chromosome, first, last in (parse_interval(place) for place in places):
            overlap = (calls["first"] <= last) & (calls["last"] >= first)
            inside |= of_build & _isin(calls["chromosome"], [chromosome]) & overlap.to_numpy(dtype=bool)
    return _ThreeValued.known(inside, located)


def parse_interval(text: str) -> tuple[str, int, int]:
    """Return chromosome, first and last base of ``"2:29443695-29443697"``."""
    chromosome, first, last = INTERVAL.fullmatch(text).groups()  # type: ignore[union-attr]
    return chromosome, int(first), int(last)


def _at_positions(calls: pd.DataFrame, positions: Mapping[str, Sequence[str]]) -> _ThreeValued:
    """Whether a call is one of the listed base changes of a promoter."""
    place = calls["chromosome"].astype("str") + ":" + calls["first"].astype("Int64").astype("str")
    change = place + ":" + calls["alleles"]
    found = np.zeros(len(calls), dtype=bool)
    beside = np.zeros(len(calls), dtype=bool)
    for build, listed in positions.items():
        of_build = _isin(calls["build"], [build])
        found |= of_build & _isin(change, listed)
        beside |= of_build & _isin(place, [text.rpartition(":")[0] for text in listed])
    unread = beside & calls["alleles"].isna().to_numpy(dtype=bool)
    unplaced = ~_located(calls, [*positions]) & ~_isin(calls["variant_class"], OUTSIDE_PROMOTER)
    return _ThreeValued.known(found, ~(unread | unplaced))


def _located(calls: pd.DataFrame, builds: Sequence[str]) -> np.ndarray:
    known = calls["chromosome"].notna() & calls["first"].notna()
    return known.to_numpy(dtype=bool) & _isin(calls["build"], builds)


def _isin(values: pd.Series, among: Sequence[str]) -> np.ndarray:
    return values.isin(among).to_numpy(dtype=bool)


ONE_LETTER = {
    **{"Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G", "His": "H"},
    **{"Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S", "Thr": "T", "Trp": "W"},
    **{"Tyr": "Y", "Val": "V", "Sec": "U", "Ter": "*"},
}
"""Amino acids and the stop, 10.1351/pac198456050595."""
_RESIDUE = r"[A-Z*]\d+"
_READABLE = (
    rf"{_RESIDUE}(?:[A-Z*=]|\?|[A-Z]?fs.*|[A-Z*]?ext.*|_splice)|{_RESIDUE}(?:_{_RESIDUE})?(?:del|dup|ins)[A-Z*\d]*"
)
"""One change of a protein: a substitution, a shift of the frame, an extension, a splice site, a deletion, duplication
or insertion (https://hgvs-nomenclature.org). A substitution of several residues (``QE61HK``, ``Q61_E62delinsHK``) is
judged by its position, since any of them may be the one that is asked for."""


def short_protein_changes(changes: pd.Series) -> pd.Series:
    """Write protein changes in one-letter code, without ``p.``, parentheses and the protein's accession.

    A final ``X``, as older programs write it, is a stop.

    Parameters
    ----------
    changes : Series of str
        HGVS, short or long.

    Returns
    -------
    Series of str
        Missing for anything that is not one protein change in this form: nothing, ``?``, a word, a change of the DNA,
        several changes or residues, a place without the new amino acid.

    Examples
    --------
    >>> raw = pd.Series(["p.F1174L", "R1275Q", "NP_004295.2:p.(Phe1174Leu)", "p.Arg1534Ter", "R1534X", "p.?"])
    >>> short_protein_changes(raw).tolist()
    ['F1174L', 'R1275Q', 'F1174L', 'R1534*', 'R1534*', nan]
    >>> short_protein_changes(pd.Series(["MUTATED", "p.R1275Q,p.R1192P", "c.3824G>A"])).isna().tolist()
    [True, True, True]
    """
    codes, distinct = pd.factorize(changes)
    text = pd.Series(distinct, dtype="str").str.strip().str.replace(r"^[\w.-]+:", "", regex=True)
    text = text.str.replace(r"^[pP]\.", "", regex=True).str.replace(r"[()]", "", regex=True)
    text = text.str.replace("|".join(ONE_LETTER), lambda found: ONE_LETTER[found.group()], regex=True)
    text = text.str.replace(r"^([A-Z]\d+)X$", r"\1*", regex=True)
    text = text.where(text.str.fullmatch(_READABLE).fillna(False).astype(bool))
    return pd.Series(text.array.take(codes, allow_fill=True), index=changes.index, name=changes.name)


TRUNCATING = ("Nonsense_Mutation", "Frame_Shift_Del", "Frame_Shift_Ins", "Splice_Site")
PROTEIN_ALTERING = (
    *TRUNCATING,
    "Missense_Mutation",
    "In_Frame_Del",
    "In_Frame_Ins",
    "Nonstop_Mutation",
    "Stop_Codon_Del",
    "Stop_Codon_Ins",
    "Translation_Start_Site",
    "Start_Codon_SNP",
    "Start_Codon_Del",
    "Start_Codon_Ins",
)
CLASSES = {"protein_altering": PROTEIN_ALTERING, "truncating": TRUNCATING}
"""Classes that a rule can ask for: those of https://docs.gdc.cancer.gov/Data/File_Formats/MAF_Format/, and the start
and stop codons of https://gatk.broadinstitute.org/hc/en-us/articles/360035531732."""

OUTSIDE_PROMOTER = (
    *PROTEIN_ALTERING,
    "Silent",
    "Splice_Region",
    "Intron",
    "RNA",
    "lincRNA",
    "IGR",
    "3'UTR",
    "5'UTR",
    "De_novo_Start_InFrame",
    "De_novo_Start_OutOfFrame",
    "3'Flank",
    "Fusion",
)
"""Classes of variants that lie in no promoter; ``Fusion`` is a rearrangement that older studies list here."""
KNOWN = (*OUTSIDE_PROMOTER, "5'Flank")
"""Classes that say what becomes of the protein; ``Splice_Region`` lies outside the two bases of the splice site. Any
other class, as ``Targeted_Region`` or none, says nothing."""


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
    return _illegal_entry(definition, f"illegal {name} {value!r}", expected)


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
    of_builds = isinstance(values, dict) and bool(values) and set(values) <= set(_BUILDS)
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
