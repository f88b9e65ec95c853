"""Every gene of the mechanisms' gene sets as a feature of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition
from nbrelapse.mechanisms.catalogue_rules import GENE_SET_KEYS


def with_gene_features(
    catalogue: Catalogue, gene_sets: Mapping[str, Sequence[str]], measured: Collection[str]
) -> Catalogue:
    """Return the catalogue with a feature for each measured gene of the gene sets that its features name.

    A signature weighs its genes alike; these let a model weigh them itself. A gene belongs to the mechanism of its
    smallest set, at equal size of the one that the catalogue names first: the fewer genes, the more it says of each.

    Parameters
    ----------
    catalogue : Catalogue
    gene_sets : dict of str to sequence of str
        Gene symbols by set.
    measured : collection of str
        Symbols of the expression matrix; other genes are left out.

    Returns
    -------
    Catalogue
        The new features have the role ``gene`` and the name ``mechanism__gene_SYMBOL``.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> sets = {"HALLMARK_P53_PATHWAY": ["CDKN1A", "BAX"], "HALLMARK_APOPTOSIS": ["BAX"]}
    >>> catalogue = with_gene_features(load_catalogue(), sets, ["BAX", "CDKN1A", "ACTB"])
    >>> [name for name, feature in catalogue.features.items() if feature.role == "gene"]
    ['p53__gene_BAX', 'p53__gene_CDKN1A']
    """
    named = [
        (definition, definition.parameters[key])
        for definition in catalogue.features.values()
        for key in GENE_SET_KEYS
        if definition.parameters.get(key) in gene_sets
    ]
    known = set(measured)
    owners: dict[str, FeatureDefinition] = {}
    for definition, name in sorted(named, key=lambda item: len(gene_sets[item[1]])):
        for gene in gene_sets[name]:
            if gene in known:
                owners.setdefault(gene, definition)
    added = {f"{owner.mechanism}__gene_{gene}": _gene_feature(gene, owner) for gene, owner in owners.items()}
    return replace(catalogue, features={**catalogue.features, **added})


def _gene_feature(gene: str, owner: FeatureDefinition) -> FeatureDefinition:
    return FeatureDefinition(
        name=f"{owner.mechanism}__gene_{gene}",
        mechanism=owner.mechanism,
        title=gene,
        definition=f"Rank percentile of {gene} within the sample.",
        assay="expression",
        kind="score",
        builder="expression",
        parameters={"gene": gene},
        role="gene",
        reference=owner.reference,
    )
