"""Features from somatic point mutations and small insertions and deletions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.assay_coverage import assay_coverage, covers_all
from nbrelapse.mechanisms.catalogue import FeatureDefinition

TRUNCATING = ("Nonsense_Mutation", "Frame_Shift_Del", "Frame_Shift_Ins", "Splice_Site")
PROTEIN_ALTERING = (
    *TRUNCATING,
    "Missense_Mutation",
    "In_Frame_Del",
    "In_Frame_Ins",
    "Nonstop_Mutation",
    "Translation_Start_Site",
)
"""Variant classes of the MAF format, https://docs.gdc.cancer.gov/Data/File_Formats/MAF_Format/."""
CLASSES = {"protein_altering": PROTEIN_ALTERING, "truncating": TRUNCATING}


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Say which patients carry a kind of mutation, or count their mutations.

    Parameters
    ----------
    cohort : Cohort
    definitions : sequence of FeatureDefinition
        An entry's parameters are a rule, or ``any_of`` several rules. A rule has ``genes`` and may have ``variants``
        ("protein_altering", the default, or "truncating"), ``protein_changes`` (``"F1174*"``: any other amino acid
        at the residue; ``"V600E"``: this change only) and ``positions`` (by genome build,
        ``"chromosome:position:reference>allele"`` on the plus strand, whatever the variant class). Kind ``count``
        is log(1 + number of variants), of all genes where the entry names none.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``. 1 = found, 0 = looked at and negative. NaN = no sequenced diagnosis
        sample; no finding on a panel that lacks one of the genes; no finding, but a variant of the gene whose
        protein change is not recorded. A count is NaN on any panel. With ``positions`` (non-coding), a sample
        counts as looked at only if its panel lists the gene or if it has calls in a 5' flank at all, because exome
        baits leave promoters out.

    Examples
    --------
    >>> cohort = Cohort(
    ...     "three",
    ...     pd.DataFrame({"patient_id": ["p1", "p2", "p3"]}),
    ...     pd.DataFrame({"sample_id": ["s1", "s2"], "patient_id": ["p1", "p2"], "timepoint": "diagnosis"}),
    ...     pd.DataFrame({"sample_id": ["s1", "s2"], "assay": "mutations", "genome_build": "hg19", "panel": None}),
    ...     mutations=pd.DataFrame({"sample_id": ["s1"], "Hugo_Symbol": ["ALK"], "HGVSp_Short": ["p.F1174L"],
    ...         "Variant_Classification": ["Missense_Mutation"]}),
    ... )
    >>> hotspot = FeatureDefinition("alk__hotspot_mutation", "alk", "ALK", "", "mutations", "binary", "mutations",
    ...     {"genes": ["ALK"], "protein_changes": ["F1174*", "R1275*"]})
    >>> build(cohort, [hotspot])["alk__hotspot_mutation"].to_dict()
    {'p1': 1.0, 'p2': 0.0, 'p3': nan}
    """
    coverage = assay_coverage(cohort, "mutations")
    calls = _calls(cohort.mutations, coverage)
    columns = {definition.name: _feature(calls, coverage, cohort.panels, definition) for definition in definitions}
    return pd.DataFrame(columns, index=coverage.index, dtype=np.float64).reindex(cohort.patient_ids)


COLUMNS = [
    "sample_id",
    "Hugo_Symbol",
    "Chromosome",
    "Start_Position",
    "Variant_Classification",
    "Reference_Allele",
    "Tumor_Seq_Allele2",
    "HGVSp_Short",
]


def _calls(mutations: pd.DataFrame | None, coverage: pd.DataFrame) -> pd.DataFrame:
    """Mutations of the chosen samples, with the genome build of each."""
    table = pd.DataFrame(columns=COLUMNS, dtype="str") if mutations is None else mutations.reindex(columns=COLUMNS)
    table = table[table["sample_id"].isin(coverage["sample_id"])].reset_index(drop=True)
    builds = coverage.set_index("sample_id")["genome_build"]
    return table.assign(genome_build=table["sample_id"].map(builds))


def _feature(
    calls: pd.DataFrame, coverage: pd.DataFrame, panels: pd.DataFrame | None, definition: FeatureDefinition
) -> np.ndarray:
    """Value of one entry for every sequenced patient."""
    rules: Sequence[Mapping[str, Any]] = definition.parameters.get("any_of", [definition.parameters])
    found = np.zeros(len(calls), dtype=bool)
    unclear = np.zeros(len(calls), dtype=bool)
    for rule in rules:
        rule_found, rule_unclear = _match(calls, rule)
        found |= rule_found
        unclear |= rule_unclear
    genes = [gene for rule in rules for gene in rule.get("genes", ())] or None
    looked_at = covers_all(coverage, panels, genes)
    if any("positions" in rule for rule in rules):
        flanked = calls.loc[calls["Variant_Classification"] == "5'Flank", "sample_id"]
        looked_at &= coverage["panel"].notna() | coverage["sample_id"].isin(flanked)
    samples = coverage["sample_id"]
    if definition.kind == "count":
        counts = samples.map(calls.loc[found, "sample_id"].value_counts()).fillna(0).to_numpy(dtype=np.float64)
        return np.where(looked_at, np.log1p(counts), np.nan)
    negative = looked_at & ~samples.isin(calls.loc[unclear, "sample_id"])
    positive = samples.isin(calls.loc[found, "sample_id"])
    return np.where(positive, 1.0, np.where(negative, 0.0, np.nan))


def _match(calls: pd.DataFrame, rule: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Which calls a rule finds, and which it cannot judge."""
    genes = calls["Hugo_Symbol"].isin(rule["genes"]) if "genes" in rule else pd.Series(True, index=calls.index)
    nowhere = np.zeros(len(calls), dtype=bool)
    if "positions" in rule:
        return (genes & _at_positions(calls, rule["positions"])).to_numpy(dtype=bool), nowhere
    candidates = genes & calls["Variant_Classification"].isin(CLASSES[rule.get("variants", "protein_altering")])
    if "protein_changes" not in rule:
        return candidates.to_numpy(dtype=bool), nowhere
    changes = calls["HGVSp_Short"].astype("str").str.removeprefix("p.")
    known = changes.notna() & (changes != "")
    matched = changes.where(known, "").str.fullmatch(_pattern(rule["protein_changes"])).astype(bool)
    return (candidates & matched).to_numpy(dtype=bool), (candidates & ~known).to_numpy(dtype=bool)


def _pattern(changes: Sequence[str]) -> str:
    """Regular expression of protein changes; a final ``*`` stands for another amino acid."""
    return "|".join(
        re.escape(change[:-1]) + "[A-Z]" if change.endswith("*") else re.escape(change) for change in changes
    )


def _at_positions(calls: pd.DataFrame, positions: Mapping[str, Sequence[str]]) -> pd.Series:
    start = calls["Start_Position"].astype("Float64").astype("Int64").astype("str")
    change = calls["Reference_Allele"].astype("str") + ">" + calls["Tumor_Seq_Allele2"].astype("str")
    key = calls["genome_build"].astype("str") + " " + calls["Chromosome"].astype("str") + ":" + start + ":" + change
    return key.isin([f"{build} {place}" for build, places in positions.items() for place in places])
