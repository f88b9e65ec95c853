"""GISTIC's thresholded gene calls."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nbrelapse.cohort.columns import require_columns
from nbrelapse.cohort.schema import as_text
from nbrelapse.cohort.text import read_table
from nbrelapse.errors import InputError

_GENE = "Gene Symbol"
_NO_SAMPLES = ("Locus ID", "Cytoband")
_LEVELS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def _read_gistic(file: str | Path) -> pd.DataFrame:
    """Read ``all_thresholded.by_genes.txt`` of GISTIC 2.0 (doi:10.1186/gb-2011-12-4-r41).

    Parameters
    ----------
    file : path

    Returns
    -------
    DataFrame of float64
        Index ``Hugo_Symbol``, a column a sample: -2 (deep deletion) to 2 (amplification), NaN = not measured. The
        chromosome that GISTIC appends to symbols of several places (``SYMBOL|chrX``) is cut off.

    Raises
    ------
    InputError
        A column is missing, there are no samples, or a value is none of the five levels.
    """
    path = Path(file)
    table = read_table(path, matrix=True)
    expected = "the header of all_thresholded.by_genes.txt: Gene Symbol, Locus ID, Cytoband, samples"
    require_columns(table.columns, (_GENE, *_NO_SAMPLES), path, expected=expected)
    calls = table.drop(columns=[_GENE, *_NO_SAMPLES])
    if calls.shape[1] == 0:
        raise InputError("the file has no samples", file=path, expected="a column a sample after Cytoband")
    given = calls.apply(lambda column: as_text(column).notna())
    calls = calls.apply(pd.to_numeric, errors="coerce").astype("float64")
    wrong = (given & ~calls.isin(_LEVELS)).to_numpy()
    if wrong.any():
        raise InputError(
            "a value that is no GISTIC level",
            file=path,
            column=f"{int(wrong.any(axis=0).sum())} of {wrong.shape[1]} sample columns",
            rows=(wrong.any(axis=1).nonzero()[0] + 1).tolist(),
            expected="-2, -1, 0, 1 or 2",
            fix="give all_thresholded.by_genes.txt, not all_data_by_genes.txt",
        )
    genes = table[_GENE].astype("str").str.replace(r"\|.*$", "", regex=True).str.strip()
    return calls.set_axis(pd.Index(genes, name="Hugo_Symbol"), axis=0)
