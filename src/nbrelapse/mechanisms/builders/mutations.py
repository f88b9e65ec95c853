"""Features from somatic point mutations and small insertions and deletions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.assay_coverage import assay_coverage, covers_all
from nbrelapse.mechanisms.builders.check_mutation_rules import check_mutation_rules
from nbrelapse.mechanisms.builders.mutation_calls import MutationCalls, prepare_calls
from nbrelapse.mechanisms.builders.mutation_rules import current_genes, match_rules
from nbrelapse.mechanisms.catalogue import FeatureDefinition

Rules = Sequence[Mapping[str, Any]]


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Say which patients carry a kind of mutation, or count their mutations.

    Parameters
    ----------
    cohort : Cohort
    definitions : sequence of FeatureDefinition
        An entry's parameters are a rule, or ``any_of`` several rules, each with ``genes``. A rule may have

        - ``genes``: symbols, of all times; without them every gene counts, and ``variants`` is the only other key;
        - ``variants``: "protein_altering", the default, or "truncating";
        - ``protein_changes``: ``"F1174*"`` (another amino acid at the residue), ``"V600E"`` (this change) or
          ``"1116-1392"`` (another amino acid at one of these residues); ``except_changes``: those that do not count;
        - ``codons``: where those residues lie, by residue or range and by genome build, as
          ``{F1174: {hg19: ["2:29443695-29443697"]}}``. A missense mutation without a protein change is judged by it;
        - ``positions``: by build, ``"chromosome:position:reference>allele"`` on the plus strand, whatever the class;
        - ``vaf_above``, ``vaf_at_least``, ``vaf_at_most``: limits of the share of reads with the mutation, as
          measured: it is not corrected for the purity of the sample.

        Kind ``binary`` says whether there is such a mutation and kind ``count`` is log(1 + their number). Kind
        ``continuous`` is log(1 + their number per megabase looked at): ``covered_mb`` of the assay or, for a whole
        exome or genome without it, ``exome_mb`` of the entry.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``. 1 = found, 0 = every gene looked at and negative. NaN = no sequenced
        diagnosis sample; no finding on a panel that lacks one of the genes; no finding, but a call that does not say
        whether it is one (no variant class, no protein change and no position, no reads counted). A count is NaN
        where it would need such a call. With ``positions`` (non-coding), a sample counts as looked at only if its
        panel lists the gene or if it has calls in a 5' flank at all, because exome baits leave promoters out. Per
        megabase, NaN where the size is unknown or below ``least_mb``.

    Raises
    ------
    InputError
        An entry has a parameter that no rule has, or an illegal value.

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
    rules = {definition.name: check_mutation_rules(definition) for definition in definitions}
    coverage = assay_coverage(cohort, "mutations")
    calls = prepare_calls(cohort.mutations, coverage, current_genes([rule for each in rules.values() for rule in each]))
    columns = {}
    for definition in definitions:
        looked_at = _looked_at(calls, coverage, cohort.panels, rules[definition.name])
        columns[definition.name] = _values(definition, rules[definition.name], calls, coverage, looked_at)
    return pd.DataFrame(columns, index=coverage.index, dtype=np.float64).reindex(cohort.patient_ids)


def _looked_at(calls: MutationCalls, coverage: pd.DataFrame, panels: pd.DataFrame | None, rules: Rules) -> np.ndarray:
    """Whether each sample was looked at for all that the rules ask for."""
    looked_at = covers_all(coverage, panels, current_genes(rules) or None).to_numpy(dtype=bool)
    if any("positions" in rule for rule in rules):
        in_flanks = calls.everywhere.loc[calls.everywhere["variant_class"] == "5'Flank", "sample"]
        flanks = np.bincount(in_flanks, minlength=len(coverage)) > 0
        looked_at = looked_at & (coverage["panel"].notna().to_numpy(dtype=bool) | flanks)
    return looked_at


def _values(
    definition: FeatureDefinition, rules: Rules, calls: MutationCalls, coverage: pd.DataFrame, looked_at: np.ndarray
) -> np.ndarray:
    """Value of one entry for every sequenced patient."""
    table = calls.of_genes if "genes" in rules[0] else calls.everywhere
    found = match_rules(table, rules)
    sample = table["sample"].to_numpy()
    certain = np.bincount(sample[found.certain], minlength=len(coverage))
    possible = np.bincount(sample[found.possible], minlength=len(coverage))
    if definition.kind == "binary":
        negative = looked_at & (possible == 0)
        return np.where(certain > 0, 1.0, np.where(negative, 0.0, np.nan))
    counted = np.where(certain == possible, certain, np.nan)
    if definition.kind == "count":
        return np.log1p(np.where(looked_at, counted, np.nan))
    return np.log1p(counted / _megabases(coverage, definition.parameters))


def _megabases(coverage: pd.DataFrame, parameters: Mapping[str, Any]) -> np.ndarray:
    whole = coverage["panel"].isna()
    size = coverage["covered_mb"].fillna(whole.map({True: parameters["exome_mb"], False: np.nan}))
    return size.where(size >= parameters.get("least_mb", 0)).to_numpy(dtype=np.float64)
