"""Which calls a rule of the catalogue finds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.gene_symbols import canonical_symbols
from nbrelapse.mechanisms.builders.three_valued import ThreeValued
from nbrelapse.mechanisms.builders.variant_classes import CLASSES, KNOWN, OUTSIDE_PROMOTER

RANGE = re.compile(r"(\d+)-(\d+)")
INTERVAL = re.compile(r"(\w+):(\d+)-(\d+)")
POSITION = re.compile(r"(\w+):(\d+):([ACGT]+>[ACGT]+)")


def match_rules(calls: pd.DataFrame, rules: Sequence[Mapping[str, Any]]) -> ThreeValued:
    """Say for each call whether any of the rules finds it.

    Parameters
    ----------
    calls : DataFrame
        One of the tables of :class:`nbrelapse.mechanisms.builders.mutation_calls.MutationCalls`; a rule without genes
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
    found = ThreeValued.known(nowhere)
    for rule in rules:
        found |= _match_of_genes(calls, rule) if "genes" in rule else _match(calls, rule)
    return found


def current_genes(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the current symbols of the genes that rules name, each once."""
    named = [gene for rule in rules for gene in rule.get("genes", ())]
    return canonical_symbols(pd.Index(named, dtype="str")).unique().tolist()


def _match_of_genes(calls: pd.DataFrame, rule: Mapping[str, Any]) -> ThreeValued:
    rows = np.flatnonzero(calls["gene"].isin(current_genes([rule])))
    found = _match(calls.iloc[rows], rule)
    certain, possible = np.zeros((2, len(calls)), dtype=bool)
    certain[rows], possible[rows] = found.certain, found.possible
    return ThreeValued(certain, possible)


def _match(calls: pd.DataFrame, rule: Mapping[str, Any]) -> ThreeValued:
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


def _of_class(calls: pd.DataFrame, classes: Sequence[str]) -> ThreeValued:
    variant_class = calls["variant_class"]
    return ThreeValued.known(_isin(variant_class, classes), _isin(variant_class, KNOWN))


def _of_clonality(calls: pd.DataFrame, rule: Mapping[str, Any]) -> ThreeValued:
    found = ThreeValued.known(np.ones(len(calls), dtype=bool))
    limits = {"vaf_above": np.greater, "vaf_at_least": np.greater_equal, "vaf_at_most": np.less_equal}
    for name, compare in limits.items():
        if name in rule:
            vaf = calls["vaf"].to_numpy()
            found &= ThreeValued.known(compare(vaf, rule[name]), ~np.isnan(vaf))
    return found


def _changed(calls: pd.DataFrame, changes: Sequence[str], codons: Mapping[str, Any]) -> ThreeValued:
    """Whether an amino acid change is one of `changes`: by its name, or by its position where it has none."""
    by_name = np.zeros(len(calls), dtype=bool)
    by_position = ThreeValued.known(by_name)
    for change in changes:
        by_name = by_name | _is_named(calls, change)
        inside = _in_codon(calls, codons.get(codon_of(change), {}))
        exact = not change.endswith("*") and not RANGE.fullmatch(change)
        by_position |= ThreeValued(inside.certain & (not exact), inside.possible)
    by_position &= _of_class(calls, ("Missense_Mutation",))
    named = calls["protein_change"].notna().to_numpy(dtype=bool)
    return ThreeValued(
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


def _in_codon(calls: pd.DataFrame, intervals: Mapping[str, Sequence[str]]) -> ThreeValued:
    """Whether a call overlaps the codon; `intervals` by genome build, unknown in a build that has none."""
    located = _located(calls, [*intervals])
    inside = np.zeros(len(calls), dtype=bool)
    for build, places in intervals.items():
        of_build = _isin(calls["build"], [build])
        for chromosome, first, last in (parse_interval(place) for place in places):
            overlap = (calls["first"] <= last) & (calls["last"] >= first)
            inside |= of_build & _isin(calls["chromosome"], [chromosome]) & overlap.to_numpy(dtype=bool)
    return ThreeValued.known(inside, located)


def parse_interval(text: str) -> tuple[str, int, int]:
    """Return chromosome, first and last base of ``"2:29443695-29443697"``."""
    chromosome, first, last = INTERVAL.fullmatch(text).groups()  # type: ignore[union-attr]
    return chromosome, int(first), int(last)


def _at_positions(calls: pd.DataFrame, positions: Mapping[str, Sequence[str]]) -> ThreeValued:
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
    return ThreeValued.known(found, ~(unread | unplaced))


def _located(calls: pd.DataFrame, builds: Sequence[str]) -> np.ndarray:
    known = calls["chromosome"].notna() & calls["first"].notna()
    return known.to_numpy(dtype=bool) & _isin(calls["build"], builds)


def _isin(values: pd.Series, among: Sequence[str]) -> np.ndarray:
    return values.isin(among).to_numpy(dtype=bool)
