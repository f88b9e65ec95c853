"""Features from somatic point mutations and small insertions and deletions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.genes import canonical_symbols, may_mean
from nbrelapse.cohort.mutations import variant_numbers
from nbrelapse.mechanisms.builders._mutation_rules import (
    check_mutation_rules,
    current_genes,
    is_unnamed,
    match_rules,
    short_protein_changes,
)
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.gene_sets import _finding_values, assay_coverage, covers_all

_Rules = Sequence[Mapping[str, Any]]


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

        Kind ``binary`` says whether there is such a mutation and kind ``count`` is log(1 + their number); a variant
        that a sample has in several rows, of two transcripts or genes, counts once. Kind
        ``continuous`` is log(1 + their number per megabase looked at): ``covered_mb`` of the assay or, for a whole
        exome or genome without it, ``exome_mb`` of the entry.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``. 1 = found, 0 = every gene looked at and negative. NaN = no sequenced
        diagnosis sample; no finding on a panel that lacks one of the genes; no finding, but a call that does not say
        whether it is one (no variant class, no protein change and no position, no reads counted, a gene of which only
        an Entrez id is known). A count is NaN
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
    calls = _prepare_calls(
        cohort.mutations, coverage, current_genes([rule for each in rules.values() for rule in each])
    )
    columns = {}
    for definition in definitions:
        looked_at = _looked_at(calls, coverage, cohort.panels, rules[definition.name])
        columns[definition.name] = _values(definition, rules[definition.name], calls, coverage, looked_at)
    return pd.DataFrame(columns, index=coverage.index, dtype=np.float64).reindex(cohort.patient_ids)


def _looked_at(calls: _MutationCalls, coverage: pd.DataFrame, panels: pd.DataFrame | None, rules: _Rules) -> np.ndarray:
    """Whether each sample was looked at for all that the rules ask for."""
    looked_at = covers_all(coverage, panels, current_genes(rules) or None).to_numpy(dtype=bool)
    if any("positions" in rule for rule in rules):
        in_flanks = calls.everywhere.loc[calls.everywhere["variant_class"] == "5'Flank", "sample"]
        flanks = np.bincount(in_flanks, minlength=len(coverage)) > 0
        looked_at = looked_at & (coverage["panel"].notna().to_numpy(dtype=bool) | flanks)
    return looked_at


def _values(
    definition: FeatureDefinition, rules: _Rules, calls: _MutationCalls, coverage: pd.DataFrame, looked_at: np.ndarray
) -> np.ndarray:
    """Value of one entry for every sequenced patient."""
    table = calls.of_genes if "genes" in rules[0] else calls.everywhere
    found = match_rules(table, rules)
    certain, possible = (_distinct(table, which, len(coverage)) for which in (found.certain, found.possible))
    unclear = certain != possible
    if definition.kind == "continuous":
        return np.log1p(np.where(unclear, np.nan, certain) / _megabases(coverage, definition.parameters))
    return _finding_values(certain, unclear, looked_at, counted=definition.kind == "count")


def _distinct(calls: pd.DataFrame, which: np.ndarray, samples: int) -> np.ndarray:
    """Count the variants of each sample that some of the calls are of."""
    chosen = calls.loc[which, ["sample", "variant"]].drop_duplicates("variant")
    return np.bincount(chosen["sample"], minlength=samples)


def _megabases(coverage: pd.DataFrame, parameters: Mapping[str, Any]) -> np.ndarray:
    whole = coverage["panel"].isna()
    size = coverage["covered_mb"].fillna(whole.map({True: parameters["exome_mb"], False: np.nan}))
    return size.where(size >= parameters.get("least_mb", 0)).to_numpy(dtype=np.float64)


_COLUMNS = [
    "sample_id",
    "Hugo_Symbol",
    "Chromosome",
    "Start_Position",
    "End_Position",
    "Variant_Classification",
    "Reference_Allele",
    "Tumor_Seq_Allele2",
    "HGVSp_Short",
    "t_alt_count",
    "t_ref_count",
]


@dataclass(frozen=True)
class _MutationCalls:
    """Calls with the row number of their sample.

    Parameters
    ----------
    everywhere : DataFrame
        A row a call of a chosen sample: ``sample`` (row of the coverage table), ``variant_class``, and the number of
        the ``variant``, which rows of one sample, place and change share.
    of_genes : DataFrame
        The calls of the genes that rules name, with ``gene`` (current symbol), ``protein_change`` (one-letter code),
        ``codon`` (``"F1174"``) and ``residue`` (1174) of a substitution by another amino acid, ``build``,
        ``chromosome`` (without ``chr``), ``first``, ``last``, ``alleles`` (``"G>A"``) and ``vaf``, the share of reads
        with the mutation (missing where there are no counts or no reads).
    """

    everywhere: pd.DataFrame
    of_genes: pd.DataFrame


def _prepare_calls(mutations: pd.DataFrame | None, coverage: pd.DataFrame, genes: Collection[str]) -> _MutationCalls:
    """Return the calls of the samples in `coverage`.

    Parameters
    ----------
    mutations : DataFrame or None
        The cohort's table; columns that it lacks are missing values.
    coverage : DataFrame
        ``sample_id``, ``genome_build``; from :func:`nbrelapse.mechanisms.gene_sets.assay_coverage`.
    genes : collection of str
        Current symbols of the genes that rules name.

    Examples
    --------
    >>> mutations = pd.DataFrame({"sample_id": ["s1", "s9"], "Hugo_Symbol": ["ALK", "ALK"], "HGVSp_Short": "p.F1174L",
    ...     "Variant_Classification": "Missense_Mutation", "t_alt_count": 3.0, "t_ref_count": 9.0})
    >>> coverage = pd.DataFrame({"sample_id": ["s0", "s1"], "genome_build": "hg19"})
    >>> _prepare_calls(mutations, coverage, ["ALK"]).of_genes[["sample", "gene", "codon", "vaf"]].values.tolist()
    [[1, 'ALK', 'F1174', 0.25]]
    """
    table = pd.DataFrame(columns=_COLUMNS, dtype="str") if mutations is None else mutations
    codes, samples = pd.factorize(table["sample_id"])
    sample = pd.Index(coverage["sample_id"]).get_indexer(samples)[codes]
    codes, symbols = pd.factorize(table["Hugo_Symbol"])
    current = canonical_symbols(pd.Index(symbols, dtype="str"))
    chosen = sample >= 0
    rows = np.flatnonzero(chosen & (current.isin([*genes]) | is_unnamed(current) | may_mean(current, genes))[codes])
    variant = variant_numbers(table)
    everywhere = pd.DataFrame(
        {
            "sample": sample[chosen],
            "variant": variant[chosen],
            "variant_class": table["Variant_Classification"].astype("category").array[chosen],
        }
    )
    builds = coverage["genome_build"].astype("category").array
    of_genes = _described(table.take(rows).reindex(columns=_COLUMNS).reset_index(drop=True)).assign(
        sample=sample[rows],
        variant=variant[rows],
        gene=current.take(codes[rows]).astype("category"),
        build=builds.take(sample[rows]),
    )
    return _MutationCalls(everywhere, of_genes)


def _described(table: pd.DataFrame) -> pd.DataFrame:
    change = short_protein_changes(table["HGVSp_Short"].astype("str"))
    codes, distinct = pd.factorize(change)
    parts = pd.Series(distinct, dtype="str").str.extract(r"^([A-Z])(\d+)([A-Z])$")
    parts = parts[parts[0] != parts[2]].reindex(range(len(parts)))
    substituted = pd.DataFrame({"codon": parts[0] + parts[1], "residue": parts[1].astype("float64")})
    counts = table[["t_alt_count", "t_ref_count"]].astype("float64")
    depth = counts.sum(axis=1, skipna=False)
    first = table["Start_Position"].astype("float64")
    chromosome = table["Chromosome"].astype("str").str.removeprefix("chr")
    return pd.DataFrame(
        {
            "variant_class": table["Variant_Classification"].astype("category"),
            "protein_change": change,
            "codon": substituted["codon"].array.take(codes, allow_fill=True),
            "residue": substituted["residue"].array.take(codes, allow_fill=True),
            "chromosome": chromosome.astype("category"),
            "first": first,
            "last": table["End_Position"].astype("float64").fillna(first),
            "alleles": table["Reference_Allele"].astype("str") + ">" + table["Tumor_Seq_Allele2"].astype("str"),
            "vaf": counts["t_alt_count"] / depth.where(depth > 0),
        }
    )
