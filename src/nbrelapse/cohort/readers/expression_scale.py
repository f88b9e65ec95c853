"""Bring expression to log2."""

from __future__ import annotations

import numpy as np
import pandas as pd

LARGEST_LOG2 = 50.0


def to_log2(expression: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return expression in log2 and how it got there.

    No log2 expression value comes near 50 (2^50 copies), whereas linear counts, RPKM or intensities of a whole tumour
    always exceed it; that decides. Linear values become ``log2(x + 1)``.

    Parameters
    ----------
    expression : DataFrame
        Gene by sample, float64.

    Returns
    -------
    expression : DataFrame
    unit : {"log2", "log2(x + 1) of linear values"}

    Examples
    --------
    >>> import pandas as pd
    >>> to_log2(pd.DataFrame({"a": [3.0, 1023.0]}))[0]["a"].tolist()
    [2.0, 10.0]
    >>> to_log2(pd.DataFrame({"a": [3.0, 12.5]}))[1]
    'log2'
    """
    values = expression.to_numpy()
    if not values.size or np.all(np.isnan(values)) or np.nanmax(values) <= LARGEST_LOG2:
        return expression, "log2"
    logged = np.log2(np.clip(values, 0.0, None) + 1.0)
    return pd.DataFrame(logged, index=expression.index, columns=expression.columns), "log2(x + 1) of linear values"
