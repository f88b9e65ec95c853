"""Spearman's correlation of two tables, column by column."""

from __future__ import annotations

import pandas as pd


def rank_correlation(values: pd.DataFrame, contributions: pd.DataFrame) -> pd.Series:
    """Return Spearman's correlation of each column of two tables, over the rows where the first has a value.

    Parameters
    ----------
    values : DataFrame of shape (n_patients, n_columns)
        NaN = not assayed: the row is left out of that column.
    contributions : DataFrame of shape (n_patients, n_columns)
        The same rows and columns.

    Returns
    -------
    Series of shape (n_columns,)
        NaN where one side is constant.

    Examples
    --------
    >>> values = pd.DataFrame({"mycn__amplified": [0.0, 1.0, None], "alk__mutated": [1.0, 1.0, 1.0]})
    >>> rank_correlation(values, pd.DataFrame({"mycn__amplified": [-0.1, 0.3, 9.0], "alk__mutated": [0.0, 0.1, 0.2]}))
    mycn__amplified    1.0
    alk__mutated       NaN
    dtype: float64
    """
    observed = values.notna()
    x = values.rank()
    y = contributions.where(observed).rank()
    x, y = x - x.mean(), y - y.mean()
    spread = ((x**2).sum() * (y**2).sum()) ** 0.5
    return (x * y).sum() / spread.where(spread > 0)
