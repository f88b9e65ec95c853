"""Features and outcome of the same patients, in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.outcome.outcome import Outcome


def align_patients(
    X: FeatureTable | pd.DataFrame | np.ndarray, y: Outcome | pd.Series | np.ndarray | Sequence[Any]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the features and the outcome of the same patients, row by row.

    Patients are matched by their ids where both sides have them; nobody is dropped in silence. The one exception is
    stated by the outcome itself: patients that :func:`nbrelapse.outcome.make_outcome` left out are left out of the
    features too, where its ``excluded`` accounts for each of them.

    Parameters
    ----------
    X : FeatureTable, DataFrame or array of shape (n_patients, n_features)
        Patient ids as index. An array has none: its rows are those of `y`.
    y : Outcome, Series or array of shape (n_patients,)
        An array has no ids: its entries are the rows of `X`.

    Returns
    -------
    DataFrame of shape (n_patients, n_features)
        In the order of `y`; the columns of an array are ``x0``, ``x1``, and so on.
    ndarray of shape (n_patients,)
        As in :class:`Outcome`, or what `y` held.

    Raises
    ------
    InputError
        Patients of one are not in the other, a patient stands twice, or, without ids, the lengths differ.

    Examples
    --------
    >>> X = pd.DataFrame({"alk__amplified": [1.0, 0.0, 0.0]}, index=["a", "b", "c"])
    >>> features, status = align_patients(X, pd.Series([0, 1, 0], index=["c", "b", "a"]))
    >>> features.index.tolist(), status.tolist()
    (['c', 'b', 'a'], [0, 1, 0])
    >>> align_patients(X, pd.Series([0, 1], index=["c", "b"]))
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: the patients of X and of y differ: 1 of X is not in y
      expected: the same patients in both, in any order
      mend: X.loc[y.index]
    """
    features = X.values if isinstance(X, FeatureTable) else X
    values, ids = _values_and_ids(y)
    if not isinstance(features, pd.DataFrame):
        array = np.asarray(features)
        if array.ndim != 2:
            raise InputError(f"X has {array.ndim} dimensions", expected="two: a row a patient, a column a feature")
        features, ids = pd.DataFrame(array, columns=[f"x{column}" for column in range(array.shape[1])]), None
    if ids is None:
        if values.shape[:1] != (len(features),):
            raise InputError(
                f"X has {len(features)} patients and y has {len(values) if values.ndim else 'one value'}",
                expected="the same number, in the same order",
                mend="give X as a table and y as an outcome or a Series: they are then matched by patient",
            )
        return features, values
    if features.index.equals(ids) and ids.is_unique:
        return features, values
    _refuse_duplicates(features.index, ids)
    _refuse_other_patients(X, y, features.index, ids)
    return features.loc[ids], values


def _values_and_ids(y: Any) -> tuple[np.ndarray, pd.Index | None]:
    if isinstance(y, Outcome):
        return y.y, y.patient_ids
    if isinstance(y, pd.Series):
        return y.to_numpy(), y.index
    return np.asarray(y), None


def _refuse_duplicates(of_x: pd.Index, of_y: pd.Index) -> None:
    for name, ids in (("X", of_x), ("y", of_y)):
        twice = int(ids.duplicated().sum())
        if twice:
            raise InputError(
                f"{name} has more than one row of a patient: {twice} of its {len(ids)} rows repeat an id",
                expected="a row a patient",
                mend="leave out the repeated rows; rows drawn more than once are given with y as an array",
            )


def _refuse_other_patients(X: Any, y: Any, of_x: pd.Index, of_y: pd.Index) -> None:
    """Raise where patients of one are not in the other, unless the outcome says that it has left them out."""
    only_x, only_y = int((~of_x.isin(of_y)).sum()), int((~of_y.isin(of_x)).sum())
    left_out = sum(y.excluded.values()) if isinstance(y, Outcome) else 0
    if only_y == 0 and only_x in (0, left_out):
        return
    counts = [
        f"{count} of {name} {'is' if count == 1 else 'are'} not in {other}"
        for count, name, other in ((only_x, "X", "y"), (only_y, "y", "X"))
        if count
    ]
    raise InputError(
        f"the patients of X and of y differ: {', '.join(counts)}",
        expected="the same patients in both, in any order",
        mend=_fix(X, y, bool(only_x), bool(only_y)),
    )


def _fix(X: Any, y: Any, more_in_x: bool, more_in_y: bool) -> str:
    """Return the call that keeps the patients which both have."""
    ids = "y.patient_ids" if isinstance(y, Outcome) else "y.index"
    take_x = "X.take({})" if isinstance(X, FeatureTable) else "X.loc[{}]"
    take_y = "y.take({})" if isinstance(y, Outcome) else "y.loc[{}]"
    if more_in_x and more_in_y:
        return f"both = X.index.intersection({ids}), then {take_x.format('both')} and {take_y.format('both')}"
    return take_x.format(ids) if more_in_x else take_y.format("X.index")
