"""Reading a feature table into the matrix that a model computes with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.outcome.event_of import event_of, is_survival


def training_matrix(
    X: pd.DataFrame, y: np.ndarray, columns: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names, values and outcomes to train on, the rows in an order that does not depend on how they came.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, at least n_features)
    y : ndarray of shape (n_samples,)
        Structured, ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days; or 0 and 1.
    columns : sequence of str, optional
        The columns to read; all of X by default.

    Returns
    -------
    names : ndarray of shape (n_features,)
    values : ndarray of shape (n_samples, n_features)
        NaN = not assayed.
    y : ndarray of shape (n_samples,)
        By time; at equal times, or where there are none, the events come first.

    Raises
    ------
    InputError
        There is no column to read, one cannot be used, X and y differ in length, fewer than two patients had
        the event, or fewer than two have the other value of a binary outcome.
    """
    names = np.asarray(list(X.columns if columns is None else columns), dtype=object)
    if not len(names):
        raise InputError("the model has no column to read", column="columns", expected="at least one feature")
    if len(X) != len(y):
        raise InputError(f"{len(X)} rows of features, but outcomes of {len(y)} patients")
    _refuse_too_few(y)
    values = read_columns(X, names)
    order = _order(values, y)
    return names, values[order], y[order]


def training_order(X: pd.DataFrame, y: np.ndarray, columns: Sequence[str] | None) -> np.ndarray:
    """Positions that bring the rows of X into the order of :func:`training_matrix`."""
    return _order(read_columns(X, np.asarray(list(X.columns if columns is None else columns), dtype=object)), y)


def _order(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Sums of floats depend on their order: sorting first gives the same bits however the patients are ordered.
    event = event_of(y)
    return np.lexsort((event, *values.T, event != 1, *([y["time"]] if is_survival(y) else [])))


def _refuse_too_few(y: np.ndarray) -> None:
    event = event_of(y)
    events = int(np.count_nonzero(event == 1))
    if events < 2:
        raise InputError(
            f"too few events to fit a model: {events} of {len(y)} patients had it",
            column="event",
            expected="at least 2",
            mend="use more patients or fewer folds, or check that the endpoint is the one meant",
        )
    if not is_survival(y) and len(y) - events < 2:
        raise InputError(
            f"too few patients without the event to fit a model: {len(y) - events} of {len(y)}",
            column="event",
            expected="at least 2",
            mend="use more patients or fewer folds, or check that the endpoint is the one meant",
        )


def background_rows(background: pd.DataFrame) -> pd.DataFrame:
    """Return the patients that attributions are compared with.

    Raises
    ------
    InputError
        There are none.
    """
    if not len(background):
        raise InputError("the background has no patients", column="background", expected="at least one")
    return background


def read_columns(X: pd.DataFrame, names: np.ndarray) -> np.ndarray:
    """Values of the named columns, shape (n_samples, n_features), NaN = not assayed.

    Raises
    ------
    InputError
        A column is not in X, is there twice, is not numeric, or holds infinite values.
    """
    missing = [str(name) for name in names if name not in X.columns]
    if missing:
        raise InputError(
            "the feature table lacks columns that the model reads",
            column=_shown(missing),
            mend="build the features with the catalogue and the gene sets that the model was trained with",
        )
    table = X[list(names)]
    if table.shape[1] != len(names):
        repeated = table.columns[table.columns.duplicated()].unique()
        raise InputError("the feature table has a column more than once", column=_shown(repeated))
    try:
        values = table.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        words = _shown(name for name, dtype in table.dtypes.items() if not pd.api.types.is_numeric_dtype(dtype))
        raise InputError("features that are not numbers", column=words, expected="float, NaN = unknown") from None
    infinite = np.isinf(values)
    if infinite.any():
        raise InputError(
            "infinite feature values",
            column=_shown(names[infinite.any(axis=0)]),
            rows=(np.flatnonzero(infinite.any(axis=1)) + 1).tolist(),
            expected="finite numbers, NaN = unknown",
        )
    return values


def _shown(names: Iterable[object]) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
