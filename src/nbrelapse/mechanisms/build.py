"""From a cohort to its feature table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builders import clinical, copy_number, expression, fish, mutations, rearrangements
from nbrelapse.mechanisms.catalogue import Catalogue, load_catalogue
from nbrelapse.mechanisms.feature_table import FeatureTable

BUILDERS = {
    "clinical": clinical.build,
    "fish": fish.build,
    "copy_number": copy_number.build,
    "mutations": mutations.build,
    "rearrangements": rearrangements.build,
}


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
        entry names a ``gene_set`` that is not here is left out of the table and of its catalogue.

    Returns
    -------
    FeatureTable
        A row a patient in the cohort's order, a column a feature in the catalogue's order; NaN = not assayed.

    Raises
    ------
    InputError
        The catalogue names a builder that does not exist.

    Examples
    --------
    >>> patients = pd.DataFrame({"patient_id": ["p1", "p2"], "mycn_status": ["amplified", None]})
    >>> samples = pd.DataFrame(columns=["sample_id", "patient_id", "timepoint", "purity"], dtype="str")
    >>> assays = pd.DataFrame(columns=["sample_id", "assay", "genome_build", "panel", "platform"], dtype="str")
    >>> build_features(Cohort("two", patients, samples, assays)).values["mycn__amplified"].to_dict()
    {'p1': 1.0, 'p2': nan}
    """
    catalogue = _buildable(load_catalogue() if catalogue is None else catalogue, gene_sets or {})
    parts = [build(cohort, catalogue.by_builder(name)) for name, build in BUILDERS.items()]
    parts.append(expression.build(cohort, catalogue.by_builder("expression"), gene_sets or {}))
    values = pd.concat(parts, axis=1)[list(catalogue.features)].astype(np.float64)
    return FeatureTable(values, catalogue)


def _buildable(catalogue: Catalogue, gene_sets: Mapping[str, Sequence[str]]) -> Catalogue:
    """Return the catalogue without the features whose gene set is not at hand."""
    foreign = sorted({definition.builder for definition in catalogue.features.values()} - {*BUILDERS, "expression"})
    if foreign:
        raise InputError(
            "the catalogue names a builder that does not exist",
            column=", ".join(foreign),
            expected=", ".join([*BUILDERS, "expression"]),
        )
    features = {
        name: definition
        for name, definition in catalogue.features.items()
        if "gene_set" not in definition.parameters or definition.parameters["gene_set"] in gene_sets
    }
    return Catalogue(catalogue.version, catalogue.mechanisms, features)
