"""Which genes of the expression features a cohort measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.builders.expression import distinct_genes, genes_of_rows, required_genes
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, load_catalogue
from nbrelapse.mechanisms.catalogue_rules import GENE_SET_KEYS

COLUMNS = ["mechanism", "genes_asked", "genes_measured", "share", "missing", "scorable"]


def genes_found(
    cohort: Cohort, catalogue: Catalogue | None = None, gene_sets: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """Report for every expression feature how many of its genes were measured.

    Parameters
    ----------
    cohort : Cohort
    catalogue : Catalogue, optional
        The packaged one by default.
    gene_sets : dict of str to sequence of str, optional
        Complete published signatures. Features whose gene set is not here are left out, as in
        :func:`nbrelapse.mechanisms.build_features`.

    Returns
    -------
    DataFrame
        Indexed by ``feature``, in the catalogue's order: ``mechanism``; ``genes_asked`` and ``genes_measured``,
        counted by current symbol, where measured means a value in at least one diagnosis sample; ``share``, their
        ratio; ``missing``, the other genes by current symbol, separated by commas; ``scorable``, whether enough genes
        were measured for a score. A difference has the genes of both its scores, and is scorable if both are.

    Examples
    --------
    >>> from nbrelapse.cohort.cohort import Cohort
    >>> cohort = Cohort(
    ...     "one",
    ...     pd.DataFrame({"patient_id": ["p1"]}),
    ...     pd.DataFrame({"sample_id": ["s1"], "patient_id": ["p1"], "timepoint": ["diagnosis"]}),
    ...     pd.DataFrame({"sample_id": ["s1"], "assay": ["expression"]}),
    ...     expression=pd.DataFrame({"s1": [9.0, 2.0]}, index=["GZMA", "NMYC"]),
    ... )
    >>> table = genes_found(cohort)
    >>> table.loc["microenvironment__cytotoxic", ["genes_measured", "missing"]].to_dict()
    {'genes_measured': 1, 'missing': 'PRF1'}
    >>> table.index[table["scorable"]].tolist()
    ['mycn__expression']
    """
    catalogue = load_catalogue() if catalogue is None else catalogue
    definitions = {definition.name: definition for definition in catalogue.by_builder("expression")}
    asked = {name: _signatures(definition, gene_sets or {}) for name, definition in definitions.items()}
    for name, definition in definitions.items():
        if "difference" in definition.parameters:
            scores = [asked.get(score, []) for score in definition.parameters["difference"]]
            asked[name] = [part for parts in scores for part in parts] if all(scores) else []
    measured = _measured_genes(cohort)
    rows = {name: _row(definitions[name], parts, measured) for name, parts in asked.items() if parts}
    return pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS).rename_axis("feature")


def _signatures(definition: FeatureDefinition, gene_sets: Mapping[str, Sequence[str]]) -> list[pd.Index]:
    """Genes that an entry names or takes from a set, by part; none where a set is not at hand."""
    parameters = definition.parameters
    if any(parameters[key] not in gene_sets for key in GENE_SET_KEYS if key in parameters):
        return []
    lists = [gene_sets[parameters[key]] for key in GENE_SET_KEYS if key in parameters]
    lists += [parameters[key] for key in GENE_SET_KEYS.values() if key in parameters]
    lists += [[parameters["gene"]]] if "gene" in parameters else []
    return [distinct_genes(genes) for genes in lists]


def _measured_genes(cohort: Cohort) -> pd.Index:
    if cohort.expression is None:
        return pd.Index([], dtype="str")
    chosen = cohort.assayed_samples("expression")
    values = cohort.expression[chosen[chosen.isin(cohort.expression.columns)].tolist()]
    return genes_of_rows(cohort.expression.index)[values.notna().any(axis=1).to_numpy()].dropna().unique()


def _row(definition: FeatureDefinition, parts: Sequence[pd.Index], measured: pd.Index) -> list[object]:
    genes = pd.Index([gene for part in parts for gene in part], dtype="str").unique()
    found = genes.isin(measured)
    scorable = all(part.isin(measured).sum() >= required_genes(len(part)) for part in parts)
    return [
        definition.mechanism,
        len(genes),
        int(found.sum()),
        float(found.mean()),
        ", ".join(genes[~found]),
        scorable,
    ]
