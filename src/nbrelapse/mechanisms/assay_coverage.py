"""Which patients an assay has looked at, gene by gene."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.gene_symbols import canonical_symbols


def assay_coverage(cohort: Cohort, assay: str) -> pd.DataFrame:
    """Return the assayed diagnosis sample of each patient, and how it was looked at.

    Parameters
    ----------
    cohort : Cohort
    assay : {"mutations", "rearrangements"}

    Returns
    -------
    DataFrame
        Indexed by the ``patient_id`` of assayed patients; ``sample_id``, ``panel`` (missing = whole exome or
        genome), ``genome_build``, ``covered_mb`` (megabases of coding sequence, NaN = unknown).
    """
    chosen = cohort.assayed_samples(assay)
    how = cohort.assays[cohort.assays["assay"] == assay].set_index("sample_id")
    how = how.reindex(columns=["panel", "genome_build", "covered_mb"]).reindex(chosen)
    return how.reset_index(names="sample_id").set_index(chosen.index)


def covers_all(coverage: pd.DataFrame, panels: pd.DataFrame | None, genes: Sequence[str] | None) -> pd.Series:
    """Whether every gene was looked at.

    Parameters
    ----------
    coverage : DataFrame
        From :func:`assay_coverage`.
    panels : DataFrame or None
        ``panel``, ``gene``; a panel without listed genes covers none.
    genes : sequence of str or None
        Symbols, of all times as in `panels`: a former name of a gene is the gene. None asks for the whole exome or
        genome.

    Returns
    -------
    Series of bool
        Indexed as `coverage`.

    Examples
    --------
    >>> coverage = pd.DataFrame({"panel": ["P1", None]}, index=["a", "b"])
    >>> covers_all(coverage, pd.DataFrame({"panel": ["P1"], "gene": ["ALK"]}), ["ALK", "TP53"]).to_dict()
    {'a': False, 'b': True}
    >>> covers_all(coverage, pd.DataFrame({"panel": ["P1"], "gene": ["MLL2"]}), ["KMT2D"]).to_dict()
    {'a': True, 'b': True}
    """
    whole = coverage["panel"].isna()
    if genes is None or panels is None:
        return whole
    wanted = canonical_symbols(pd.Index([*genes], dtype="str")).unique()
    current = canonical_symbols(panels["gene"])
    listed = current[current.isin(wanted)].groupby(panels["panel"]).nunique()
    return whole | coverage["panel"].isin(listed.index[listed == len(wanted)])
