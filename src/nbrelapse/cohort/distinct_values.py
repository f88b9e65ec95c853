"""Work on the distinct values of a column instead of its rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd


def map_distinct(values: pd.Series, function: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Apply a function of single values to each distinct value once.

    Ten million segments have a few thousand samples and 24 chromosomes; spelling each once saves nearly all the work.

    Parameters
    ----------
    values : Series
        Of any type; also categorical, as large files are read.
    function : callable
        Takes a Series of distinct, known values and returns one of the same length.

    Returns
    -------
    Series
        As `values`, of the function's type; missing values stay missing.

    Examples
    --------
    >>> import pandas as pd
    >>> map_distinct(pd.Series(["chr2", None, "chr2"]), lambda names: names.str.removeprefix("chr")).tolist()
    ['2', nan, '2']
    """
    # Objects of different types may be equal, such as 1 and True, but are spelled differently.
    if values.dtype == object:
        return function(values)
    codes, distinct = encode(values)
    ready = function(distinct)
    return pd.Series(ready.array.take(codes, allow_fill=True), index=values.index, name=values.name)


def encode(values: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Return the number of each row's value, -1 where it is missing, and the distinct values.

    Examples
    --------
    >>> import pandas as pd
    >>> codes, distinct = encode(pd.Series(["b", "a", None, "b"]))
    >>> codes.tolist(), distinct.tolist()
    ([0, 1, -1, 0], ['b', 'a'])
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        return _used(values.cat.codes.to_numpy(), pd.Series(values.cat.categories, name=values.name))
    codes, distinct = pd.factorize(values)
    return codes, pd.Series(distinct, name=values.name)


def _used(codes: np.ndarray, categories: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Leave out the categories that no row has."""
    used = np.zeros(len(categories) + 1, dtype=bool)
    used[codes] = True
    used[-1] = False
    if used[:-1].all():
        return codes, categories
    place = np.where(used, np.cumsum(used) - 1, -1)
    return place[codes], categories[used[:-1]].reset_index(drop=True)


def is_among(values: pd.Series, known: pd.Series) -> np.ndarray:
    """Tell which texts are among others; faster than ``Series.isin`` where there are many of both.

    Parameters
    ----------
    values, known : Series of str

    Returns
    -------
    ndarray of bool, shape (n,)
        Missing values are not.

    Examples
    --------
    >>> import pandas as pd
    >>> is_among(pd.Series(["a", "b", None]), pd.Series(["b", "c"])).tolist()
    [False, True, False]
    """
    codes, distinct = encode(values)
    found = pd.Index(known.dropna().unique()).get_indexer(pd.Index(distinct)) >= 0
    return np.append(found, False)[codes]
