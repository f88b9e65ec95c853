"""From a cohort to its feature table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.builders import combination
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, load_catalogue
from nbrelapse.mechanisms.catalogue_rules import GENE_SET_KEYS
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.mechanisms.load_builder import COMBINATION, load_builder


def build_features(
    cohort: Cohort, catalogue: Catalogue | None = None, gene_sets: Mapping[str, Sequence[str]] | None = None
) -> FeatureTable:
    """Compute every feature of the catalogue for every patient.

    Parameters
    ----------
    cohort : Cohort
    catalogue : Catalogue, optional
        The packaged one by default.
    gene_sets : dict of str to sequence of str, optional
        Complete published signatures, see :func:`nbrelapse.mechanisms.gene_sets.read_gene_sets`. A feature whose
        entry names a ``gene_set`` that is not here is left out of the table and of its catalogue, and so is one that
        is computed from it.

    Returns
    -------
    FeatureTable
        A row a patient in the cohort's order, a column a feature in the catalogue's order; NaN = not assayed.

    Raises
    ------
    InputError
        The catalogue names a builder that does not exist, or an entry has a parameter that its builder cannot read; a
        builder of another package fails, see :func:`nbrelapse.mechanisms.load_builder.load_builder`.

    Examples
    --------
    >>> patients = pd.DataFrame({"patient_id": ["p1", "p2"], "mycn_status": ["amplified", None]})
    >>> samples = pd.DataFrame(columns=["sample_id", "patient_id", "timepoint", "purity"], dtype="str")
    >>> assays = pd.DataFrame(columns=["sample_id", "assay", "genome_build", "panel", "platform"], dtype="str")
    >>> build_features(Cohort("two", patients, samples, assays)).values["mycn__amplified"].to_dict()
    {'p1': 1.0, 'p2': nan}
    """
    sets = gene_sets or {}
    catalogue = _buildable(load_catalogue() if catalogue is None else catalogue, sets)
    names = dict.fromkeys(definition.builder for definition in catalogue.features.values())
    builders = {name: load_builder(name) for name in names if name != COMBINATION}
    parts = [pd.DataFrame(index=cohort.patient_ids)]
    for name, build in builders.items():
        parts.append(build(cohort, [_with_genes(definition, sets) for definition in catalogue.by_builder(name)]))
    values = pd.concat(parts, axis=1)
    if COMBINATION in names:
        combined = combination.build(cohort, values, catalogue.by_builder(COMBINATION))
        values = pd.concat([values, combined], axis=1)
    return FeatureTable(values[list(catalogue.features)].astype(np.float64), catalogue)


def _buildable(catalogue: Catalogue, gene_sets: Mapping[str, Sequence[str]]) -> Catalogue:
    """Return the catalogue without the features whose gene set is not at hand, and without what reads them."""
    left_out = {
        name
        for name, definition in catalogue.features.items()
        if any(definition.parameters[key] not in gene_sets for key in GENE_SET_KEYS if key in definition.parameters)
    }
    while more := {
        name
        for name, definition in catalogue.features.items()
        if name not in left_out and not left_out.isdisjoint(definition.inputs)
    }:
        left_out |= more
    features = {name: definition for name, definition in catalogue.features.items() if name not in left_out}
    return replace(catalogue, features=features)


def _with_genes(definition: FeatureDefinition, gene_sets: Mapping[str, Sequence[str]]) -> FeatureDefinition:
    """Return the definition with the genes of the sets that it names."""
    named = {key: gene_sets[definition.parameters[key]] for key in GENE_SET_KEYS if key in definition.parameters}
    if not named:
        return definition
    kept = {key: value for key, value in definition.parameters.items() if key not in named}
    return replace(definition, parameters=kept | {GENE_SET_KEYS[key]: list(genes) for key, genes in named.items()})
