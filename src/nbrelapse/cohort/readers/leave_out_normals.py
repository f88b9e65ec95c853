"""Matched normal samples among the data of the tumours."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from nbrelapse.cohort.distinct_values import encode, is_among
from nbrelapse.cohort.readers.target_barcodes import target_timepoints
from nbrelapse.cohort.schema import ASSAY_OF, MATRICES
from nbrelapse.cohort.vocabulary import as_text


def leave_out_normals(tables: dict[str, pd.DataFrame], normals: Collection[str], repairs: list[str]) -> None:
    """Leave the data of matched normal samples out of the molecular tables.

    A sample that the clinical table does not have is a normal where the MAF names it as one, or where its TARGET code
    says so. Any other unknown sample stays, and is refused later.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By name, changed in place; ``samples`` lists the tumours.
    normals : collection of str
        Named as normals.
    repairs : list of str
        What was left out is appended.

    Examples
    --------
    >>> import pandas as pd
    >>> tables = {"samples": pd.DataFrame({"sample_id": ["a"]}), "expression": pd.DataFrame({"a": [1.0], "a-N": [2.0]})}
    >>> repairs = []
    >>> leave_out_normals(tables, ["a-N"], repairs)
    >>> tables["expression"].columns.tolist(), repairs
    (['a'], ['expression: 1 matched normal samples left out'])
    """
    tumours, named = as_text(tables["samples"]["sample_id"]), pd.Series(list(normals), dtype="str")
    for name in [name for name in ASSAY_OF if name in tables]:
        table = tables[name]
        codes, distinct = encode(pd.Series(table.columns) if name in MATRICES else table["sample_id"])
        ids = as_text(distinct.astype("str"))
        normal = ~is_among(ids, tumours)
        normal[normal] = is_among(ids[normal], named) | (target_timepoints(ids[normal]) == "normal")
        if normal.any():
            # Rows without a sample stay, to be refused by number.
            keep = ~np.append(normal, False)[codes]
            tables[name] = table.loc[:, keep] if name in MATRICES else table[keep]
            repairs.append(f"{name}: {int(normal.sum())} matched normal samples left out")
