"""Which cohorts can be built and scored block by block, with what all patients together would give."""

from __future__ import annotations

from nbrelapse.cohort.blocks import StoredCohort
from nbrelapse.mechanisms.build import _PACKAGED, COMBINATION
from nbrelapse.mechanisms.catalogue import Catalogue


def independent_blocks(stored: StoredCohort, catalogue: Catalogue) -> StoredCohort:
    """Return a cohort in blocks whose features are those that all its patients together would have.

    No packaged builder compares a patient with another, once the cohort says the scale of the log2 ratios of each
    copy-number platform and the unit of gene copy numbers, as all that was imported does. Where it does not, or a
    builder of another package is asked for, which may compare patients, all patients are one block.

    Parameters
    ----------
    stored : StoredCohort
    catalogue : Catalogue

    Returns
    -------
    StoredCohort

    Examples
    --------
    >>> import tempfile
    >>> from nbrelapse.cohort import open_cohort, write_cohort
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> from nbrelapse.simulation import simulate_cohort
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     stored = open_cohort(write_cohort(simulate_cohort(60, seed=1), f"{folder}/cohort", block_size=25))
    ...     len(independent_blocks(stored, load_catalogue()).blocks)
    3
    """
    if len(stored.blocks) == 1:
        return stored
    builders = {entry.builder for entry in catalogue.features.values()}
    alone = builders <= {*_PACKAGED, COMBINATION} and _scales_are_known(stored)
    return stored if alone else stored.whole()


def _scales_are_known(stored: StoredCohort) -> bool:
    """Whether the metadata say what would otherwise be learned from the segments and gene copy numbers of all."""
    metadata = stored.metadata
    if "gene_copy_number" in stored.tables and "unit" not in metadata.get("gene_copy_number", {}):
        return False
    if "segments" not in stored.tables:
        return True
    assays = stored.columns("assays", ["assay", "platform"])
    platforms = assays.loc[assays["assay"] == "copy_number", "platform"].astype("object").fillna("unknown")
    return set(platforms.unique()) <= set(metadata.get("platforms", {}))
