"""The mutation calls of the chosen samples, prepared for the rules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.cohort.gene_symbols import canonical_symbols
from nbrelapse.mechanisms.builders.protein_changes import short_protein_changes

COLUMNS = [
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
class MutationCalls:
    """Calls with the row number of their sample.

    Parameters
    ----------
    everywhere : DataFrame
        A row a call of a chosen sample: ``sample`` (row of the coverage table) and ``variant_class``.
    of_genes : DataFrame
        The calls of the genes that rules name, with ``gene`` (current symbol), ``protein_change`` (one-letter code),
        ``codon`` (``"F1174"``) and ``residue`` (1174) of a substitution by another amino acid, ``build``,
        ``chromosome`` (without ``chr``), ``first``, ``last``, ``alleles`` (``"G>A"``) and ``vaf``, the share of reads
        with the mutation (missing where there are no counts or no reads).
    """

    everywhere: pd.DataFrame
    of_genes: pd.DataFrame


def prepare_calls(mutations: pd.DataFrame | None, coverage: pd.DataFrame, genes: Collection[str]) -> MutationCalls:
    """Return the calls of the samples in `coverage`.

    Parameters
    ----------
    mutations : DataFrame or None
        The cohort's table; columns that it lacks are missing values.
    coverage : DataFrame
        ``sample_id``, ``genome_build``; from :func:`nbrelapse.mechanisms.assay_coverage.assay_coverage`.
    genes : collection of str
        Current symbols of the genes that rules name.

    Examples
    --------
    >>> mutations = pd.DataFrame({"sample_id": ["s1", "s9"], "Hugo_Symbol": ["ALK", "ALK"], "HGVSp_Short": "p.F1174L",
    ...     "Variant_Classification": "Missense_Mutation", "t_alt_count": 3.0, "t_ref_count": 9.0})
    >>> coverage = pd.DataFrame({"sample_id": ["s0", "s1"], "genome_build": "hg19"})
    >>> prepare_calls(mutations, coverage, ["ALK"]).of_genes[["sample", "gene", "codon", "vaf"]].values.tolist()
    [[1, 'ALK', 'F1174', 0.25]]
    """
    table = pd.DataFrame(columns=COLUMNS, dtype="str") if mutations is None else mutations
    codes, samples = pd.factorize(table["sample_id"])
    sample = pd.Index(coverage["sample_id"]).get_indexer(samples)[codes]
    codes, symbols = pd.factorize(table["Hugo_Symbol"])
    current = canonical_symbols(pd.Index(symbols, dtype="str"))
    chosen = sample >= 0
    rows = np.flatnonzero(chosen & current.isin([*genes])[codes])
    everywhere = pd.DataFrame(
        {
            "sample": sample[chosen],
            "variant_class": table["Variant_Classification"].astype("category").array[chosen],
        }
    )
    builds = coverage["genome_build"].astype("category").array
    of_genes = _described(table.take(rows).reindex(columns=COLUMNS).reset_index(drop=True)).assign(
        sample=sample[rows], gene=current.take(codes[rows]).astype("category"), build=builds.take(sample[rows])
    )
    return MutationCalls(everywhere, of_genes)


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
