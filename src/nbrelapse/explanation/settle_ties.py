"""Contributions that only rounding tells apart are equal."""

from __future__ import annotations

import numpy as np
import pandas as pd

ROUNDING = 1e-6
"""Contributions of XGBoost are float32 sums over trees; those of the same value of a feature differ by less."""


def settle_ties(contributions: pd.DataFrame) -> pd.DataFrame:
    """Make contributions equal that differ by rounding, column by column, so that it gives them no rank.

    Parameters
    ----------
    contributions : DataFrame of shape (n_patients, n_columns)
        NaN stays NaN.

    Returns
    -------
    DataFrame
        In each column, ascending values with gaps of at most ``ROUNDING`` have the smallest of them.

    Examples
    --------
    >>> settle_ties(pd.DataFrame({"mycn": [0.3, 0.1, 0.30000001, None]}))["mycn"].tolist()
    [0.3, 0.1, 0.3, nan]
    """
    values = contributions.to_numpy(dtype=float)
    order = np.argsort(values, axis=0, kind="stable")
    ascending = np.take_along_axis(values, order, axis=0)
    new = np.vstack([np.ones((1, values.shape[1]), dtype=bool), np.diff(ascending, axis=0) > ROUNDING])[: len(values)]
    first = np.maximum.accumulate(np.where(new, np.arange(len(values))[:, np.newaxis], 0), axis=0)
    settled = np.empty_like(values)
    np.put_along_axis(settled, order, np.take_along_axis(ascending, first, axis=0), axis=0)
    settled[np.isnan(values)] = np.nan
    return pd.DataFrame(settled, index=contributions.index, columns=contributions.columns)
